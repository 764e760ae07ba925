"""Tables that tests of the distribution make up, and detectors that are fitted to them."""

import numpy as np
from numpy.typing import NDArray

from iris_app.model.outlier_detection.detector import OutlierDetector
from iris_app.model.outlier_detection.distribution import Distribution, fit_distribution
from iris_app.packaging.summaries import summarise_feature
from iris_app.schema import Class, Feature, Floats, Kind, Schema

Classes = NDArray[np.intp]

# The columns of the example, with two pairs swapped.
SEPALS_WITH_PETALS = [2, 3, 0, 1]
LENGTHS_WITH_WIDTHS = [1, 0, 3, 2]


def schema_of(rows: Floats, classes: int, *, units: str = "", **kinds: Kind) -> Schema:
    """Make a schema of features x0, x1 and so on, which are numbers or what is given."""
    features = []
    for index, values in enumerate(rows.T):
        name = f"x{index}"
        kind = kinds.get(name, "number")
        categories = tuple(f"c{code}" for code in range(int(np.nanmax(values)) + 1)) if kind == "category" else ()
        features.append(
            Feature(
                name=name,
                form_name=name,
                label=f"X {index}",
                kind=kind,
                unit=units if kind in {"number", "integer"} else "",
                categories=categories,
                optional=True,
                allow_unknown=kind == "category",
            )
        )
    return Schema(
        name="table",
        features=tuple(features),
        classes=tuple(Class(name=f"k{index}", label=f"K {index}", value=index) for index in range(classes)),
    )


def mixed_table(count: int, *, missing: float = 0.08) -> tuple[Floats, Classes, Schema]:
    """Make rows of four numbers, one of them skewed and one whole, a boolean, and two categories."""
    random = np.random.default_rng(0)
    classes = random.integers(0, 3, count)
    shares = np.array([[0.6, 0.2, 0.1, 0.1], [0.1, 0.6, 0.2, 0.1], [0.05, 0.05, 0.3, 0.6]])
    first = random.normal(classes, 1)
    region = np.minimum(random.geometric(0.3, count) - 1, 12)
    rows = np.column_stack(
        [
            first,
            2 * first + random.normal(0, 0.5, count) + classes + region,
            np.exp(random.normal(0, 1, count) + 0.3 * classes),
            random.poisson(2 + classes),
            random.random(count) < 0.1 + 0.3 * classes,
            [random.choice(4, p=shares[index]) for index in classes],
            region,
        ]
    )
    rows[random.random(rows.shape) < missing] = np.nan
    schema = schema_of(rows, 3, x3="integer", x4="boolean", x5="category", x6="category")
    return rows, classes, schema


def fit_detector(
    schema: Schema, rows: Floats, classes: Classes, held_out_rows: Floats | None = None
) -> tuple[OutlierDetector, Distribution]:
    distribution = fit_distribution(schema, rows, classes, held_out_rows)
    summaries = [summarise_feature(feature, values) for feature, values in zip(schema.features, rows.T, strict=True)]
    return OutlierDetector(schema, summaries, distribution), distribution
