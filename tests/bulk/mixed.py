"""Tables of made-up visits, with every kind of feature."""

import numpy as np
import polars as pl

from iris_app.schema import Feature, Floats
from tests.models import SCHEMAS

VISITS = SCHEMAS["mixed"]


def random_rows(count: int, seed: int = 0) -> Floats:
    """Make visits, some of whose values are missing where they may be."""
    random = np.random.default_rng(seed)
    columns = [_random_column(feature, random, count) for feature in VISITS.features]
    return np.array(columns).T


def visits(rows: Floats) -> pl.DataFrame:
    """Make a table with a column of the type of each feature."""
    columns = {
        feature.name: pl.Series([feature.decode(value) for value in column], strict=False)
        for feature, column in zip(VISITS.features, rows.T.tolist(), strict=True)
    }
    return pl.DataFrame(columns)


def _random_column(feature: Feature, random: np.random.Generator, count: int) -> Floats:
    match feature.kind:
        case "category" | "boolean":
            values = random.integers(0, len(feature.categories) or 2, count).astype(float)
        case "integer":
            values = random.integers(18, 95, count).astype(float)
        case _:
            values = random.normal(5, 2, count).round(2).clip(0.5, 10)
    return np.where(random.random(count) < 0.1, np.nan, values) if feature.optional else values
