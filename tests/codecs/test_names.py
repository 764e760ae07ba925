import msgspec
import pytest

from iris_app.codecs.names import find_features, list_names, match_names
from iris_app.exceptions import InvalidValues
from iris_app.iris import SCHEMA
from tests.schemas import NAMES

SKLEARN = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]
EXACT = list(SCHEMA.features_by_name)
OPTIONAL = msgspec.structs.replace(
    SCHEMA, features=tuple(msgspec.structs.replace(feature, optional=True) for feature in SCHEMA.features)
)


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
    assert match_names(SCHEMA, names).indices == indices


def test_any_name_matches_itself() -> None:
    assert match_names(NAMES, list(NAMES.features_by_name)).indices == list(range(len(NAMES.features)))


def details(names: list[str], what: str = "column") -> list[str]:
    with pytest.raises(InvalidValues) as refused:
        find_features(OPTIONAL, names, what, line=3)
    assert {error.line for error in refused.value.errors} == {3}
    return [error.detail for error in refused.value.errors]


@pytest.mark.parametrize("names", [["Sepal Length", "sepal length (cm)"], ["sepal_length", "sepal_length"]])
def test_a_feature_that_is_named_twice_is_refused(names: list[str]) -> None:
    (detail,) = details(names, "field")
    assert detail == f"The fields {names[0]} and {names[1]} are each sepal length; there must be one."


def test_a_misspelt_name_is_refused_even_where_the_feature_may_be_missing() -> None:
    assert details([*EXACT[:3], "petal_widht"]) == ['There is no column petal_width. Is it "petal_widht"?']
    assert find_features(OPTIONAL, [*EXACT[:3], "colour"]) == [0, 1, 2, None]


def test_names_without_any_feature_are_listed() -> None:
    names = ", ".join(EXACT)
    assert details(["a", "b" * 40]) == [f"There is no column {names}; the columns are “a”, “{'b' * 30}…”."]
    assert details(list(map(str, range(12))))[0].endswith("“9” and 2 more.")
    assert details([]) == [f"There is no column {names}."]


def test_many_or_long_names_are_shortened() -> None:
    assert list_names(["a", "b" * 99]) == f"a, {'b' * 40}…"
    assert list_names(list(map(str, range(23)))).endswith("18, 19 and 3 more")
