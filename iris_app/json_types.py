"""The JSON types of rows and predictions, made from a schema."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import UNSET, Meta, UnsetType

from iris_app.schema import Feature, Schema, Value

# The known categories that the specification lists where others are accepted too.
MAX_EXAMPLES = 20


class PredictionWarning(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reason to doubt a prediction: a code for programs, a sentence for people, and its feature if it has one."""

    code: str
    detail: str
    field: str | None = None

    @property
    def label(self) -> str:
        """The code, followed by a colon and the feature if there is one, as CSV has it."""
        return self.code if self.field is None else f"{self.code}:{self.field}"


class Explanation(Protocol):
    """The reasons for a prediction against the runner-up: a sentence, and its parts in log-odds.

    ``log_odds`` is the sum of ``average``, the log-odds of an average row, and of the ``contributions`` that each
    feature makes by not being average. ``error`` is their standard error if they are estimated, or 0.
    """

    runner_up: str
    log_odds: float
    average: float
    contributions: Any
    sentence: str
    error: float


class Prediction(Protocol):
    """The answer for one row: its class, the probability of each class, and reasons for doubt.

    ``probabilities`` is a struct with a field for each class, in their order. ``explanation`` is there where it was
    asked for, and None where the model cannot be explained.
    """

    predicted_class: str
    probabilities: Any
    warnings: tuple[PredictionWarning, ...]
    explanation: Explanation | UnsetType | None


class JsonTypes:
    """The types of a schema's rows and predictions; ``schema.derive(JsonTypes)`` makes them once.

    The fields of ``Row`` and ``Contributions`` are called f0, f1 and so on, those of ``Probabilities`` c0, c1, in the
    order of the features or classes; in JSON they have the names of these, which may be anything.

    Attributes
    ----------
    Row, Probabilities, Contributions, Explanation, Prediction : type
        Structs; see the protocols for the last two.
    """

    def __init__(self, schema: Schema) -> None:
        self._key = schema.answer_key
        self._class_name: Any = Literal[tuple(schema.class_names)]
        self.Row = define(
            "Row",
            [(f"f{index}", *field_type(feature)) for index, feature in enumerate(schema.features)],
            f"One {schema.noun}: a value for each feature.",
            {f"f{index}": feature.name for index, feature in enumerate(schema.features)},
            forbid_unknown_fields=True,
            kw_only=True,
        )
        self.Probabilities = define(
            "Probabilities",
            [(f"c{index}", Annotated[float, Meta(ge=0, le=1)]) for index in range(len(schema.classes))],
            "The probability of each class; they add up to 1.",
            {f"c{index}": name for index, name in enumerate(schema.class_names)},
            forbid_unknown_fields=True,
        )
        self.Contributions = define(
            "Contributions",
            [(f"f{index}", float) for index in range(len(schema.features))],
            "The contribution of each feature to the log-odds.",
            {f"f{index}": feature.name for index, feature in enumerate(schema.features)},
            forbid_unknown_fields=True,
        )
        self.Explanation = define(
            "Explanation",
            [
                ("runner_up", self._class_name),
                ("log_odds", float),
                ("average", float),
                ("contributions", self.Contributions),
                ("sentence", str),
                ("error", float, 0.0),
            ],
            "The reasons for a prediction against the runner-up: a sentence, and its parts in log-odds. `log_odds` is "
            "the sum of `average`, that of an average row, and of the `contributions` of the features; `error` is the "
            "standard error of these where they are estimated.",
            {},
            omit_defaults=True,
        )
        self.Prediction = self.define_prediction("Prediction", "The answer for one row.")

    def define_prediction(self, name: str, docstring: str, more: Iterable[tuple[Any, ...]] = ()) -> Any:
        """Define the type of a prediction with more fields at its end."""
        fields = [
            ("predicted_class", self._class_name),
            ("probabilities", self.Probabilities),
            ("warnings", tuple[PredictionWarning, ...]),
            *more,
            ("explanation", self.Explanation | UnsetType | None, UNSET),
        ]
        return define(name, fields, docstring, {"predicted_class": self._key})


def define(
    name: str, fields: Iterable[tuple[Any, ...]], docstring: str, rename: Mapping[str, str], **options: Any
) -> Any:
    """Define a struct of frozen fields, of which some are renamed in JSON."""
    return msgspec.defstruct(
        name,
        fields,
        namespace={"__doc__": docstring},
        module=__name__,
        rename=dict(rename),
        frozen=True,
        gc=False,
        **options,
    )


def field_type(feature: Feature) -> tuple[Any, ...]:
    """Return the type of a row's field, and its default if it may be missing."""
    meta = Meta(
        title=feature.title,
        description=feature.help or None,
        examples=_examples(feature) or None,
        extra_json_schema={"x-unit": feature.unit} if feature.unit else None,
    )
    type_: Any = Annotated[_value_type(feature), meta]
    return (type_ | None, None) if feature.optional else (type_,)


def _examples(feature: Feature) -> list[Value]:
    """Return the first of the known categories where others are accepted, or else the example if there is one."""
    if feature.allow_unknown:
        return list(feature.categories[:MAX_EXAMPLES])
    return [] if feature.example is None else [feature.example]


def _value_type(feature: Feature) -> Any:
    if feature.kind == "boolean":
        return bool
    if feature.kind == "category":
        return _text_type(feature) | float if feature.allow_unknown else Literal[tuple(_literals(feature))]
    low, high = feature.limits
    lower: dict[str, Any] = {"ge": low} if feature.above is None else {"gt": feature.above}
    return Annotated[float, Meta(le=high, multiple_of=1.0 if feature.kind == "integer" else None, **lower)]


def _text_type(feature: Feature) -> Any:
    """Return the type of any category; a blank one is a missing value, unless it is known."""
    return str if feature.optional or "" in feature.indices else Annotated[str, Meta(pattern=r"[^\s\x1c-\x1f\x85]")]


def _literals(feature: Feature) -> Iterator[str | int]:
    """Yield the categories, those that are whole numbers as numbers and as text, and that of a missing value."""
    if feature.optional and "" not in feature.indices:
        yield ""
    numbers = {str(number): number for number in feature.whole_numbers}
    for category in feature.categories:
        yield category
        if isinstance(category, int):
            yield str(category)
        elif category in numbers:
            yield numbers[category]
