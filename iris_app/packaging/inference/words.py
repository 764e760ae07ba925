"""Names and words that are made of the names of columns: labels, units, names in forms, titles."""

import re
import unicodedata
from collections.abc import Iterable
from keyword import iskeyword

from iris_app.schema import Class

# Units at the end of a column's name, and how people write them.
UNITS = {
    **{unit: unit for unit in ("mm", "cm", "km", "mg", "kg", "ml", "cl", "dl", "ms", "ha", "bpm", "dB", "ppm")},
    **{unit: unit for unit in ("Hz", "kHz", "MHz", "kW", "kWh", "mV", "kV", "mA", "hPa", "kPa", "kcal", "mmHg", "ft")},
    **{unit: unit for unit in ("lbs", "mph", "rpm", "lb", "oz", "days", "hours", "minutes", "seconds", "weeks")},
    **{unit: unit for unit in ("months", "years", "USD", "EUR", "GBP")},
    "percent": "%",
    "pct": "%",
    "celsius": "°C",
    "degc": "°C",
    "fahrenheit": "°F",
    "degf": "°F",
    "um": "µm",
    "mg dl": "mg/dl",
    "g dl": "g/dl",
    "mmol l": "mmol/l",
    "mg l": "mg/l",
    "g l": "g/l",
    "g cm3": "g/cm³",
    "kg m2": "kg/m²",
    "km h": "km/h",
    "kmh": "km/h",
    "m s": "m/s",
    "ug m3": "µg/m³",
    "sqft": "sq ft",
    "m2": "m²",
    "sqm": "m²",
    "km2": "km²",
    "cm2": "cm²",
    "m3": "m³",
    "cm3": "cm³",
}

# Units of one letter or two meanings, which count only behind a word for what they measure.
AMBIGUOUS = {
    "g": "mass weight",
    "t": "mass weight",
    "m": "length height width depth distance altitude elevation size diameter radius",
    "s": "time duration",
    "min": "time duration",
    "h": "time duration",
    "l": "volume capacity",
    "w": "power",
    "v": "voltage",
    "a": "current",
    "c": "temperature temp",
    "f": "temperature temp",
}
AMBIGUOUS_WRITTEN = {"w": "W", "v": "V", "a": "A", "c": "°C", "f": "°F"}

IN_BRACKETS = re.compile(r"\A(.*\S)\s*[(\[]\s*([^()\[\]]{1,20}?)\s*[)\]]")
CAMEL_CASE = re.compile(r"(?<=[a-z])([A-Z])(?=[a-z])")
SEPARATORS = re.compile(r"[\s_.\-]+")

# What the fields of a form may not be called: these are the form's own.
OWN_FIELDS = frozenset(
    {"csrf_token", "data", "errors", "fields", "form_errors", "hidden_tag", "is_expired", "is_submitted", "meta"}
    | {"populate_obj", "post_process", "process", "rows", "submit", "validate", "wrong_fields"}
)

MAX_LABEL = 200


def split_unit(name: str) -> tuple[str, str]:
    """Return the name of a column without the unit at its end, and the unit, which may be empty."""
    if match := IN_BRACKETS.fullmatch(name):
        return match[1], _write_unit(match[2])
    words = SEPARATORS.sub(" ", name).strip().split(" ")
    for count in (2, 1):
        unit = _find_unit(words[:-count], " ".join(words[-count:]))
        if len(words) > count and unit:
            return " ".join(words[:-count]), unit
    return name, ""


def _find_unit(words: list[str], ending: str) -> str:
    """Return the unit that the ending of a name means behind the words before it; empty if it means none."""
    folded = ending.casefold()
    if hints := AMBIGUOUS.get(folded):
        measured = {word.casefold() for word in words} & set(hints.split())
        return AMBIGUOUS_WRITTEN.get(folded, folded) if measured else ""
    return FOLDED_UNITS.get(folded, "")


def _write_unit(text: str) -> str:
    return FOLDED_UNITS.get(SEPARATORS.sub(" ", text).casefold(), text)


FOLDED_UNITS = {unit.casefold(): written for unit, written in UNITS.items()}


def make_label(name: str) -> str:
    """Make the name of a column or class readable: ``bill_length`` becomes "Bill length"."""
    words = SEPARATORS.sub(" ", _split_camel_case(name)).strip() or name.strip() or name
    first = words.split(" ", 1)[0]
    return (words if any(map(str.isupper, first[1:])) else words[:1].upper() + words[1:])[:MAX_LABEL]


def _split_camel_case(name: str) -> str:
    return CAMEL_CASE.sub(lambda match: f" {match[1].lower()}", name)


def make_class_label(value: str | int | bool) -> str:
    """Return the label of a class: yes or no for a boolean."""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    return make_label(value) if isinstance(value, str) else str(value)


def make_form_names(names: Iterable[str]) -> list[str]:
    """Return a name of ASCII letters, digits and underscores for each feature, all different."""
    found: list[str] = []
    for index, name in enumerate(names):
        base = _to_ascii(name) or f"value_{index + 1}"
        if base in OWN_FIELDS or iskeyword(base) or not base[0].isalpha() or base.startswith("validate"):
            base = f"value_{base}"
        found.append(next(one for one in _numbered(base) if one not in found))
    return found


def _to_ascii(name: str) -> str:
    letters = unicodedata.normalize("NFKD", _split_camel_case(name)).encode("ascii", "ignore").decode()
    return re.sub(r"\W+", "_", letters).strip("_").lower()[:60]


def _numbered(base: str) -> Iterable[str]:
    yield base
    yield from (f"{base}_{number}" for number in range(2, 10_000))


def make_plural(word: str) -> str:
    """Return the plural of an English noun, as its spelling suggests."""
    if word.endswith(("series", "species")):
        return word
    if word.endswith("sis"):
        return f"{word[:-2]}es"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}es" if re.search(r"(s|x|z|ch|sh)$", word) else f"{word}s"


def make_name(text: str) -> str:
    """Return a model's name: the text without what a name in an address may not have."""
    return re.sub(r"[^\w.-]+", "-", text).strip("-.")[:100] or "model"


def make_heading(target: str, classes: Iterable[Class]) -> tuple[str, str]:
    """Return the title of the pages and the question above the form."""
    label = make_label(target)
    if all(isinstance(class_.value, bool) or class_.value in {0, 1} for class_ in classes):
        return f"{label}?", f"{label}: yes or no?"
    words = label if label.isupper() else label[:1].lower() + label[1:]
    return f"Which {words}?", f"Which {words} is it?"
