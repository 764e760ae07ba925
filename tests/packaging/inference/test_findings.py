from typing import Any

import numpy as np
import pytest

from iris_app.packaging.inference.findings import find_findings
from iris_app.schema import Feature, Kind

COUNT = 60
RANDOM = np.random.default_rng(0)
CLASSES = RANDOM.integers(0, 2, COUNT)


class Asked:
    """A classifier on whose answers each feature has an effect, or none."""

    def __init__(self, *, effect: bool = True) -> None:
        self._effect = effect

    def has_effect(self, _index: int) -> bool:
        return self._effect


def find(name: str, kind: Kind, values: Any, *, effect: bool = True) -> list[str]:
    categories = tuple(map(str, range(COUNT))) if kind == "category" else ()
    feature = Feature(name=name, form_name=name, label=name, kind=kind, categories=categories)
    rows = np.asarray(values, float)[:, None]
    return list(find_findings([feature], rows, CLASSES[: len(rows)], Asked(effect=effect)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("passenger_id", "integer", np.arange(COUNT) * 7),
        ("customerId", "integer", RANDOM.permutation(10**6)[:COUNT]),
        ("x", "integer", RANDOM.permutation(COUNT) + 1000),
        ("ticket", "category", RANDOM.permutation(COUNT)),
    ],
)
def test_an_identifier_is_named(name: str, kind: Kind, values: Any) -> None:
    (finding,) = find(name, kind, values)
    assert finding.startswith(f"{name} looks like an identifier")


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("population", "integer", RANDOM.permutation(10**6)[:COUNT]),
        ("weight", "number", RANDOM.normal(size=COUNT)),
        ("visits", "integer", RANDOM.integers(0, 9, COUNT)),
        ("island", "category", RANDOM.integers(0, 3, COUNT)),
        ("id", "integer", np.arange(20)),
    ],
)
def test_any_other_column_is_not(name: str, kind: Kind, values: Any) -> None:
    assert find(name, kind, values) == []


def test_a_constant_column_is_named() -> None:
    assert find("x", "number", np.full(COUNT, 3.0)) == ["x has the same value in all rows: it can tell nothing."]
    assert find("x", "number", np.full(COUNT, np.nan)) == ["x has the same value in all rows: it can tell nothing."]


def test_a_column_that_tells_the_class_alone_is_named() -> None:
    (finding,) = find("diagnosis", "number", CLASSES * 2.0 + RANDOM.random(COUNT))
    assert finding.startswith("diagnosis tells the class of nearly every row alone")


def test_a_column_without_effect_is_named() -> None:
    (finding,) = find("x", "number", RANDOM.normal(size=COUNT), effect=False)
    assert finding.startswith("x has no effect")
