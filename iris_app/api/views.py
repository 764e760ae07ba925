"""``POST /api/classify``: one measurement or an array of them."""

import msgspec
from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import UnsupportedMediaType

from iris_app.api import measurements
from iris_app.iris import Prediction
from iris_app.model_service import get_model
from iris_app.problem import Problem

bp = Blueprint("api", __name__, url_prefix="/api")

JSON = "application/json"

_encode = msgspec.json.Encoder().encode


class Answer(Prediction, frozen=True, gc=False):
    """The answer to one measurement: a prediction, and the version of the model that made it."""

    model: str


class Answers(msgspec.Struct, frozen=True):
    """The answer to an array of measurements, in its order."""

    model: str
    predictions: list[Prediction]


@bp.post("/classify")
def classify() -> Response:
    """Classify the measurements in the body."""
    if request.mimetype != JSON:
        raise UnsupportedMediaType(f"Send {JSON}, and say so in Content-Type.")
    rows, one = measurements.read(request.get_data(cache=False), current_app.config["MAX_BATCH_ROWS"])
    model = get_model()
    predictions = model.classify(rows)
    if not one:
        return _json(Answers(model.version, predictions))
    (prediction,) = predictions
    return _json(Answer(prediction.species, prediction.probabilities, prediction.warnings, model.version))


def tell(problem: Problem) -> Response:
    """Tell a program what went wrong."""
    return _json(problem, "application/problem+json")


def _json(document: msgspec.Struct, mimetype: str = JSON) -> Response:
    return Response(_encode(document), mimetype=mimetype)
