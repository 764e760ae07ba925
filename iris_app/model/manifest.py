"""What a model says of itself: the manifest that lies beside its artifact."""

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
    """How many values lie between the edges: up to the first of them, between each two, and above the last."""

    edges: list[float]
    counts: list[int]

    def __post_init__(self) -> None:
        """Refuse edges that do not rise, and counts that do not fit them."""
        if len(self.counts) != len(self.edges) + 1 or self.edges != sorted(set(self.edges)):
            raise ValueError("a histogram has rising edges and one count more than edges")


class FeatureSummary(msgspec.Struct, frozen=True):
    """What training saw of one feature, in ``unit``."""

    name: str
    unit: str
    minimum: float
    maximum: float
    mean: float
    standard_deviation: float
    histogram: Histogram


class ClassSummary(msgspec.Struct, frozen=True):
    """What training saw of one species: how many flowers, their mean, and how they scatter.

    ``whitening @ (flower - mean)`` has the length of the flower's Mahalanobis distance from the species.
    """

    name: str
    flowers: int
    mean: Values
    whitening: Whitening


class ClassScore(msgspec.Struct, frozen=True):
    """How well one species was told from the others on the held-out flowers."""

    name: str
    precision: float
    recall: float


class Scores(msgspec.Struct, frozen=True):
    """How good the model is: on flowers that it never saw, and in cross-validation over all of them."""

    held_out_accuracy: float
    held_out_flowers: int
    species: list[ClassScore]
    confusion_matrix: list[list[int]]
    cross_validation: list[float]


class GoldenRow(msgspec.Struct, frozen=True):
    """A flower, and the probabilities that the model gave it when it was trained."""

    measurement: Values
    probabilities: Odds


class Flower(msgspec.Struct, frozen=True, array_like=True):
    """A flower of the training: its measurements, and its species as an index."""

    measurement: Values
    species: Annotated[int, Meta(ge=0, lt=len(SCHEMA.class_names))]


class About(msgspec.Struct, frozen=True):
    """What a person should know of a model: what it is, what it learnt from, and what it must not be used for."""

    model: str
    data: str
    limits: str


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """What a training tells of itself: all of the manifest that does not depend on the file."""

    about: About
    features: list[FeatureSummary]
    species: list[ClassSummary]
    farthest_distance: float
    scores: Scores
    flowers: Annotated[list[Flower], Meta(min_length=1)]
    golden_rows: Annotated[list[GoldenRow], Meta(min_length=1)]


class Manifest(Training, frozen=True, kw_only=True):
    """What the artifact beside it must be: its digest, its size, what made it and when, and its training."""

    sha256: str
    bytes: int
    pairplot_sha256: str
    created: datetime
    versions: dict[str, str]

    @property
    def version(self) -> str:
        """Name the artifact shortly: the first 12 hexadecimal digits of its sha256."""
        return self.sha256[:12]


class ModelDescription(msgspec.Struct, frozen=True):
    """What answers: its version, when and with what it was trained, what it saw, and how good it is."""

    version: str
    sha256: str
    pairplot_sha256: str
    created: datetime
    versions: dict[str, str]
    features: list[FeatureSummary]
    species: list[ClassName]
    scores: Scores

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Describe the model that a manifest belongs to."""
        shared = {name: getattr(manifest, name) for name in cls.__struct_fields__ if name != "species"}
        return cls(species=SCHEMA.class_names, **shared)


def manifest_path(path: Path) -> Path:
    """Say where the manifest of the artifact at ``path`` lies."""
    return path.with_name(f"{path.name}.json")


def pairplot_path(path: Path) -> Path:
    """Say where the picture of the data lies that the artifact at ``path`` was trained on."""
    return path.with_name(f"{path.name}.svg")
