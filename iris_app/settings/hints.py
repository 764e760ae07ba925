"""Hints for values that are nearly right: what to write instead."""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import inspect

from iris_app.settings.sources import IN_QUOTES, IS_NONE, QUOTED, Environment, Source, convert

WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1", "enabled"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0", "disabled"), False),
    **dict.fromkeys(("none", "null", "nil", ""), None),
}

NUMBER = re.compile(r"([+-]?(?:\d[\d_, ]*)?(?:\.\d+)?(?:e[+-]?\d{1,2})?) *([a-z]*)", re.IGNORECASE)
THOUSANDS = re.compile(r",(?=\d{3}(?:\D|$))")

# The units that people write after a number, by what a setting counts. A byte's are powers of 1024, as in config.py.
UNITS: dict[re.Pattern[str], dict[str, int]] = {
    re.compile("BYTES|SIZE|LENGTH"): {
        f"{letter}{suffix}": 1024**power
        for power, letter in enumerate(("", "k", "m", "g"))
        for suffix in ("", "b", "ib")
    },
    re.compile("SECONDS|TIME|AGE"): {
        **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
        **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
        **dict.fromkeys(("h", "hour", "hours"), 60 * 60),
        **dict.fromkeys(("d", "day", "days"), 24 * 60 * 60),
    },
    re.compile(""): {"k": 1000, "m": 1000_000},
}

# What to write where the value would else be taken as text.
ADVICE = {IN_QUOTES: "it without them", IS_NONE: "null"}

# Errors that do not show how a value is written.
VAGUE = re.compile("`, got `|^Invalid|regex")

# Longer values get no hint of their own.
MAX_LENGTH = 500
MAX_NUMBER_LENGTH = 40


def hint(source: Source, name: str, kind: Any, error: msgspec.ValidationError, *, is_secret: bool) -> str:
    """Return what to write in place of a value that is wrong, or nothing; never a part of a secret."""
    if str(error) in ADVICE:
        return f"; write {ADVICE[str(error)]}"
    choices = _choices(inspect.type_info(kind))
    for value in () if is_secret else _fitting(source.values[name], name, kind, choices):
        if not source.is_quiet or value is None or isinstance(value, bool) or value in choices:
            return f"; write {source.write(value)}"
        break
    general = _general(inspect.type_info(kind), source)
    return f"; write {general}" if general and VAGUE.search(str(error)) else ""


def _fitting(value: object, name: str, kind: Any, choices: Iterable[Any]) -> Iterator[object]:
    """Yield what the value may mean, as far as the setting allows it."""
    for candidate in _candidates(value, name, choices):
        try:
            yield convert(candidate, kind)
        except msgspec.ValidationError:
            continue


def _candidates(value: object, name: str, choices: Iterable[Any]) -> Iterator[object]:
    """Yield what a value may mean, the likeliest first."""
    if isinstance(value, str) and len(value) <= MAX_LENGTH:
        text = value.strip()
        text = text[1:-1].strip() if QUOTED.fullmatch(text) else text
        yield from _readings(text, name, choices) if text.isprintable() else ()
    elif isinstance(value, int):
        yield bool(value)
        yield str(value)
    elif isinstance(value, float) and value.is_integer():
        yield int(value)


def _readings(text: str, name: str, choices: Iterable[Any]) -> Iterator[object]:
    spellings = {str(choice).casefold(): choice for choice in choices}
    yield spellings.get(text.casefold(), text)
    yield _literal(text)
    if text.casefold() in WORDS:
        yield WORDS[text.casefold()]
    yield _number(text, name)
    yield [spellings.get(item.casefold(), item) for item in _items(text)]
    yield text.casefold().removeprefix("sha256:")
    yield text.partition("://")[2].partition("/")[0]
    yield f"/{text}"


def _literal(text: str) -> object:
    """Read a text as Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _number(text: str, name: str) -> object:
    """Read a number as people write it, with separators and units."""
    match = NUMBER.fullmatch(text[:MAX_NUMBER_LENGTH])
    if not match or not any(map(str.isdigit, match[1])):
        return text
    units = next(units for pattern, units in UNITS.items() if pattern.search(name))
    digits = THOUSANDS.sub("", match[1]).replace(",", ".").replace("_", "").replace(" ", "")
    if match[2].lower() not in {"", *units} or digits.count(".") > 1:
        return text
    number = Decimal(digits) * units.get(match[2].lower(), 1)
    return int(number) if number == int(number) else float(number)


def _items(text: str) -> list[str]:
    """Split a list that is written without the brackets or the quotes of JSON."""
    items = [item.strip().strip("'\"") for item in text.strip("[](){}").split(",")]
    return [item for item in items if item]


def _choices(kind: inspect.Type) -> list[Any]:
    """Return the values that a type lists."""
    if isinstance(kind, inspect.Metadata):
        return _choices(kind.type)
    if isinstance(kind, inspect.LiteralType):
        return list(kind.values)
    if isinstance(kind, inspect.UnionType):
        return [choice for member in kind.types for choice in _choices(member)]
    return _choices(kind.item_type) if isinstance(kind, inspect.ListType) else []


def _general(kind: inspect.Type, source: Source) -> str:
    """Return how values of a type are written."""
    if isinstance(kind, inspect.UnionType):
        return ", or ".join(filter(None, (_general(member, source) for member in kind.types)))
    if isinstance(kind, inspect.Metadata):
        return f"text such as {source.write((kind.extra_json_schema or {})['examples'][0])}"
    if isinstance(kind, inspect.LiteralType):
        return "one of " + ", ".join(source.write(value) for value in kind.values)
    language = "JSON" if isinstance(source, Environment) else "Python"
    forms: dict[type[inspect.Type], str] = {
        inspect.BoolType: f"{source.write(True)} or {source.write(False)}",
        inspect.NoneType: source.write(None),
        inspect.IntType: "a whole number in digits, such as 1000",
        inspect.FloatType: "a number in digits, such as 2.5",
        inspect.ListType: f"a list in {language}, such as {source.write(_choices(kind)[:2] or ['one', 'two'])}",
        inspect.DictType: f'an object in {language}, such as {{"name": "value"}}',
    }
    return forms.get(type(kind), "")
