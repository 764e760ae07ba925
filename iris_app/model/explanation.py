"""Why a linear model takes a flower for its species, in numbers and in a sentence."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number
from iris_app.iris import SCHEMA
from iris_app.json_types import Contributions, Explanation
from iris_app.model.manifest import Manifest
from iris_app.schema import Feature

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# In standard deviations of a species: a value within the first is usual for it, and beyond the second far off.
USUAL, FAR = 2.0, 4.0


class Explainer:
    """Explain the answers of one linear model.

    Parameters
    ----------
    weights : ndarray of shape (species, features)
        What a unit of each feature adds to the log-odds of each species.
    intercepts : ndarray of shape (species,)
        In log-odds.
    manifest : Manifest
        What the model was trained on.
    """

    def __init__(self, weights: Floats, intercepts: Floats, manifest: Manifest) -> None:
        self._weights = weights
        self._intercepts = intercepts
        self._average = np.array([summary.mean for summary in manifest.features])
        flowers = np.array([flower.measurement for flower in manifest.flowers])
        species = np.array([flower.species for flower in manifest.flowers])
        groups = [flowers[species == index] for index in range(len(SCHEMA.class_names))]
        self._means = np.array([group.mean(axis=0) for group in groups])
        self._spreads = np.array([group.std(axis=0, ddof=1) for group in groups])

    def explain(self, measurements: Floats, scores: Floats) -> Iterator[Explanation]:
        """Explain, for each flower, its species against the next likely one.

        Parameters
        ----------
        measurements : ndarray of shape (n, features)
            In the features' units.
        scores : ndarray of shape (n, species)
            The log-odds that the model gives.
        """
        runners_up, species = np.argsort(scores, axis=1)[:, -2:].T
        weights = self._weights[species] - self._weights[runners_up]
        average = weights @ self._average + self._intercepts[species] - self._intercepts[runners_up]
        contributions = weights * (measurements - self._average)
        log_odds = contributions.sum(axis=1) + average
        for row, index in enumerate(species.tolist()):
            runner_up = int(runners_up[row])
            yield Explanation(
                SCHEMA.class_names[runner_up],
                float(log_odds[row]),
                float(average[row]),
                Contributions(*contributions[row].tolist()),
                self._sentence(measurements[row], contributions[row], index, runner_up),
            )

    def _sentence(self, measurement: Floats, contributions: Floats, species: int, runner_up: int) -> str:
        """Tell the largest contribution of a value that lies nearer to the species than to the runner-up."""
        own, other = ((measurement - self._means[index]) / self._spreads[index] for index in (species, runner_up))
        places = np.flatnonzero((contributions > 0) & (abs(own) < abs(other)))
        if not len(places):
            return f"No measurement alone speaks for {SCHEMA.class_names[species]}; all of them together do."
        place = int(places[contributions[places].argmax()])
        feature, name, next_name = SCHEMA.features[place], SCHEMA.class_names[species], SCHEMA.class_names[runner_up]
        fit, next_fit = _fit(own[place], feature), _fit(other[place], feature)
        how = f"{fit} for {name}, {next_fit} for {next_name}"
        if fit == next_fit:
            mean, next_mean = (f"{self._means[index, place]:.1f} {feature.unit}" for index in (species, runner_up))
            how = f"nearer to the {mean} that are usual for {name} than to {next_name}'s {next_mean}"
        return f"Mostly because of the {feature.label.lower()}, {format_number(float(measurement[place]))} {feature.unit}: {how}."


def _fit(deviation: float, feature: Feature) -> str:
    """Say how a value fits a species, by how many standard deviations it is off the species' mean."""
    if abs(deviation) <= USUAL:
        return "typical"
    off = feature.less if deviation < 0 else feature.more
    return f"{'far ' if abs(deviation) > FAR else ''}too {off}"
