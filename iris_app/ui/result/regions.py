"""The regions of a panel: where the model answers each class."""

from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

# A rectangle of a class: x, y, width and height in SVG units, and the index of the class.
Rectangle = tuple[float, float, float, float, int]


@dataclass(frozen=True, slots=True)
class Regions:
    """The regions of the classes, in SVG units.

    Attributes
    ----------
    rectangles : list of tuple
        They cover the panel, each with x, y, width, height and the index of its class.
    borders : str
        The path of the lines between classes.
    marks : list of tuple
        The x, y and index of each class, in the middle of its widest place.
    """

    rectangles: list[Rectangle]
    borders: str
    marks: list[tuple[float, float, int]]


def find_regions(classes: NDArray[np.int16], width: float, height: float) -> Regions:
    """Find the regions of a grid of classes, of shape (rows, columns), over a panel of a width and a height."""
    across, down = width / classes.shape[1], height / classes.shape[0]
    rectangles = [
        (run[0] * across, row * down, len(run) * across, down, int(index))
        for row, cells in enumerate(classes)
        for index, run in ((index, list(run)) for index, run in groupby(range(len(cells)), key=cells.__getitem__))
    ]
    beside = np.argwhere(classes[:, 1:] != classes[:, :-1])
    below = np.argwhere(classes[1:] != classes[:-1])
    borders = [f"M{(column + 1) * across:g} {row * down:g}v{down:g}" for row, column in beside]
    borders += [f"M{column * across:g} {(row + 1) * down:g}h{across:g}" for row, column in below]
    middles = ((*_middle(classes == index), int(index)) for index in np.unique(classes))
    marks = [((column + 0.5) * across, (row + 0.5) * down, index) for row, column, index in middles]
    return Regions(rectangles, "".join(borders), marks)


def _middle(cells: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the row and column of a cell that is as far from the edge of the cells as any."""
    depths = _depths(cells)
    innermost = np.argwhere(depths == depths.max())
    row, column = innermost[np.square(innermost - innermost.mean(axis=0)).sum(axis=1).argmin()]
    return int(row), int(column)


def _depths(cells: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the number of steps, up, down, left or right, from each cell to the nearest that is none of these."""
    depths = np.where(np.pad(cells, 1), sum(cells.shape), 0)
    for axis, steps in enumerate(np.ogrid[tuple(map(slice, depths.shape))]):
        ahead = np.minimum.accumulate(depths - steps, axis) + steps
        behind = np.flip(np.minimum.accumulate(np.flip(depths + steps, axis), axis), axis) - steps
        depths = np.minimum(ahead, behind)
    return depths[1:-1, 1:-1]
