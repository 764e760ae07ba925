import numpy as np

from iris_app.packaging.inference.ranking import choose_panels, rank_numbers
from iris_app.schema import MISSING, Feature


def feature(name: str, kind: str = "number") -> Feature:
    categories = ("u", "v") if kind == "category" else ()
    return Feature(name=name, form_name=name, label=name.capitalize(), kind=kind, categories=categories)  # type: ignore[arg-type]


def test_numbers_are_ranked_by_what_they_tell_of_the_class() -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, 300)
    features = [feature("noise"), feature("colour", "category"), feature("strong"), feature("weak", "integer")]
    rows = np.column_stack(
        [random.normal(size=300), classes % 2, classes * 5 + random.normal(size=300), classes + random.normal(size=300)]
    )
    rows[::10, 2] = MISSING
    assert rank_numbers(features, rows, classes) == [2, 3, 0]


def test_a_single_number_needs_no_ranking() -> None:
    assert rank_numbers([feature("a"), feature("b", "category")], np.zeros((4, 2)), np.array([0, 1, 0, 1])) == [0]
    assert rank_numbers([feature("b", "category")], np.zeros((4, 1)), np.array([0, 1, 0, 1])) == []


def test_classes_of_one_row_are_ranked_too() -> None:
    rows = np.random.default_rng(0).normal(size=(20, 2))
    assert sorted(rank_numbers([feature("a"), feature("b")], rows, np.array([0] * 19 + [1]))) == [0, 1]


def test_there_are_two_panels_of_the_most_telling_numbers() -> None:
    features = [feature(name) for name in ("a", "b", "c", "d", "e")]
    assert choose_panels(features, [3, 0, 4, 1, 2]) == (("A and d", 0, 3), ("B and e", 1, 4))
    assert choose_panels(features, [2, 0, 1]) == (("A and c", 0, 2), ("B and c", 1, 2))
    assert choose_panels(features, [1, 0]) == (("A and b", 0, 1),)
    assert choose_panels(features, [1]) == choose_panels(features, []) == ()


def test_an_abbreviation_keeps_its_capitals_in_a_title() -> None:
    features = [feature("a"), Feature(name="b", form_name="b", label="BMI")]
    assert choose_panels(features, [0, 1]) == (("A and BMI", 0, 1),)
