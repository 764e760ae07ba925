"""The manifest of a model, which lies beside its artifact."""

import hashlib
from collections.abc import Sized
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from iris_app.model.inputs import Inputs
from iris_app.model.outlier_detection.distribution import Distribution
from iris_app.schema import MISSING, Floats, Schema

# One value per feature as rows encode them; None is a missing one.
Values = list[float | None]


class Histogram(msgspec.Struct, frozen=True):
    """Counts of values up to the first edge, between each two edges, and above the last; missing ones are left out."""

    edges: list[float]
    counts: list[int]

    def __post_init__(self) -> None:
        """Check that the edges rise and that the counts fit them."""
        if len(self.counts) != len(self.edges) + 1 or self.edges != sorted(set(self.edges)):
            raise ValueError("a histogram has rising edges and one count more than edges")


class FeatureSummary(msgspec.Struct, frozen=True):
    """The summary of one feature over the training's rows: None where no row has a value."""

    name: str
    minimum: float | None
    maximum: float | None
    mean: float | None
    standard_deviation: float | None
    missing: int
    histogram: Histogram


class ClassSummary(msgspec.Struct, frozen=True):
    """The summary of one class over the training's rows: their number, and the mean and deviation of each feature.

    Categories have neither, and nor have features without values.
    """

    name: str
    rows: int
    means: Values
    deviations: Values


class ClassScore(msgspec.Struct, frozen=True):
    """The precision and recall of one class on the held-out rows."""

    name: str
    precision: float
    recall: float


class CalibrationBin(msgspec.Struct, frozen=True):
    """The held-out rows whose highest probability lies between two bounds, and the share of them that was right."""

    low: float
    high: float
    rows: int
    mean_probability: float
    accuracy: float


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of a model on held-out rows, and in cross-validation if there was any."""

    held_out_accuracy: float
    held_out_rows: int
    classes: list[ClassScore]
    confusion_matrix: list[list[int]]
    cross_validation: list[float] = []
    balanced_accuracy: float | None = None
    log_loss: float | None = None
    brier: float | None = None
    calibration: list[CalibrationBin] = []


class Importances(msgspec.Struct, frozen=True, kw_only=True):
    """The permutation importance of each feature: the accuracy that is lost when its values are shuffled.

    Attributes
    ----------
    drops, deviations : list of float
        The mean of each loss and its standard deviation over the repeats, from 0 to 1; below 0 is chance.
    rows : int
        The number of rows that were predicted with shuffled values.
    held_out : bool
        Whether the model was not trained on them.
    """

    drops: list[float]
    deviations: list[float]
    rows: int
    held_out: bool


class GoldenRow(msgspec.Struct, frozen=True):
    """A row, and the probabilities that the model gave it when it was packaged."""

    values: Values
    probabilities: list[float]


class TrainingRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of the training, and the index of its class."""

    values: Values
    class_index: Annotated[int, Meta(ge=0)]


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the manifest that does not depend on the artifact's file.

    Attributes
    ----------
    schema : Schema
    inputs : Inputs
        What the classifier takes.
    features, classes : list
        The summaries of the training's rows.
    distribution : Distribution
        The distribution of the training's rows, to tell others from.
    scores : Scores, optional
        None if nothing was measured on held-out rows.
    importances : Importances, optional
        None if predicting takes too long to measure them.
    threshold : float, optional
        The probability from which the second of two classes is predicted, unless it is the higher one.
    explanation_rows : int, optional
        The rows that are predicted for an explanation in about 50 ms, as they were measured when it was packaged.
    packages : list of str
        The packages that the classifier needs beside scikit-learn.
    training_rows, golden_rows : list
    """

    schema: Schema
    inputs: Inputs
    features: list[FeatureSummary]
    classes: list[ClassSummary]
    distribution: Distribution
    scores: Scores | None = None
    importances: Importances | None = None
    threshold: float | None = None
    explanation_rows: int | None = None
    packages: list[str] = []
    training_rows: list[TrainingRow] = []
    golden_rows: Annotated[list[GoldenRow], Meta(min_length=1)]

    def __post_init__(self) -> None:
        """Raise ``ValueError`` if a part does not fit the schema."""
        features, classes = len(self.schema.features), len(self.schema.classes)
        rows: list[GoldenRow | TrainingRow] = [*self.golden_rows, *self.training_rows]
        by_feature: list[Sized] = [self.features, *(row.values for row in rows)]
        by_feature += [values for summary in self.classes for values in (summary.means, summary.deviations)]
        by_feature += [self.importances.drops, self.importances.deviations] if self.importances else []
        by_class: list[Sized] = [self.classes, *(row.probabilities for row in self.golden_rows)]
        if self.scores:
            by_class += [self.scores.classes, self.scores.confusion_matrix, *self.scores.confusion_matrix]
        if {*map(len, by_feature)} != {features} or {*map(len, by_class)} != {classes}:
            raise ValueError(f"not all parts have {features} features and {classes} classes, as the schema has")
        if any(row.class_index >= classes for row in self.training_rows):
            raise ValueError(f"a row of the training is of none of the {classes} classes")
        if not self.distribution.fits(self.schema):
            raise ValueError("the distribution is one of other features or classes than the schema has")

    def training_array(self) -> tuple[Floats, NDArray[np.intp]]:
        """Return the training's rows, of shape (n, features), and the indices of their classes, of shape (n,)."""
        rows = to_array([row.values for row in self.training_rows], len(self.schema.features))
        return rows, np.array([row.class_index for row in self.training_rows], np.intp)

    def golden_array(self) -> Floats:
        """Return the golden rows, of shape (n, features)."""
        return to_array([row.values for row in self.golden_rows], len(self.schema.features))


