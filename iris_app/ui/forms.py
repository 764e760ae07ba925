"""The form of one row, with a field per feature of the schema."""

import math
from typing import Any

import numpy as np
from flask_wtf import FlaskForm
from wtforms import FloatField, Form, ValidationError
from wtforms.validators import InputRequired
from wtforms.widgets import TextInput

from iris_app.formatting import format_number, parse_number
from iris_app.iris import SCHEMA
from iris_app.schema import Feature, Floats


class FeatureField(FloatField):
    """A field for a number, with a decimal point or comma, with or without the unit.

    Its widget is a text input, since a browser's number input discards invalid text.
    """

    widget = TextInput()

    def __init__(self, feature: Feature, **kwargs: Any) -> None:
        super().__init__(
            feature.label,
            [InputRequired(f"{feature.missing} Measure it in {feature.unit}."), _validate_value],
            description=feature.help,
            render_kw={"inputmode": "decimal", "autocomplete": "off"},
            **kwargs,
        )
        self.feature = feature

    def process_formdata(self, valuelist: list[Any]) -> None:
        """Parse the number; ``data`` is NaN if the text is not one."""
        if not valuelist:
            return
        text = valuelist[0].strip().removesuffix(self.feature.unit).strip()
        self.data = parse_number(text.replace(",", "."))


def _validate_value(_form: Form, field: FeatureField) -> None:
    feature, value = field.feature, field.data
    if value is None or math.isnan(value):
        raise ValidationError(
            f"{feature.label} must be a number in {feature.unit}, for example {format_number(feature.example)}."
        )
    if error := feature.validate(value):
        raise ValidationError(error)


class PageForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A form with a CSRF token, unless WTF_CSRF_ENABLED is off."""

    @property
    def is_expired(self) -> bool:
        """Return whether the form was validated with a CSRF token that is missing, wrong or too old."""
        return self.meta.csrf_field_name in self.errors


class RowForm(PageForm):
    """A field for each feature, named by its form name, and a CSRF token."""

    @property
    def fields(self) -> list[FeatureField]:
        """The fields of the features, in their order."""
        return [self[feature.form_name] for feature in SCHEMA.features]

    @property
    def wrong_fields(self) -> list[FeatureField]:
        """The fields with errors."""
        return [field for field in self.fields if field.errors]

    @property
    def rows(self) -> Floats:
        """The values that were entered, of shape (1, features)."""
        return np.array([[field.data for field in self.fields]])


for _feature in SCHEMA.features:
    setattr(RowForm, _feature.form_name, FeatureField(_feature))
