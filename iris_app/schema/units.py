"""Units of measurement, and exact conversions between those of one dimension."""

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import NamedTuple


class Unit(NamedTuple):
    """A unit of a dimension.

    Attributes
    ----------
    symbol, plural : str
    size, zero : Fraction
        The size of the unit, and the place of its zero, in the base unit of the dimension.
    spellings : tuple of str
        Other names of it.
    smaller : str
        The symbol of the unit in which values are given by mistake.
    """

    symbol: str
    plural: str
    size: Fraction
    zero: Fraction
    spellings: tuple[str, ...]
    smaller: str


class Conversion(NamedTuple):
    """The conversion of numbers in a unit to numbers in another, or in the same."""

    unit: Unit
    scale: Fraction
    shift: Fraction

    def convert(self, number: float) -> float:
        """Convert a number as the decimal that it is written as, and return the float nearest to the exact result."""
        if (self.scale == 1 and not self.shift) or not math.isfinite(number):
            return number
        try:
            return float(Fraction(repr(number)) * self.scale + self.shift)
        except OverflowError:
            return math.copysign(math.inf, number)


def _unit(
    symbol: str, plural: str, size: str, *spellings: str, times: str = "1", zero: str = "0", smaller: str = ""
) -> Unit:
    """Return a unit that is ``size`` times ``times`` of the base unit."""
    return Unit(symbol, plural, Fraction(size) * Fraction(times), Fraction(zero), spellings, smaller)


DIMENSIONS = (
    (
        _unit("µm", "micrometres", "1e-6", "um"),
        _unit("mm", "millimetres", "1e-3"),
        _unit("cm", "centimetres", "1e-2", smaller="mm"),
        _unit("m", "metres", "1", smaller="cm"),
        _unit("km", "kilometres", "1e3", smaller="m"),
        _unit("in", "inches", "0.0254", "inch", '"', "″"),
        _unit("ft", "feet", "0.3048", "foot"),
        _unit("yd", "yards", "0.9144"),
        _unit("mi", "miles", "1609.344"),
    ),
    (
        _unit("mm²", "square millimetres", "1e-6", "mm2"),
        _unit("cm²", "square centimetres", "1e-4", "cm2", smaller="mm²"),
        _unit("m²", "square metres", "1", "m2", "sqm", smaller="cm²"),
        _unit("ha", "hectares", "1e4", smaller="m²"),
        _unit("km²", "square kilometres", "1e6", "km2", smaller="ha"),
        _unit("ft²", "square feet", "0.09290304", "ft2", "sqft", "sq ft"),
    ),
    (
        _unit("µg", "micrograms", "1e-6", "ug", "mcg"),
        _unit("mg", "milligrams", "1e-3", smaller="µg"),
        _unit("g", "grams", "1", "gr", smaller="mg"),
        _unit("kg", "kilograms", "1e3", "kilo", "kilos", smaller="g"),
        _unit("t", "tonnes", "1e6", smaller="kg"),
        _unit("oz", "ounces", "28.349523125"),
        _unit("lb", "pounds", "453.59237", "lbs"),
    ),
    (
        _unit("µl", "microlitres", "1e-6", "ul"),
        _unit("ml", "millilitres", "1e-3", smaller="µl"),
        _unit("cl", "centilitres", "1e-2", smaller="ml"),
        _unit("dl", "decilitres", "1e-1", smaller="ml"),
        _unit("l", "litres", "1", smaller="ml"),
        _unit("m³", "cubic metres", "1e3", "m3", smaller="l"),
    ),
    (
        _unit("µs", "microseconds", "1e-6", "us"),
        _unit("ms", "milliseconds", "1e-3", "msec", smaller="µs"),
        _unit("s", "seconds", "1", "sec", "secs", smaller="ms"),
        _unit("min", "minutes", "60", "mins", smaller="s"),
        _unit("h", "hours", "3600", "hr", "hrs", smaller="min"),
        _unit("d", "days", "86400", smaller="h"),
        _unit("wk", "weeks", "604800", "wks", smaller="d"),
    ),
    (
        _unit("mo", "months", "1", "mos"),
        _unit("yr", "years", "12", "y", "yrs"),
    ),
    (
        _unit("K", "kelvins", "1"),
        _unit("°C", "degrees Celsius", "1", "C", "celsius", "degC", "deg C", zero="273.15"),
        _unit("°F", "degrees Fahrenheit", "5/9", "F", "fahrenheit", "degF", "deg F", zero="45967/180"),
    ),
    (
        _unit("‰", "per mille", "1e-3", "permille"),
        _unit("%", "per cent", "1e-2", "percent", "pct"),
    ),
    (
        _unit("Pa", "pascals", "1"),
        _unit("hPa", "hectopascals", "1e2", "mbar"),
        _unit("kPa", "kilopascals", "1e3"),
        _unit("bar", "bars", "1e5", smaller="hPa"),
        _unit("mmHg", "millimetres of mercury", "133.322387415", "mm Hg"),
        _unit("psi", "pounds per square inch", "6894.757293168"),
    ),
    (
        _unit("µV", "microvolts", "1e-6", "uV"),
        _unit("mV", "millivolts", "1e-3", smaller="µV"),
        _unit("V", "volts", "1", smaller="mV"),
        _unit("kV", "kilovolts", "1e3", smaller="V"),
        _unit("MV", "megavolts", "1e6", smaller="kV"),
    ),
    (
        _unit("m/s", "metres per second", "1", "mps"),
        _unit("km/h", "kilometres per hour", "1", "kph", "kmh", times="5/18"),
        _unit("mph", "miles per hour", "0.44704"),
        _unit("kn", "knots", "1852", "kt", times="1/3600"),
    ),
)


