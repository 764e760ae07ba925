"""Load the classifier that is to be packaged."""

import warnings
from pathlib import Path
from typing import Any

import joblib
from sklearn.exceptions import InconsistentVersionWarning

from iris_app.exceptions import PackagingRefused
from iris_app.packaging.inference import checks
from iris_app.packaging.inference.infer import refuse


def load_classifier(path: Path) -> Any:
    """Unpickle and check a classifier; this runs code that the file names.

    Raises
    ------
    PackagingRefused
        If it cannot be unpickled here, or served.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            classifier = joblib.load(path)
    except InconsistentVersionWarning as warning:
        raise PackagingRefused(
            f"{path} was saved by scikit-learn {warning.original_sklearn_version}, and this is "
            f"{warning.current_sklearn_version}. Train it again with this version, or install that one here."
        ) from warning
    except OSError as error:
        raise PackagingRefused(f"{path} cannot be read: {error.strerror or error}.") from error
    except ModuleNotFoundError as error:
        raise PackagingRefused(
            f"{path} needs the package {error.name}, which is not installed. Install it here, and where it serves."
        ) from error
    except AttributeError as error:
        raise PackagingRefused(
            f"{path} needs what is not found here: {error}. Put classes and functions of your own into a package "
            "that is installed here, and where it serves, and train again."
        ) from error
    except Exception as error:
        raise PackagingRefused(f"{path} is no classifier that joblib.dump saved whole: {error!r}.") from error
    refuse(checks.find_problems(classifier))
    return classifier
