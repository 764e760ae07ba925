"""Write the Shapley values of the shap package for ``shapley_models.py``, to compare ours with.

shap is too large to install it for each test, so its values are kept in ``shap_values.json``. In an environment with
NumPy, msgspec and shap (they were made with shap 0.51.0), from the checkout:

    PYTHONPATH=. python tests/model/explanations/make_shap_values.py > tests/model/shap_values.json
"""

import json
from collections.abc import Callable

import numpy as np
import shap

from tests.model.explanations.shapley_models import MODELS, Floats

found = {}
for name, (predict_proba, background, rows) in MODELS.items():

    def log_odds(batch: Floats, predict_proba: Callable[[Floats], Floats] = predict_proba) -> Floats:
        logarithms: Floats = np.log(predict_proba(batch))
        return logarithms[:, 0] - logarithms[:, 1]

    explainer = shap.ExactExplainer(log_odds, shap.maskers.Independent(background, max_samples=len(background)))
    explanation = explainer(rows, max_evals=2**14)
    found[name] = {"values": explanation.values.tolist(), "averages": explanation.base_values.tolist()}
print(json.dumps(found, indent=1))
