"""Signs that something is wrong in the table that a classifier was trained on, or in what it makes of it."""

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from iris_app.packaging.inference.probes import Probe
from iris_app.schema import Feature, Floats

Classes: TypeAlias = NDArray[np.intp]

IDENTIFIER = re.compile(r"(\A|[\W_])(id|uuid|guid|key|index|idx|rowid|number|nr|no)\Z|[a-z]I[dD]\Z", re.IGNORECASE)

# With fewer rows, one value for each row or a column that tells all classes apart is chance.
MIN_ROWS = 30

# The share of rows whose class a column tells alone, from which it is suspected to have been made of the class.
LEAK = 0.999

# Rows that suffice to see it.
MAX_LEAK_ROWS = 20_000


def find_findings(features: Sequence[Feature], rows: Floats, classes: Classes, probe: Probe) -> Iterator[str]:
    """Yield a sentence for each column that looks like a mistake."""
    for index, feature in enumerate(features):
        values = rows[:, index]
        if len(np.unique(values)) == 1:
            yield f"{feature.name} has the same value in all rows: it can tell nothing."
        elif _is_identifier(feature, values):
            yield f"{feature.name} looks like an identifier: nearly each row has a value of its own. Train without it."
        elif not probe.has_effect(index):
            yield f"{feature.name} has no effect on any prediction that was tried."
        elif _leaks(values, classes):
            yield (
                f"{feature.name} tells the class of nearly every row alone. If it is known only after the class is, "
                "train without it."
            )


def _is_identifier(feature: Feature, values: Floats) -> bool:
    """Check whether nearly all values are different, and whether they are consecutive or named like identifiers."""
    present = values[~np.isnan(values)]
    unique = np.unique(present)
    if len(present) < MIN_ROWS or feature.kind not in {"integer", "category"} or len(unique) < 0.9 * len(present):
        return False
    is_consecutive = unique[-1] - unique[0] < 1.1 * len(unique)
    return feature.kind == "category" or bool(is_consecutive) or IDENTIFIER.search(feature.name) is not None


def _leaks(values: Floats, classes: Classes) -> bool:
    """Check whether a column tells the classes apart alone, with no more splits than there are classes."""
    if len(values) < MIN_ROWS:
        return False
    chosen = np.random.default_rng(0).permutation(len(values))[:MAX_LEAK_ROWS]
    count = len(np.unique(classes))
    tree = DecisionTreeClassifier(max_leaf_nodes=2 * count, random_state=0)
    column = values[chosen, None]
    return bool(tree.fit(column, classes[chosen]).score(column, classes[chosen]) >= LEAK)
