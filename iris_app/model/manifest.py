"""The manifest of a model, which lies beside its artifact."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from iris_app.iris import SCHEMA
from iris_app.json_types import ClassName

Values = Annotated[list[float], Meta(min_length=len(SCHEMA.features), max_length=len(SCHEMA.features))]
Whitening = Annotated[list[Values], Meta(min_length=len(SCHEMA.features), max_length=len(SCHEMA.features))]
Odds = Annotated[list[float], Meta(min_length=len(SCHEMA.class_names), max_length=len(SCHEMA.class_names))]


class Histogram(msgspec.Struct, frozen=True):
    """Counts of values up to the first edge, between each two edges, and above the last."""

    edges: list[float]
    counts: list[int]

    def __post_init__(self) -> None:
        """Check that the edges rise and that the counts fit them."""
        if len(self.counts) != len(self.edges) + 1 or self.edges != sorted(set(self.edges)):
            raise ValueError("a histogram has rising edges and one count more than edges")


class FeatureSummary(msgspec.Struct, frozen=True):
    """The summary of one feature over the training's rows, in ``unit``."""

    name: str
    unit: str
    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    histogram: Histogram


class ClassSummary(msgspec.Struct, frozen=True, rename={"rows": SCHEMA.nouns}):
    """The summary of one class over the training's rows: their number, mean and scatter.

    ``whitening @ (row - mean)`` has the length of the row's Mahalanobis distance from the class.
    """

    name: str
    rows: int
    mean: Values
    whitening: Whitening


class ClassScore(msgspec.Struct, frozen=True):
    """The precision and recall of one class on the held-out rows."""

    name: str
    precision: float
    recall: float


class Scores(
    msgspec.Struct,
    frozen=True,
    rename={"held_out_rows": f"held_out_{SCHEMA.nouns}", "classes": SCHEMA.target},
):
    """The scores of a model on held-out rows, and in cross-validation over all rows."""

    held_out_accuracy: float
    held_out_rows: int
    classes: list[ClassScore]
    confusion_matrix: list[list[int]]
    cross_validation: list[float]


class GoldenRow(msgspec.Struct, frozen=True):
    """A row, and the probabilities that the model gave it when it was trained."""

    measurement: Values
    probabilities: Odds


class TrainingRow(msgspec.Struct, frozen=True, array_like=True):
    """A row of the training, and the index of its class."""

    measurement: Values
    class_index: Annotated[int, Meta(ge=0, lt=len(SCHEMA.class_names))]


class About(msgspec.Struct, frozen=True):
    """A description of the model, its data and its limits, for people."""

    model: str
    data: str
    limits: str


class Training(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"classes": SCHEMA.target, "training_rows": SCHEMA.nouns},
):
    """The part of the manifest that does not depend on the artifact's file."""

    about: About
    features: list[FeatureSummary]
    classes: list[ClassSummary]
    farthest_distance: float
    scores: Scores
    training_rows: Annotated[list[TrainingRow], Meta(min_length=1)]
    golden_rows: Annotated[list[GoldenRow], Meta(min_length=1)]


class Manifest(Training, frozen=True, kw_only=True):
    """The digest and the size of the artifact, the versions that made it, and its training."""

    sha256: str
    bytes: int
    pairplot_sha256: str
    created: datetime
    versions: dict[str, str]

    @property
    def version(self) -> str:
        """The first 12 hexadecimal digits of the artifact's sha256."""
        return self.sha256[:12]


class ModelDescription(msgspec.Struct, frozen=True, rename={"classes": SCHEMA.target}):
    """A description of the current model: its version, its training and its scores."""

    version: str
    sha256: str
    pairplot_sha256: str
    created: datetime
    versions: dict[str, str]
    features: list[FeatureSummary]
    classes: list[ClassName]
    scores: Scores

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Describe the model of a manifest."""
        shared = {name: getattr(manifest, name) for name in cls.__struct_fields__ if name != "classes"}
        return cls(classes=SCHEMA.class_names, **shared)


def manifest_path(path: Path) -> Path:
    """Return the path of the manifest of the artifact at ``path``."""
    return path.with_name(f"{path.name}.json")


def pairplot_path(path: Path) -> Path:
    """Return the path of the picture of the data that the artifact at ``path`` was trained on."""
    return path.with_name(f"{path.name}.svg")
