"""The networks as scikit-learn estimators."""

from skreg.estimators.cnn import CNNClassifier, CNNRegressor
from skreg.estimators.mlp import MLPClassifier, MLPRegressor

__all__ = ["CNNClassifier", "CNNRegressor", "MLPClassifier", "MLPRegressor"]
