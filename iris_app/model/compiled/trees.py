"""Decision trees and their ensembles.

treelite answers a few rows, and scikit-learn's own loops many: each takes several times as long as the other there.
Their leaves are added in the same order, and so with the same bits.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import treelite.sklearn
from sklearn import config_context
from treelite import gtil

from iris_app.model.compiled.tracing import NotCompilable
from iris_app.model.linear import ordered_sum
from iris_app.schema import Floats

# The rows up to which treelite is the faster one.
FEW = 8

# Takes columns of shape (columns, n), and returns scores or probabilities of shape (outputs, n).
Decide: TypeAlias = Callable[[Floats], Floats]

# The columns and the thresholds of splits.
Splits: TypeAlias = list[tuple[int, float]]

Make: TypeAlias = Callable[[Any], tuple[Decide, Splits]]


def decide_by_tree(tree: Any) -> tuple[Decide, Splits]:
    """Return the probabilities by one decision tree."""
    nodes = tree.tree_

    def decide(columns: Floats) -> Floats:
        probabilities: Floats = nodes.predict(_to_float32(columns)).T
        return probabilities

    return decide, _pair(nodes.feature, nodes.threshold)


def decide_by_forest(forest: Any) -> tuple[Decide, Splits]:
    """Return the probabilities by a forest: the mean of its trees'."""
    model = _import(forest)
    trees = [tree.tree_ for tree in forest.estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    values = np.concatenate([tree.value[:, 0] for tree in trees])  # treelite's own differ in the last bit

    def decide(columns: Floats) -> Floats:
        rows = _to_float32(columns)
        if len(rows) <= FEW:
            leaves = gtil.predict_leaf(model, rows.astype(np.float64), nthread=1).astype(np.intp)
            total = _add_in_order(values[leaves + starts].swapaxes(0, 1))
        else:
            total = ordered_sum(tree.predict(rows) for tree in trees)
        mean: Floats = (total / len(trees)).T
        return mean

    return decide, _splits(model)


def decide_by_gradient_boosting(boosting: Any) -> tuple[Decide, Splits]:
    """Return the scores by gradient boosting."""
    model = _import(boosting)
    base = model.get_header_accessor().get_field("base_scores")

    def decide(columns: Floats) -> Floats:
        rows = _to_float32(columns)
        if len(rows) <= FEW:
            return _add_leaves(model, rows.astype(np.float64), base)
        total = np.tile(base[:, None], len(rows))
        for trees in boosting.estimators_:
            for output, tree in enumerate(trees):
                total[output] += boosting.learning_rate * tree.tree_.predict(rows)[:, 0]
        return total

    return decide, _splits(model)


def decide_by_hist_gradient_boosting(boosting: Any) -> tuple[Decide, Splits]:
    """Return the scores by gradient boosting of histograms."""
    model = _import(boosting)
    base = model.get_header_accessor().get_field("base_scores")
    names = getattr(boosting, "feature_names_in_", None)

    def decide(columns: Floats) -> Floats:
        rows = np.ascontiguousarray(columns.T)
        if len(rows) <= FEW:
            return _add_leaves(model, rows, base)
        with config_context(assume_finite=True, skip_parameter_validation=True):
            frame = rows if names is None else import_module("pandas").DataFrame(rows, columns=names)
            scores: Floats = boosting.decision_function(frame)
        return scores.reshape(len(rows), -1).T

    return decide, _splits(model)


def _import(ensemble: Any) -> Any:
    """Return treelite's model of an ensemble, or raise ``NotCompilable``."""
    try:
        return treelite.sklearn.import_model(ensemble)
    except (treelite.TreeliteError, AssertionError, NotImplementedError, ValueError) as error:
        raise NotCompilable(f"what treelite does not take ({error})") from error


def _to_float32(columns: Floats) -> Any:
    return np.ascontiguousarray(columns.T, np.float32)


def _add_leaves(model: Any, rows: Floats, base: Floats) -> Floats:
    """Return the scores of rows of shape (n, columns), of shape (outputs, n)."""
    leaves = gtil.predict_per_tree(model, rows, nthread=1).reshape(len(rows), -1, len(base)).swapaxes(0, 1)
    leaves[0] += base
    return _add_in_order(leaves).T


def _add_in_order(terms: Floats) -> Floats:
    """Add an array along its first axis, in its order: ``sum`` would choose another."""
    total: Floats = np.add.accumulate(terms)[-1]
    return total


def _splits(model: Any) -> Splits:
    trees = [model.get_tree_accessor(index) for index in range(model.num_tree)]
    columns = np.concatenate([tree.get_field("split_index") for tree in trees])
    thresholds = np.concatenate([tree.get_field("threshold") for tree in trees])
    return _pair(columns, thresholds)


def _pair(columns: Any, thresholds: Any) -> Splits:
    """Return the splits of nodes, without leaves."""
    pairs = zip(columns.tolist(), thresholds.tolist(), strict=True)
    return sorted({(column, threshold) for column, threshold in pairs if column >= 0})