class Manifest(Training, frozen=True, kw_only=True, dict=True):
    """The digest and the size of the artifact, the versions that made it, and its training."""

    sha256: str
    bytes: int
    pairplot_sha256: str | None = None
    created: datetime
    versions: dict[str, str]

    @cached_property
    def digest(self) -> str:
        """The sha256 of the digests of the artifact and of the schema, in hexadecimal."""
        return hashlib.sha256(f"{self.sha256} {self.schema.digest}".encode()).hexdigest()

    @property
    def version(self) -> str:
        """The first 12 hexadecimal digits of the digest."""
        return self.digest[:12]

    def public(self) -> Self:
        """Return the manifest without rows of the training, unless anyone may see them."""
        if self.schema.public_rows:
            return self
        return msgspec.structs.replace(self, training_rows=[], golden_rows=[])


class ModelDescription(msgspec.Struct, frozen=True):
    """A description of the current model: its version, its schema, its training and its scores."""

    name: str
    version: str
    digest: str
    sha256: str
    pairplot_sha256: str | None
    created: datetime
    versions: dict[str, str]
    answer_key: str
    schema: Schema
    features: list[FeatureSummary]
    classes: list[str]
    scores: Scores | None

    @classmethod
    def of(cls, manifest: Manifest, name: str | None = None) -> Self:
        """Describe the model of a manifest, by another name than its schema's if there is one."""
        schema = manifest.schema
        own = {"name": name or schema.name, "answer_key": schema.answer_key, "classes": schema.class_names}
        return cls(**own, **{name: getattr(manifest, name) for name in cls.__struct_fields__ if name not in own})  # type: ignore[arg-type]


def to_array(values: list[Values], width: int) -> Floats:
    """Return rows of values as an array of shape (n, width)."""
    rows = [[MISSING if value is None else value for value in row] for row in values]
    return np.array(rows, np.float64).reshape(-1, width)


def to_values(rows: Floats) -> list[Values]:
    """Return the values of an array of shape (n, features), None for missing ones."""
    return [[None if value != value else value for value in row] for row in rows.tolist()]


def manifest_path(path: Path) -> Path:
    """Return the path of the manifest of the artifact at ``path``."""
    return path.with_name(f"{path.name}.json")


def pairplot_path(path: Path) -> Path:
    """Return the path of the picture of the data that the artifact at ``path`` was trained on."""
    return path.with_name(f"{path.name}.svg")
