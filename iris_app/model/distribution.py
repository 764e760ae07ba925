"""The distribution of the training's rows."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.schema import Floats, Schema


class Distribution(msgspec.Struct, frozen=True):
    """The mean of each class, a map that whitens its rows, and the distance up to which a row is like them."""

    means: list[list[float]]
    whitenings: list[list[list[float]]]
    threshold: float


def fit_distribution(
    schema: Schema, rows: Floats, class_indices: NDArray[np.intp], held_out_rows: Floats | None = None
) -> Distribution:
    """Fit the distribution of the rows of each class."""
    groups = [rows[class_indices == index] for index in range(len(schema.classes))]
    means = [group.mean(axis=0) for group in groups]
    whitenings = [np.linalg.cholesky(np.linalg.inv(np.cov(group, rowvar=False))).T for group in groups]
    distances = [np.linalg.norm((rows - mean) @ w.T, axis=1) for mean, w in zip(means, whitenings, strict=True)]
    return Distribution(
        [mean.tolist() for mean in means],
        [w.tolist() for w in whitenings],
        float(np.min(distances, axis=0).max()),
    )
