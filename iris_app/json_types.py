"""The JSON types of rows and predictions, made from the schema."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from iris_app.iris import SCHEMA
from iris_app.schema import Feature


def _field(feature: Feature) -> tuple[str, Any]:
    """Return the name and the type of a row's field, with the feature's bounds and unit."""
    meta = msgspec.Meta(
        gt=feature.above,
        le=feature.at_most,
        title=feature.title,
        description=feature.help,
        examples=[feature.example],
        extra_json_schema={"x-unit": feature.unit},
    )
    return feature.name, Annotated[float, meta]


def _type(name: str, fields: Iterable[tuple[str, Any]], docstring: str) -> Any:
    """Define a struct of frozen fields."""
    namespace = {"__doc__": docstring}
    return msgspec.defstruct(
        name, fields, namespace=namespace, module=__name__, forbid_unknown_fields=True, frozen=True, gc=False
    )


if TYPE_CHECKING:
    Measurement: TypeAlias = Any
    Probabilities: TypeAlias = Any
    Contributions: TypeAlias = Any
    ClassName: TypeAlias = str
else:
    Measurement = _type("Measurement", map(_field, SCHEMA.features), f"One {SCHEMA.noun}: a value for each feature.")
    Probabilities = _type(
        "Probabilities",
        [(name, Annotated[float, msgspec.Meta(ge=0, le=1)]) for name in SCHEMA.class_names],
        "The probability of each class; they add up to 1.",
    )
    Contributions = _type(
        "Contributions",
        [(feature.name, float) for feature in SCHEMA.features],
        "The contribution of each feature to the log-odds.",
    )
    ClassName = Literal[tuple(SCHEMA.class_names)]


class PredictionWarning(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reason to doubt a prediction: a code for programs, a sentence for people, and its feature if it has one."""

    code: str
    detail: str
    field: str | None = None

    @property
    def label(self) -> str:
        """The code, followed by a colon and the feature if there is one, as CSV has it."""
        return self.code if self.field is None else f"{self.code}:{self.field}"


class Explanation(msgspec.Struct, frozen=True):
    """The reasons for a prediction against the runner-up: a sentence, and its parts in log-odds.

    ``log_odds`` is the sum of ``average``, the log-odds of an average row, and of the ``contributions`` that each
    feature makes by not being average.
    """

    runner_up: ClassName
    log_odds: float
    average: float
    contributions: Contributions
    sentence: str


class Prediction(msgspec.Struct, frozen=True, gc=False, rename={"predicted_class": SCHEMA.target}):
    """The answer for one row: its class, the probability of each class, and reasons for doubt.

    ``explanation`` is there where it was asked for, and None where the model cannot be explained.
    """

    predicted_class: ClassName
    probabilities: Probabilities
    warnings: tuple[PredictionWarning, ...]
    explanation: Explanation | UnsetType | None = UNSET
