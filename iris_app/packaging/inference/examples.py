"""Examples in a schema: a typical row of each class, and a value of each feature."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.schema import Floats, Schema


def with_examples(schema: Schema, typical: Sequence[Floats | None], classes: NDArray[np.intp]) -> Schema:
    """Return a schema with typical rows, and with the values of the most frequent class's for examples.

    Parameters
    ----------
    schema : Schema
        Classes and features that have examples keep them.
    typical : sequence of ndarray of shape (features,) or None
        A row for each class, if there is one.
    classes : ndarray of shape (n,)
        The indices of the classes of the training's rows.
    """
    rows = [() if row is None else tuple(schema.decode(row.tolist())) for row in typical]
    frequent = np.argsort(-np.bincount(classes, minlength=len(rows)), kind="stable")
    example = next((rows[index] for index in frequent if rows[index]), (None,) * len(schema.features))
    return msgspec.structs.replace(
        schema,
        features=tuple(
            feature if feature.example is not None else msgspec.structs.replace(feature, example=value)
            for feature, value in zip(schema.features, example, strict=True)
        ),
        classes=tuple(
            class_ if class_.typical else msgspec.structs.replace(class_, typical=row)
            for class_, row in zip(schema.classes, rows, strict=True)
        ),
    )
