"""The verdict on a row: clear, borderline, or a row that is unlike all that the model was trained on."""

from dataclasses import dataclass
from typing import Literal

from iris_app.formatting import format_count, format_percent, with_article
from iris_app.json_types import Prediction
from iris_app.model.manifest import Training
from iris_app.ui.charts import odds

# The probability of the predicted class below which a verdict is borderline. It is a bound of the calibration's bins.
BORDERLINE = 0.7

# The held-out rows from which their share of right answers says something.
MIN_TESTED = 20

# Words for the certainty of a clear verdict, by the probability of its class.
CONFIDENCE = ((0.99, "almost certainly"), (0.9, "very likely"), (BORDERLINE, "probably"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict in words.

    Attributes
    ----------
    kind : str
    label : str
        The label of the predicted class.
    heading, sentence : str
    record : str
        How often such verdicts were right on held-out rows, or that nobody knows; else empty.
    """

    kind: Literal["clear", "borderline", "unlike"]
    label: str
    heading: str
    sentence: str
    record: str = ""


def make_verdict(training: Training, prediction: Prediction, *, unlike: bool = False) -> Verdict:
    """Describe a prediction and its certainty, with the margin to the runner-up.

    Parameters
    ----------
    training : Training
    prediction : Prediction
    unlike : bool
        Whether the row as a whole is unlike all of the training, so that any answer is a guess.
    """
    schema = training.schema
    ranked = sorted(odds(schema, prediction), key=lambda one: (not one.predicted, -one.probability))
    first, second = ranked[:2]
    shares = f"{format_percent(first.probability)}, against {format_percent(second.probability)} for {second.label}"
    if unlike:
        never = f"The model has never seen {with_article(schema.noun)} like this"
        sentence = f"{never}, so {first.label} is only a guess."
        return Verdict("unlike", first.label, f"Closest match: {first.label}", sentence)
    heading, untested = f"Predicted class: {first.label}", _untested(training)
    if first.probability < BORDERLINE:
        sentence = f"The model is not sure: {first.label} {shares}."
        return Verdict("borderline", first.label, heading, sentence, untested or _record(training))
    certainty = next(words for at_least, words in CONFIDENCE if first.probability >= at_least)
    return Verdict("clear", first.label, heading, f"This is {certainty} {first.label}: {shares}.", untested)


def count_borderline(training: Training) -> tuple[int, int]:
    """Return the number of held-out rows with a borderline verdict, and of those that were right."""
    bins = [found for found in training.scores.calibration if found.high <= BORDERLINE] if training.scores else []
    return sum(found.rows for found in bins), sum(round(found.rows * found.accuracy) for found in bins)


def _record(training: Training) -> str:
    rows, right = count_borderline(training)
    if not rows or not training.scores:
        return ""
    schema = training.schema
    tested = format_count(training.scores.held_out_rows, schema.noun, schema.nouns)
    counted = (
        f"In a test with {tested}, {rows:,} got an answer below {100 * BORDERLINE:.0f} %: {right:,} right and "
        f"{rows - right:,} wrong."
    )
    return counted if rows >= MIN_TESTED else f"{counted} These are too few to say how often such answers are right."


def _untested(training: Training) -> str:
    """Return a sentence for a model without a test."""
    if training.scores:
        return ""
    return (
        f"This model was not tested on {training.schema.nouns} that it had not seen, so its percentages are unproven."
    )
