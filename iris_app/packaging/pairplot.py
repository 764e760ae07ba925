"""The picture of the training's rows, by each pair of their most telling numbers."""

import io
import itertools
import re
import warnings
from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import Any, TypeAlias

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from numpy.typing import NDArray

from iris_app.packaging.inference.words import make_label
from iris_app.packaging.summaries import stratify
from iris_app.schema import Floats, Schema

Classes: TypeAlias = NDArray[np.intp]

# Shapes and colours of the classes as the pages have them for light screens; further classes get further colours.
MARKERS = ["o", "^", "s", "D", "v", "P", "X", "*", "<", ">"]
PALETTE = re.findall(r"--class-\d+: (#\w+);", (files("iris_app.ui") / "static" / "palette.css").read_text())[:3]

MAX_FEATURES = 6
MAX_SQUARE = 4
MAX_SIZE = 1_000_000

# Points in all its plots, or contours, for a picture of about that size; and rows whose density is estimated.
MAX_POINTS = 6000
MAX_CONTOURS = 400
CONTOURS = 4
MAX_ROWS = 600

# Decimals that nobody sees; those of the letters' scale matter.
DECIMALS = re.compile(rb"(?<!scale\(0)(\.\d\d)\d+")

# Pictures go to files; there is no screen.
mpl.use("svg")


def draw_pairplot(schema: Schema, rows: Floats, classes: Classes, ranked: Sequence[int]) -> bytes | None:
    """Draw the rows of the training by each pair of features, with densities on the diagonal, as SVG.

    Where the rows are not public, no single one is drawn: densities take their place.

    Parameters
    ----------
    schema : Schema
    rows : ndarray of shape (n, features)
    classes : ndarray of shape (n,)
    ranked : sequence of int
        The indices of the numbers, the most telling one first.

    Returns
    -------
    bytes or None
        None if no feature is a number.
    """
    count = _count_features(schema, len(ranked))
    while count:
        pairplot = _draw(schema, rows, classes, sorted(ranked[:count]))
        if len(pairplot) <= MAX_SIZE:
            return pairplot
        count -= 1
    return None


def _count_features(schema: Schema, count: int) -> int:
    """Return the number of features whose picture is small enough."""
    most = min(count, MAX_FEATURES)
    if schema.public_rows:
        return most
    contours = CONTOURS * len(schema.classes)
    return max((some for some in range(1, most + 1) if some * (some - 1) // 2 * contours <= MAX_CONTOURS), default=0)


def _draw(schema: Schema, rows: Floats, classes: Classes, indices: Sequence[int]) -> bytes:
    count = MAX_POINTS // max(len(indices) * (len(indices) - 1), 1) if schema.public_rows else MAX_ROWS
    kept = stratify(classes, count)
    kept = kept[np.argsort(classes[kept], kind="stable")]  # seaborn gives out shapes as classes appear
    labels = _unique(class_.label for class_ in schema.classes)
    *titles, hue = _unique([*(schema.features[index].title for index in indices), make_label(schema.target)])
    frame = pd.DataFrame(rows[kept][:, list(indices)], columns=titles)
    frame[hue] = [labels[index] for index in classes[kept]]
    drawn = io.BytesIO()
    # The same drawing gets the same bytes: no date in it, and identifiers that do not depend on chance.
    with mpl.rc_context({"svg.hashsalt": "iris_app", "savefig.transparent": True}), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class whose values are all alike has no density
        grid = sns.pairplot(
            frame,
            hue=hue,
            hue_order=labels,
            diag_kind="kde",
            height=2,
            palette=_palette(len(labels)),
            diag_kws={"gridsize": 100},
            corner=len(indices) > MAX_SQUARE,
            **_style(schema),
        )
        grid.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(grid.figure)
    return DECIMALS.sub(rb"\1", drawn.getvalue())


def _style(schema: Schema) -> dict[str, Any]:
    if schema.public_rows:
        return {"markers": [MARKERS[index % len(MARKERS)] for index in range(len(schema.classes))]}
    return {"kind": "kde", "plot_kws": {"levels": CONTOURS + 1, "gridsize": 40}}


def _unique(labels: Iterable[str]) -> list[str]:
    """Return labels that are all different, by blanks behind those that are there already."""
    found: list[str] = []
    for label in labels:
        found.append(next(text for blanks in itertools.count() if (text := label + " " * blanks) not in found))
    return found


def _palette(count: int) -> list[Any]:
    return [*PALETTE, *sns.husl_palette(max(count - len(PALETTE), 0))][:count]
