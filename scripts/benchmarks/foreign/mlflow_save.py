"""Save a pipeline as MLflow serves it: from one path to another."""

import sys

import joblib
import mlflow.sklearn

pipeline, format_ = joblib.load(sys.argv[1]), mlflow.sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE
mlflow.sklearn.save_model(pipeline, sys.argv[2], serialization_format=format_, pyfunc_predict_fn="predict_proba")
