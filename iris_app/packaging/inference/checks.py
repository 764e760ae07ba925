"""The reasons that keep a classifier from being served, whatever table it was trained on."""

import io
import pickle
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from iris_app.packaging.inference.pipelines import unwrap

# A program that prints those of its arguments that are no modules.
FIND_MODULES = "import importlib.util as util, sys; print(*(name for name in sys.argv[1:] if not util.find_spec(name)))"

# Modules that a server has anyway.
OWN_MODULES = frozenset({"sklearn", "numpy", "scipy", "joblib", "pandas"})

PROBABILITY_HINTS = {
    "LinearSVC": "wrap it in CalibratedClassifierCV",
    "SVC": "wrap it in CalibratedClassifierCV",
    "NuSVC": "wrap it in CalibratedClassifierCV",
    "RidgeClassifier": "use LogisticRegression, or wrap it in CalibratedClassifierCV",
    "SGDClassifier": 'train it with loss="log_loss"',
    "Perceptron": "use LogisticRegression, or wrap it in CalibratedClassifierCV",
    "VotingClassifier": 'train it with voting="soft"',
}


def find_problems(classifier: Any) -> Iterator[str]:
    """Yield what keeps a classifier from being served, and what to do about it."""
    name = type(classifier).__name__
    if not isinstance(classifier, BaseEstimator):
        yield (
            f"The file holds an object of the type {name}, and not a classifier of scikit-learn. Save the fitted "
            "classifier or Pipeline alone."
        )
        return
    if not is_classifier(classifier):
        yield f"{_answering(classifier)} is no classifier. Only classifiers can be served."
        return
    if not _is_fitted(classifier):
        yield f"{name} is not fitted. Call fit before you save it."
        return
    yield from _find_output_problems(classifier)
    if not hasattr(classifier, "predict_proba"):
        answering = _answering(classifier)
        hint = PROBABILITY_HINTS.get(answering, "wrap it in CalibratedClassifierCV")
        yield f"{answering} gives no probabilities (it has no predict_proba): {hint}, and train again."
    yield from _find_import_problems(classifier)


def _answering(classifier: Any) -> str:
    *_, last = unwrap(classifier)
    return type(last).__name__


def _is_fitted(classifier: Any) -> bool:
    try:
        check_is_fitted(classifier)
    except NotFittedError:
        return False
    return hasattr(classifier, "classes_")


def _find_output_problems(classifier: Any) -> Iterator[str]:
    classes = classifier.classes_
    if isinstance(classes, list) or np.ndim(classes) != 1 or getattr(classifier, "multilabel_", False):
        yield f"{_answering(classifier)} predicts several outputs at once. Train a classifier for each of them."
    elif len(classes) < 2:
        yield f"{_answering(classifier)} knows a single class, {classes[0]!r}. Train it on rows of two classes or more."


def _find_import_problems(classifier: Any) -> Iterator[str]:
    try:
        found = _find_parts(classifier)
    except Exception as error:
        yield f"The classifier cannot be saved: {error}. Put functions and classes of your own into a module."
        return
    missing = _not_importable({module.partition(".")[0] for module, _ in found})
    for module, name in sorted(found):
        if module.partition(".")[0] in missing:
            yield (
                f"{_find_step(classifier, module, name)}uses {name} of the module {module}, which no installed package "
                "brings. Install it here, and where it serves, as a package, and train again."
            )


def _find_parts(classifier: Any) -> set[tuple[str, str]]:
    """Return the modules and names of the classes and functions in a classifier, but for usual ones."""
    finder = _PartFinder(io.BytesIO(), protocol=pickle.HIGHEST_PROTOCOL)
    finder.dump(classifier)
    return {
        (module, name)
        for module, name in finder.parts
        if (top := module.partition(".")[0]) not in OWN_MODULES and top not in sys.stdlib_module_names
    } | {(module, name) for module, name in finder.parts if module == "__main__"}


class _PartFinder(pickle.Pickler):
    """Note the classes and functions that are pickled by their names."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parts: set[tuple[str, str]] = set()

    def persistent_id(self, obj: Any) -> None:
        """Note an object, and let it be pickled as usual."""
        name = getattr(obj, "__qualname__", None)  # instances have none
        if isinstance(name, str):
            self.parts.add((str(getattr(obj, "__module__", None) or "builtins"), name))


def _not_importable(modules: set[str]) -> set[str]:
    """Return the modules that a new interpreter does not find, which knows neither this folder nor this script."""
    if not modules:
        return set()
    found = subprocess.run(  # noqa: S603 -- our own interpreter
        [sys.executable, "-I", "-c", FIND_MODULES, *sorted(modules - {"__main__"})],
        capture_output=True,
        text=True,
        check=True,
        cwd="/",
    )
    return set(found.stdout.split()) | (modules & {"__main__"})


def _find_step(classifier: Any, module: str, name: str) -> str:
    """Name the step of a pipeline that a class or function belongs to."""
    for path, value in classifier.get_params(deep=True).items():
        named = value if isinstance(value, FunctionType) else type(value)
        if (named.__module__, named.__qualname__) == (module, name):
            return f'Step "{path.replace("__", ".")}" '
    return "The classifier "


_find_distributions = cache(packages_distributions)


def find_packages(classifier: Any, *, takes_frames: bool) -> list[str]:
    """Return the packages that a classifier needs beside those that every server has."""
    distributions = _find_distributions()
    modules = {module.partition(".")[0] for module, _ in _find_parts(classifier)}
    names = {distributions[module][0] for module in modules if module in distributions}
    return sorted(names | ({"pandas"} if takes_frames else set()))
