"""The example's rows, and its detector."""

import pytest
from sklearn.datasets import load_iris
from sklearn.model_selection import train_test_split

from iris_app.iris import SCHEMA
from iris_app.model.outlier_detection.detector import OutlierDetector
from iris_app.schema import Floats
from tests.model.outlier_detection.distributions import fit_detector


@pytest.fixture(scope="module")
def irises() -> Floats:
    rows: Floats = load_iris().data
    return rows


@pytest.fixture(scope="module")
def detector(irises: Floats) -> OutlierDetector:
    """The detector of the example, which saw three quarters of the flowers."""
    seen, held_out, classes, _ = train_test_split(irises, load_iris().target, random_state=0)
    return fit_detector(SCHEMA, seen, classes, held_out)[0]
