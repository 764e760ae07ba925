"""Shapley values of a prediction's log-odds, for any classifier."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iris_app.schema import Floats

Booleans: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.intp]

# Log-odds are finite because smaller probabilities count as this one: they are at most 27.7, or at least -27.7.
MIN_PROBABILITY = 1e-12

# The most rows that are predicted for an explanation; the most rows and the most values that are predicted at once.
MAX_ROWS = 65_536
CALL_ROWS, CALL_VALUES = 16_384, 2**21

# The most features whose coalitions are listed.
MAX_EXACT_FEATURES = 12

# The fewest pairs of orders that give an estimate with a standard error.
MIN_PAIRS = 8

# The first number of rows that is tried for its time, how often each is tried, and the share of the budget for that:
# the rest is for making the rows, and for rows that take longer than those of the trial.
FIRST_TRIAL, TRIALS, SHARE = 256, 3, 0.7

# Log-odds that differ by less are equal; those of the background that differ by less have no slope.
ROUNDING, FLAT = 1e-12, 1e-9


class ShapleyValues(NamedTuple):
    """The Shapley values of one row.

    Attributes
    ----------
    values : ndarray of shape (features,)
        The contribution of each feature, in log-odds. ``average`` and all values add up to ``log_odds``.
    average : float
        The mean log-odds of the background.
    log_odds : float
        The log-odds of the row.
    error : float
        The largest standard error of a value, or 0 if the values are exact.
    """

    values: Floats
    average: float
    log_odds: float
    error: float


class ShapleyExplainer:
    """Explain predictions of any classifier by Shapley values of the log-odds of one class against another.

    A coalition of features takes its values from the row and all others from a row of the background. Its worth is
    the log-odds of such a row, averaged over the background. The Shapley value of a feature is what it adds to the
    worth of the features before it, averaged over all orders of the features. A feature that the classifier does not
    use gets 0, and features that it uses alike get the same. Probabilities below 1e-12 count as 1e-12.

    Values are exact if at most ``max_rows`` rows have to be predicted for that: 2 ** features for each row of the
    background, or less where the row has values in common with it. Otherwise they are estimated, from orders that are
    drawn at random, each with its reverse and with a row of the background: as many as ``max_rows`` rows allow, but at
    least eight pairs. As the mean log-odds of the background are known, what the drawn rows miss of it is given to the
    features by linear regression. Hence estimates add up, too, and a feature that is not used gets 0.

    An explanation never looks at the clock, and draws the same orders for each row: a row gets the same values however
    busy the machine is. Time matters only when the explainer is made: ``max_rows`` is then the largest power of two
    from 256 to 65,536 whose prediction keeps to the budget, not counting the time that other processes take. Where
    several processes have to agree, give them the ``max_rows`` that one of them has measured.

    Parameters
    ----------
    predict_proba : callable
        Takes rows of shape (n, features) and returns probabilities of shape (n, classes).
    background : ndarray of shape (m, features)
        Rows of the training: 64 of them allow exact values for ten features.
    budget_seconds : float
        The time for an explanation. A classifier that cannot predict 256 rows or eight pairs of orders by then takes
        longer.
    max_rows : int, optional
        The most rows to predict for an explanation; measured if not given.
    """

    def __init__(
        self,
        predict_proba: Callable[[Floats], Floats],
        background: Floats,
        budget_seconds: float = 0.05,
        max_rows: int | None = None,
    ) -> None:
        self._predict_proba = predict_proba
        self._background = background
        self._log_probabilities = self._predict(background)
        self.max_rows = max_rows or self._measure(budget_seconds)

    def explain(self, row: Floats, predicted: int, runner_up: int) -> ShapleyValues:
        """Explain the log-odds of a row's class against the runner-up.

        Parameters
        ----------
        row : ndarray of shape (features,)
        predicted, runner_up : int
            The indices of the classes.
        """
        game = self._game(
            row, lambda log_probabilities: log_probabilities[:, predicted] - log_probabilities[:, runner_up]
        )
        exact = game.exact_rows <= max(self.max_rows, game.fewest_rows)
        return game.solve() if exact else game.estimate(self.max_rows)

    def _game(self, row: Floats, worth: Callable[[Floats], Floats]) -> "_Game":
        """Return the game in which a coalition's worth is a function of logarithms of probabilities."""
        return _Game(row, self._background, worth(self._log_probabilities), lambda rows: worth(self._predict(rows)))

    def _predict(self, rows: Floats) -> Floats:
        """Return the logarithms of the probabilities."""
        return np.log(np.maximum(self._predict_proba(rows), MIN_PROBABILITY))

    def _measure(self, budget: float) -> int:
        """Return the number of rows that are predicted within a budget of seconds."""
        rows = FIRST_TRIAL
        while rows < MAX_ROWS and self._keeps_to(budget, 2 * rows):
            rows *= 2
        return rows

    def _keeps_to(self, budget: float, count: int) -> bool:
        """Check whether a number of rows can be predicted in time, in the best of some trials."""
        taken = np.arange(count * self._background.shape[1]).reshape(count, -1) % 2 == 0
        owners = np.arange(count) % len(self._background)
        game = self._game(self._background[-1], lambda log_probabilities: log_probabilities[:, 0])
        return any(_time(lambda: game.evaluate(taken, owners)) <= SHARE * budget for _ in range(TRIALS))