def find_conversions(symbol: str) -> dict[str, Conversion]:
    """Return the conversions to a unit from all of its dimension, by their exact spellings and those in lower case.

    Letters of another case are accepted where they mean one unit only. A unit that is not known has its own alone.
    """
    target, dimension = _find(symbol)
    conversions = [_conversion(unit, target) for unit in dimension]
    exact = {spelling: one for one in conversions for spelling in _spellings(one.unit)} | {
        symbol: _conversion(target, target)
    }
    folded: dict[str, set[Conversion]] = {}
    for spelling, conversion in exact.items():
        folded.setdefault(spelling.casefold(), set()).add(conversion)
    return {spelling: found for spelling, (found, *others) in folded.items() if not others} | exact


def find_smaller(symbol: str) -> Conversion | None:
    """Return the conversion to a unit from the one in which its values are given by mistake, if one is known."""
    target, dimension = _find(symbol)
    return next((_conversion(unit, target) for unit in dimension if unit.symbol == target.smaller), None)


def read_with_unit(text: str, conversions: Mapping[str, Conversion]) -> Iterator[tuple[str, Conversion]]:
    """Yield the ways to read a text as a number's and a unit's: the one before the other, and the conversion."""
    for length in sorted(set(map(len, conversions)), reverse=True):
        tail = text[-length:]
        if conversion := conversions.get(tail) or conversions.get(tail.casefold()):
            yield text[:-length].rstrip(), conversion


def _find(symbol: str) -> tuple[Unit, tuple[Unit, ...]]:
    """Return a unit and its dimension; of one that is not known, it is the only one."""
    for spell in (str, str.casefold):
        found = [
            (unit, dimension)
            for dimension in DIMENSIONS
            for unit in dimension
            if spell(symbol) in map(spell, _spellings(unit))
        ]
        if len(found) == 1:
            return found[0]
    unknown = _unit(symbol, symbol, "1")
    return unknown, (unknown,)


def _spellings(unit: Unit) -> list[str]:
    """Return all names of a unit: British and American, singular and plural."""
    plurals = {unit.plural, unit.plural.replace("metre", "meter").replace("litre", "liter")}
    return [unit.symbol, *unit.spellings, *plurals, *(plural.removesuffix("s") for plural in plurals)]


def _conversion(unit: Unit, target: Unit) -> Conversion:
    return Conversion(unit, unit.size / target.size, (unit.zero - target.zero) / target.size)
