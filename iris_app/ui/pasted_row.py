"""A whole row that was entered in one field of a form."""

import math
from collections.abc import Iterator

from werkzeug.datastructures import MultiDict

from iris_app.schema import UNKNOWN, UNREADABLE, Feature, Schema

# The separators of values, the surest first; None is any white space.
SEPARATORS = ("\t", ";", "|", "\n", ",", None)

# The characters around a row that are none of its values, as in JSON.
BRACKETS = "{}[]() \t\r\n"


def spread_row(schema: Schema, sent: "MultiDict[str, str]") -> "MultiDict[str, str]":
    """Return what a form sent; if one field has the values of all and the others are empty, each in its own field."""
    filled = [feature for feature in schema.features if sent.get(feature.form_name, "").strip()]
    if len(filled) != 1 or len(schema.features) == 1 or _is_value(filled[0], sent[filled[0].form_name]):
        return sent
    row = next(filter(None, _find_rows(schema, sent[filled[0].form_name])), None)
    if row is None:
        return sent
    spread = MultiDict(sent)
    for feature, text in zip(schema.features, row, strict=True):
        spread[feature.form_name] = text
    return spread


def _find_rows(schema: Schema, text: str) -> Iterator[list[str] | None]:
    """Yield the rows that a text may be: values in their order, beside their names, or below them."""
    text = text.strip(BRACKETS)
    most = 2 * len(schema.features) + 1
    lines = text.split("\n", 2)
    for separator in SEPARATORS:
        parts = _split(text, separator, most)
        yield _in_order(schema, parts)
        yield _by_name(schema, [part.replace("=", ":").partition(":")[::2] for part in parts])
        if len(lines) == 2:
            names, values = (_split(line, separator, most) for line in lines)
            yield _by_name(schema, list(zip(names, values, strict=False)))


def _in_order(schema: Schema, parts: list[str]) -> list[str] | None:
    """Return values that are those of the features; the name of a class may be behind them."""
    count = len(schema.features)
    if len(parts) == count + 1 and schema.match_class(parts[-1]):
        parts = parts[:-1]
    values = list(map(_unquote, parts))
    return values if len(values) == count and all(map(_is_value, schema.features, values)) else None


def _by_name(schema: Schema, pairs: list[tuple[str, str]]) -> list[str] | None:
    """Return the values of the features, by their names."""
    found = {feature.name: value for name, value in pairs if (feature := schema.match_feature(_unquote(name)))}
    return _in_order(schema, [found.get(feature.name, "") for feature in schema.features])


def _split(text: str, separator: str | None, most: int) -> list[str]:
    return [part.strip().rstrip(",;") for part in text.split(separator, most)]


def _unquote(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def _is_value(feature: Feature, text: str) -> bool:
    """Check whether a text is a value of a feature, which may be out of bounds."""
    value = feature.read_text(text)
    if math.isnan(value):
        return feature.optional
    return value != UNREADABLE and not (feature.kind == "category" and value == UNKNOWN)
