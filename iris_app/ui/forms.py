"""The form of one measurement: a field a feature, made from the table."""

import math
from typing import Any

import numpy as np
from flask_wtf import FlaskForm
from numpy.typing import NDArray
from wtforms import FloatField, Form, ValidationError
from wtforms.validators import InputRequired
from wtforms.widgets import TextInput

from iris_app.formatting import format_number, parse_number
from iris_app.iris import SCHEMA
from iris_app.schema import Feature


class FeatureField(FloatField):
    """A number as a person types it: with a point or a comma, with or without its unit.

    It is a text field with a numeric keyboard, since a browser's number field drops whatever it cannot read, and so
    loses what was typed.
    """

    widget = TextInput()

    def __init__(self, feature: Feature, **kwargs: Any) -> None:
        super().__init__(
            feature.label,
            [InputRequired(f"{feature.missing} Measure it in {feature.unit}."), _accepted],
            description=feature.help,
            render_kw={"inputmode": "decimal", "autocomplete": "off"},
            **kwargs,
        )
        self.feature = feature

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Read the number; ``data`` is NaN where there is none to be read."""
        if not valuelist:
            return
        text = valuelist[0].strip().removesuffix(self.feature.unit).strip()
        self.data = parse_number(text.replace(",", "."))


def _accepted(_form: Form, field: FeatureField) -> None:
    feature, value = field.feature, field.data
    if value is None or math.isnan(value):
        raise ValidationError(
            f"{feature.label} must be a number in {feature.unit}, for example {format_number(feature.example)}."
        )
    if complaint := feature.validate(value):
        raise ValidationError(complaint)


class RowForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """Four lengths and a token that proves that the form was ours; its fields are named as the features' form names."""

    @property
    def fields(self) -> list[FeatureField]:
        """The fields of the features, in their order."""
        return [self[feature.form_name] for feature in SCHEMA.features]

    @property
    def wrong_fields(self) -> list[FeatureField]:
        """The fields that were validated and are wrong."""
        return [field for field in self.fields if field.errors]

    @property
    def measurement(self) -> NDArray[np.float64]:
        """The values that were entered, of shape (1, 4), as the model takes them."""
        return np.array([[field.data for field in self.fields]])


for _feature in SCHEMA.features:
    setattr(RowForm, _feature.form_name, FeatureField(_feature))
