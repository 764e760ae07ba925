import pytest

from iris_app.codecs.names import list_names, match_names
from iris_app.exceptions import MalformedDocument
from iris_app.iris import SCHEMA
from tests.schemas import NAMES

SKLEARN = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
EXACT = list(SCHEMA.features_by_name)


@pytest.mark.parametrize(
    ("names", "indices"),
    [
        (EXACT, [0, 1, 2, 3]),
        (["Id", *reversed(SKLEARN), "species"], [4, 3, 2, 1]),
        ([*SKLEARN, *EXACT], [4, 5, 6, 7]),
        (["PetalWidthCm", ""], [None, None, None, 0]),
        ([], [None] * 4),
    ],
)
def test_names_are_matched_exactly_or_else_by_spelling(names: list[str], indices: list[int | None]) -> None:
    assert match_names(SCHEMA, names, "fields") == indices


def test_any_name_matches_itself() -> None:
    assert match_names(NAMES, list(NAMES.features_by_name), "fields") == list(range(len(NAMES.features)))


@pytest.mark.parametrize("names", [["Sepal Length", "sepal length (cm)"], ["sepal_length", "sepal_length"]])
def test_a_feature_that_is_named_twice_is_refused(names: list[str]) -> None:
    with pytest.raises(MalformedDocument) as refused:
        match_names(SCHEMA, names, "fields")
    assert str(refused.value) == f"The fields {names[0]} and {names[1]} are each Sepal length; there must be one."


def test_many_or_long_names_are_shortened() -> None:
    assert list_names(["a", "b" * 99]) == f"a, {'b' * 40}…"
    assert list_names(list(map(str, range(23)))).endswith("18, 19 and 3 more")
