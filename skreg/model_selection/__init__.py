"""Choosing the regularisation: searches, paths, networks that tune themselves."""

from skreg.model_selection.bayes import BayesSearchCV
from skreg.model_selection.mlp_classifier_cv import MLPClassifierCV
from skreg.model_selection.mlp_regressor_cv import MLPRegressorCV
from skreg.model_selection.path import RegularizationPath, regularization_path
from skreg.model_selection.simplest import one_standard_error
from skreg.model_selection.space import OffOr, search_space

__all__ = [
    "BayesSearchCV",
    "MLPClassifierCV",
    "MLPRegressorCV",
    "OffOr",
    "RegularizationPath",
    "one_standard_error",
    "regularization_path",
    "search_space",
]
