"""Regularised neural networks that are scikit-learn estimators."""

import importlib

from skreg.mlp import MLPClassifier, MLPRegressor

__version__ = "0.1.0.dev0"
__all__ = ["ComparisonResult", "MLPClassifier", "MLPRegressor", "compare"]


def __getattr__(name):
    # Comparing is not needed to train, so its imports wait until it is used.
    if name in ("compare", "ComparisonResult"):
        module = importlib.import_module("skreg.compare")
        globals().update({n: getattr(module, n) for n in ("compare", "ComparisonResult")})
        return globals()[name]
    raise AttributeError(f"module 'skreg' has no attribute {name!r}")
