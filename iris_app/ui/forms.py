"""The form of one row, with a field per feature, made from a schema."""

import hashlib
import math
import re
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
import numpy as np
from flask import current_app
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import HiddenField, StringField, ValidationError
from wtforms.form import BaseForm

from iris_app.formatting import truncate
from iris_app.schema import UNKNOWN, UNREADABLE, Feature, Floats, Schema
from iris_app.ui.pasted_row import spread_row

# The categories up to which a field is a list to choose from; of more, the field suggests those that fit what is typed.
MAX_CHOICES = 100

# The fields up to which a form is one column.
MAX_COLUMN = 12

# The names of the form's own fields; underscores follow where a feature has the name.
CSRF_TOKEN, DIGEST = OWN_NAMES = ("csrf_token", "schema")

# A number that is written with decimals, whose last zeros say how exact it is.
DECIMALS = re.compile(r"\A[+-]?[0-9]{0,15}[.,][0-9]{1,15}")

# The names that a message about another model lists.
MAX_NAMES = 10


class FeatureField(StringField):
    """A field for the value of a feature.

    Its text is read as in CSV: numbers with a decimal point or comma, with or without the unit.
    """

    def __init__(self, feature: Feature, **kwargs: Any) -> None:
        super().__init__(feature.label, description=feature.help, **kwargs)
        self.feature = feature

    @property
    def text(self) -> str:
        """The text that was entered."""
        return self.data or ""

    @property
    def value(self) -> float:
        """The value that was entered, as rows encode it."""
        return self.feature.read_text(self.text)

    @property
    def is_known(self) -> bool:
        """Return whether the text is a value, though it may be missing or out of bounds."""
        unknown = self.feature.kind == "category" and self.value == UNKNOWN
        return not unknown and self.value != UNREADABLE

    @property
    def formatted(self) -> str:
        """The text of the value: its decimals as they were entered, and else the shortest one."""
        written = DECIMALS.match(self.text.strip()) if self.feature.kind == "number" else None
        number = written[0].replace(",", ".") if written else ""
        if number and float(number) == self.value:
            return number
        return self.feature.format(self.value) if self.is_known else self.text

    @property
    def reading_error(self) -> float | None:
        """Half of the last digit of a number that was entered, by which it may be wrong; None for other values."""
        if self.feature.kind != "number" or not math.isfinite(self.value):
            return None
        exponent = Decimal(self.formatted).as_tuple().exponent
        return float(Decimal((0, (5,), int(exponent) - 1)))

    @property
    def described(self) -> str:
        """The value as people read it, with its unit."""
        if math.isnan(self.value):
            return "Not known"
        if self.feature.kind == "boolean":
            return "Yes" if self.value else "No"
        return self.feature.with_unit(self.formatted)

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The texts to choose from and their labels; none where the value is typed."""
        choices = self._choices()
        if not choices:
            return []
        missing = [] if "" in dict(choices) else [("", "Not known" if self.feature.optional else "Choose…")]
        unknown = [] if self.is_known else [(self.text, truncate(self.text))]
        return [*missing, *choices, *unknown]

    @property
    def suggestions(self) -> list[str]:
        """The categories that are suggested while the value is typed."""
        categories = self.feature.categories
        return list(map(str, categories)) if len(categories) > MAX_CHOICES else []

    @property
    def inputmode(self) -> str:
        """The keyboard of a phone for the value; those for numbers may lack a minus sign."""
        if not self.feature.is_numeric or self.feature.limits[0] < 0:
            return "text"
        return "numeric" if self.feature.kind == "integer" else "decimal"

    def pre_validate(self, form: BaseForm) -> None:  # noqa: ARG002 -- WTForms passes it
        """Raise a ``ValidationError`` if the value is not accepted."""
        error = self.feature.validate_text(self.text)
        if error and self.feature.kind == "boolean" and not self.is_known:  # the words of JSON are not on the page
            error = f'{self.feature.label} must be Yes or No, not "{truncate(self.text.strip())}".'
        if error:
            raise ValidationError(f"{error} {self._advice()}" if error == self.feature.missing else error)

    def _choices(self) -> list[tuple[str, str]]:
        if self.feature.kind == "boolean":
            return [("true", "Yes"), ("false", "No")]
        if self.suggestions:
            return []
        return [(str(category), str(category) or "(empty)") for category in self.feature.categories]

    def _advice(self) -> str:
        if self._choices():
            return "Choose a value."
        return f"Enter {self.feature.expected}." if self.feature.is_numeric else "Enter a value."


class PageForm(FlaskForm):  # type: ignore[misc] # Flask-WTF has no types
    """A form with a CSRF token, unless WTF_CSRF_ENABLED is off."""

    @property
    def is_expired(self) -> bool:
        """Return whether the form was validated with a CSRF token that is missing, wrong or too old."""
        return self.meta.csrf_field_name in self.errors


class RowForm(PageForm):
    """A field for each feature, the digest of what the form asks for, and a CSRF token.

    ``schema.derive(make_row_form)`` makes a schema's own. The attributes of the fields are called f0, f1 and so on; in
    HTML the fields have the form names of the features, which may be anything.
    """

    schema: ClassVar[Schema]
    current_digest: ClassVar[str]
    digest: HiddenField

    def __init__(self, sent: "MultiDict[str, str]") -> None:
        super().__init__(spread_row(self.schema, sent))
        self._sent_names = list(sent)
        self._sent_digest = self.digest.data
        self.digest.data = self.current_digest

    @property
    def fields(self) -> list[FeatureField]:
        """The fields of the features, in their order."""
        return [self[f"f{index}"] for index in range(len(self.schema.features))]

    @property
    def wrong_fields(self) -> list[FeatureField]:
        """The fields with errors."""
        return [field for field in self.fields if field.errors]

    @property
    def rows(self) -> Floats:
        """The values that were entered, of shape (1, features)."""
        return np.array([[field.value for field in self.fields]])

    @property
    def texts(self) -> dict[str, str]:
        """The texts that were entered, by the names of the fields."""
        return {field.name: field.text for field in self.fields}

    @property
    def is_readable(self) -> bool:
        """Return whether every value that is wrong is a number that is out of bounds."""
        return all(field.feature.is_numeric and math.isfinite(field.value) for field in self.wrong_fields)

    def texts_of(self, row: Sequence[float]) -> dict[str, str]:
        """Return the texts of a row by the names of the fields, as they were entered where the values are the same."""
        return {
            field.name: field.feature.format(value) if value != field.value and not math.isnan(value) else field.text
            for field, value in zip(self.fields, row, strict=True)
        }

    @property
    def is_long(self) -> bool:
        """Return whether there are so many fields that the page needs all of its width for them."""
        return len(self.schema.features) > MAX_COLUMN

    @property
    def is_outdated(self) -> bool:
        """Return whether the form that was sent asked for something else than this one does."""
        return bool(self._sent_digest) and self._sent_digest != self.current_digest

    @property
    def new(self) -> list[str]:
        """The labels of the first fields that were not sent."""
        return [field.feature.label for field in self.fields if not field.raw_data][:MAX_NAMES]

    @property
    def gone(self) -> list[str]:
        """The first names that were sent and that no field has."""
        names = {field.name for field in self}
        return [truncate(name) for name in self._sent_names if name not in names][:MAX_NAMES]

    def validate_values(self) -> None:
        """Validate the fields of the features alone, for a link has no CSRF token."""
        for field in self.fields:
            field.validate(self)

    def clear_wrong_fields(self) -> None:
        """Clear the fields whose values are not accepted, and their errors."""
        for field in self.wrong_fields:
            field.data, field.errors = "", []


def make_row_form(schema: Schema) -> type[RowForm]:
    """Make the form of a schema's rows."""
    names = [feature.form_name for feature in schema.features]
    asked = [(feature.form_name, feature.label, feature.kind, feature.unit) for feature in schema.features]

    class SchemaForm(RowForm):
        class Meta:
            @property
            def csrf_field_name(self) -> str:
                return _free_name(current_app.config.get("WTF_CSRF_FIELD_NAME", CSRF_TOKEN), names)

        digest = HiddenField(name=_free_name(DIGEST, names), render_kw={"data-digest": ""})

    SchemaForm.schema = schema
    SchemaForm.current_digest = hashlib.sha256(msgspec.json.encode(asked)).hexdigest()[:12]
    for index, feature in enumerate(schema.features):
        setattr(SchemaForm, f"f{index}", FeatureField(feature, name=feature.form_name, id=f"f{index}"))
    return SchemaForm


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name that no feature has."""
    while name in taken:
        name += "_"
    return name
