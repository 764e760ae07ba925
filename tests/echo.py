"""A model that predicts the classes of any schema in turn, to test what reaches a model and how it is answered."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from flask import Flask

from iris_app.model.manifest import FeatureSummary, Histogram
from iris_app.model.predictions import PredictionBatch
from iris_app.schema import Feature, Floats, Schema


def summarise(feature: Feature) -> FeatureSummary:
    """Return the summary of a training that saw no values."""
    edges = [index - 0.5 for index in range(len(feature.categories))] if feature.categories else [0.0, 1.0]
    histogram = Histogram(edges, [0] * (len(edges) + 1))
    return FeatureSummary(feature.name, None, None, None, None, 0, histogram)


class EchoModel:
    """Keep the rows that are to be predicted; the first gets the first class, the second the second, and so on."""

    version = "0" * 12

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.manifest: Any = SimpleNamespace(
            schema=schema, version=self.version, threshold=None, features=list(map(summarise, schema.features))
        )
        self.rows: Floats | None = None

    def predict(self, rows: Floats) -> PredictionBatch:
        self.rows = rows
        classes = np.arange(len(rows)) % len(self.schema.classes)
        probabilities = np.eye(len(self.schema.classes))[classes].T
        return EchoBatch(self.manifest, rows, probabilities, None, None)  # type: ignore[arg-type]


class EchoBatch(PredictionBatch):
    def warning_counts(self) -> Any:
        return {}


def serve_echo(app: Flask, schema: Schema) -> EchoModel:
    """Let an application answer with an ``EchoModel``."""
    model = EchoModel(schema)
    app.extensions["model_service"] = SimpleNamespace(model=model, loaded=None, refused=None, changes=[])
    return model