@dataclass
class _Game:
    """The cooperative game of a row's features against a background.

    Attributes
    ----------
    row : ndarray of shape (features,)
    background : ndarray of shape (m, features)
    worths : ndarray of shape (m,)
        The log-odds of the background's rows.
    log_odds : callable
        Takes rows of shape (n, features) and returns their log-odds, of shape (n,).
    """

    row: Floats
    background: Floats
    worths: Floats
    log_odds: Callable[[Floats], Floats]

    @property
    def average(self) -> float:
        """The worth of no feature at all."""
        return float(self.worths.mean())

    @cached_property
    def differs(self) -> Booleans:
        """True where a value of the background differs from the row's, of shape (m, features)."""
        missing = np.isnan(self.row) & np.isnan(self.background)
        differs: Booleans = (self.row != self.background) & ~missing
        return differs

    @property
    def exact_rows(self) -> float:
        """The number of rows to predict for exact values."""
        listed = len(self.row) <= MAX_EXACT_FEATURES
        return float((2.0 ** self.differs.sum(axis=1)).sum()) if listed else math.inf

    @property
    def fewest_rows(self) -> int:
        """The number of rows to predict for the fewest orders."""
        return 2 * MIN_PAIRS * (len(self.row) - 1)

    def evaluate(self, taken: Booleans, owners: Indices) -> Floats:
        """Return the log-odds of rows that are mixed from the row and the background, in bounded memory.

        Parameters
        ----------
        taken : ndarray of shape (n, features)
            Whether each value is taken from the row.
        owners : ndarray of shape (n,)
            The index of the row of the background that has the other values.
        """
        step = min(CALL_ROWS, max(1, CALL_VALUES // len(self.row)))
        blocks = [slice(start, start + step) for start in range(0, len(owners), step)]
        rows = (np.where(taken[block], self.row, self.background[owners[block]]) for block in blocks)
        return np.concatenate([np.empty(0), *map(self.log_odds, rows)])

    def solve(self) -> ShapleyValues:
        """Return the exact values, from all coalitions; they are bit masks of features."""
        bits = 1 << np.arange(len(self.row))
        coalitions = np.arange(2 ** len(self.row))
        parts = coalitions & (self.differs * bits).sum(axis=1)[:, None]  # what differs alone has an effect
        owners, needed = np.nonzero((parts == coalitions) & (coalitions > 0))
        table = np.empty(parts.shape)
        table[:, 0] = self.worths
        table[owners, needed] = self.evaluate((needed[:, None] & bits) > 0, owners)
        worths = np.take_along_axis(table, parts, axis=1).mean(axis=0)
        return ShapleyValues(_average_marginals(worths, len(self.row)), self.average, float(worths[-1]), 0.0)

    def estimate(self, max_rows: int) -> ShapleyValues:
        """Estimate the values from pairs of orders."""
        generator = np.random.default_rng(0)
        owners = self._draw_owners(int(max_rows / max(2.0, 2 * (self.differs.sum(axis=1).mean() - 1))))
        orders = generator.permuted(np.tile(np.arange(len(self.row)), (len(owners), 1)), axis=1)
        marginals, log_odds = self._marginals(np.vstack([orders, orders[:, ::-1]]), np.tile(owners, 2))
        samples = marginals.reshape(2, len(owners), -1).mean(axis=0)
        totals = log_odds - self.worths[owners]
        values, variances = _regress(samples, totals, log_odds - self.average)
        if len(owners) > len(self.background):  # what the rows of the background differ by is no error then
            repeated = samples.reshape(-1, *self.background.shape)
            variances = repeated.var(axis=0, ddof=1).mean(axis=0)
        return ShapleyValues(values, self.average, log_odds, float(np.sqrt(variances.max() / len(owners))))

    def _draw_owners(self, pairs: int) -> Indices:
        """Return the index of a row of the background for each pair: all equally often, or some of all worths."""
        count = len(self.background)
        if max(pairs, MIN_PAIRS) < count:
            spread: Indices = np.linspace(0, count - 1, max(pairs, MIN_PAIRS)).astype(np.intp)
            return np.argsort(self.worths, kind="stable")[spread]
        return np.tile(np.arange(count), max(pairs, MIN_PAIRS + count - 1) // count)

    def _marginals(self, orders: Indices, owners: Indices) -> tuple[Floats, float]:
        """Return what each feature adds to those before it, and the log-odds of the row.

        Parameters
        ----------
        orders : ndarray of shape (n, features)
            The features in the order in which their values are taken from the row.
        owners : ndarray of shape (n,)
            The index of the row of the background that each begins with.
        """
        ranks = np.argsort(orders, axis=1)
        needed = self.differs[owners[:, None], orders[:, :-1]]  # a step without change needs no prediction
        lines, steps = np.nonzero(needed)
        taken = np.vstack([np.ones((1, len(self.row)), bool), ranks[lines] <= steps[:, None]])
        log_odds, *_ = evaluated = self.evaluate(taken, np.concatenate([[0], owners[lines]]))
        latest = np.maximum.accumulate(np.where(needed, np.cumsum(needed).reshape(needed.shape), 0), axis=1)
        first = self.worths[owners][:, None]
        worths = np.hstack([first, np.where(latest > 0, evaluated[latest], first), np.full_like(first, log_odds)])
        return np.take_along_axis(_differences(worths[:, :-1], worths[:, 1:]), ranks, axis=1), float(log_odds)


def _average_marginals(worths: Floats, features: int) -> Floats:
    """Return the Shapley values of a game, given the worths of all coalitions."""
    weights = np.array([1 / (features * math.comb(features - 1, size)) for size in range(features)])
    sizes = np.bitwise_count(np.arange(len(worths) // 2))  # of the coalitions without any one feature, in their order
    halves = (worths.reshape(-1, 2, 1 << feature).swapaxes(0, 1).reshape(2, -1) for feature in range(features))
    return np.array([weights[sizes] @ _differences(*half) for half in halves])


def _regress(samples: Floats, totals: Floats, mean_total: float) -> tuple[Floats, Floats]:
    """Estimate means by regression on the samples' totals, whose mean is known.

    Parameters
    ----------
    samples : ndarray of shape (n, features)
    totals : ndarray of shape (n,)
        The sums of the samples.
    mean_total : float

    Returns
    -------
    means, variances : ndarray of shape (features,)
        The variances are those of the samples that their totals do not explain.
    """
    means, deviations = samples.mean(axis=0), totals - totals.mean()
    slopes = np.zeros(len(means))
    if np.ptp(totals) > FLAT:
        slopes = deviations @ (samples - means) / (deviations @ deviations)
    residuals = samples - means - deviations[:, None] * slopes
    return means + slopes * (mean_total - totals.mean()), (residuals**2).sum(axis=0) / (len(totals) - 2)


def _differences(before: Floats, after: Floats) -> Floats:
    """Subtract worths; a difference that is due to rounding is 0."""
    differences = after - before
    return np.where(abs(differences) < ROUNDING, 0.0, differences)


def _time(function: Callable[[], object]) -> float:
    """Return the seconds that a call takes, or of computing if these are less: on a busy machine it has to wait."""
    start, start_computing = time.perf_counter(), time.process_time()
    function()
    return min(time.perf_counter() - start, time.process_time() - start_computing)
