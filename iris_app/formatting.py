"""Numbers as people write and read them."""

import math
import sys

LARGEST = sys.float_info.max


def parse_number(text: str) -> float:
    """Read a number in the usual notations; return NaN where there is none."""
    try:
        return math.nan if "_" in text else float(text)  # Python would read 1_0 as 10
    except ValueError:
        return math.nan


def format_number(value: float) -> str:
    """Write a number as short as it can be without becoming another one."""
    if not -LARGEST <= value <= LARGEST:
        return "NaN" if value != value else "a number beyond all bounds"
    return repr(value).removesuffix(".0")


def format_percent(probability: float) -> str:
    """Write a probability in percent, never rounded to a certainty."""
    if probability < 0.001:
        return "< 0.1 %"
    if probability > 0.999:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def truncate(text: str, length: int = 40) -> str:
    """Cut a text that a client sent to the length at which an error repeats it."""
    return text if len(text) <= length else f"{text[:length]}…"
