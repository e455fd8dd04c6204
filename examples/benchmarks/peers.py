"""The models of the benchmark of public tables, each with its own defaults.

RealMLP is measured twice: with its tuned defaults, which stop at the least error rate
and smooth labels, and with the settings that its authors advise for the log loss. These
are those of "Post-hoc calibration and refinement stopping" in the README of pytabkit
1.7: no label smoothing, stopping at the least log loss that temperature scaling leaves
(Berta et al., "Rethinking Early Stopping: Refine, Then Calibrate", 2025), and this
scaling. In a regression both would be the same.

Where inputs are DataFrames, models that take words and gaps get them as they are.
CatBoost wants gaps among words as a word, and pytabkit wants no gaps among numbers. The
linear models and scikit-learn's networks are behind skrub's `tabular_pipeline`, and
skreg's network that tunes itself is measured with it and without.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from calibrated import TemperatureScaled
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skreg

NUMBERS = make_column_selector(dtype_include=float)
WORDS = make_column_selector(dtype_exclude=float)


@dataclass(frozen=True)
class Task:
    """What a model is made for.

    Parameters
    ----------
    is_regression : bool
    seed : int
    threads : int
    words : tuple of str
        Columns of words in DataFrames; none in matrices.
    """

    is_regression: bool
    seed: int
    threads: int
    words: tuple = ()


def linear(task):
    """Return the linear model, whose strength is chosen by its own loss."""
    if task.is_regression:
        return RidgeCV(np.logspace(-3, 4, 20))
    return LogisticRegressionCV(
        l1_ratios=(0,),
        scoring="neg_log_loss",
        use_legacy_attributes=False,
        max_iter=300,
    )


def sklearn_mlp(task, early_stopping=False):
    """Return scikit-learn's network, which leaves targets as they are."""
    settings = dict(random_state=task.seed, early_stopping=early_stopping)
    if task.is_regression:
        network = SklearnMLPRegressor(**settings)
        return TransformedTargetRegressor(network, transformer=StandardScaler())
    return SklearnMLPClassifier(**settings)


def sklearn_mlp_stopped(task):
    """Return scikit-learn's network with early stopping."""
    return sklearn_mlp(task, early_stopping=True)


def boosting(task):
    """Return scikit-learn's boosting, which takes words by their dtype."""
    kinds = HistGradientBoostingClassifier, HistGradientBoostingRegressor
    return kinds[task.is_regression](random_state=task.seed)


def catboost(task):
    """Return CatBoost, which is told which columns are words, and writes no files."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    return (CatBoostClassifier, CatBoostRegressor)[task.is_regression](
        random_seed=task.seed,
        thread_count=task.threads,
        cat_features=list(task.words),
        verbose=False,
        allow_writing_files=False,
    )


def pytabkit(task, kinds, **settings):
    """Return a network of pytabkit."""
    # Which lightning sets when it is imported.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    return kinds[task.is_regression](
        random_state=task.seed, device="cpu", n_threads=task.threads, **settings
    )


def realmlp(task, **settings):
    """Return RealMLP with tuned defaults."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    return pytabkit(task, (RealMLP_TD_Classifier, RealMLP_TD_Regressor), **settings)


def realmlp_log_loss(task):
    """Return RealMLP as its authors advise it for the log loss."""
    network = realmlp(task, val_metric_name="ref-ll-ts", use_ls=False)
    return TemperatureScaled(network, task.seed)


def tabm(task):
    """Return TabM, an ensemble of 32 networks that share most weights."""
    from pytabkit import TabM_D_Classifier, TabM_D_Regressor

    return pytabkit(task, (TabM_D_Classifier, TabM_D_Regressor))


def mlp(task):
    """Return skreg's network."""
    kinds = skreg.MLPClassifier, skreg.MLPRegressor
    return kinds[task.is_regression](random_state=task.seed)


def mlp_cv(task):
    """Return skreg's network that tunes itself."""
    kinds = skreg.MLPClassifierCV, skreg.MLPRegressorCV
    return kinds[task.is_regression](random_state=task.seed)


def as_it_is(model):
    """Return the model, which takes DataFrames itself."""
    return model


def behind_skrub(model):
    """Return the model behind skrub's encoding, imputation and scaling."""
    from skrub import tabular_pipeline

    return tabular_pipeline(model)


def behind_fillers(*of_columns):
    """Return what puts a model behind imputers that keep the DataFrame."""

    def pipeline(model):
        fillers = make_column_transformer(
            *of_columns, remainder="passthrough", verbose_feature_names_out=False
        )
        return make_pipeline(fillers.set_output(transform="pandas"), model)

    return pipeline


FILLED_WORDS = SimpleImputer(strategy="constant", fill_value="missing"), WORDS
FILLED_NUMBERS = SimpleImputer(strategy="median", add_indicator=True), NUMBERS


@dataclass(frozen=True)
class Model:
    """A model of the benchmark.

    Parameters
    ----------
    label : str
    make : callable
        Returns it, unfitted, for a `Task`.
    with_frames : callable
        Returns from it what takes DataFrames.
    packages : tuple of str
        What is imported only for it.
    takes_matrices, takes_numbers : bool
        Whether it is measured on matrices, and on regressions.
    """

    label: str
    make: Callable
    with_frames: Callable = as_it_is
    packages: tuple = ()
    takes_matrices: bool = True
    takes_numbers: bool = True

    def missing(self, inputs):
        """Return the packages that it lacks for inputs of this kind."""
        needed = set(self.packages)
        if inputs == "frames" and self.with_frames is behind_skrub:
            needed.add("skrub")
        return sorted(name for name in needed if find_spec(name) is None)


WITH_A_WORD_FOR_GAPS = behind_fillers(FILLED_WORDS)
WITHOUT_GAPS = behind_fillers(FILLED_WORDS, FILLED_NUMBERS)
MODELS = {
    "linear": Model("LogisticRegressionCV, RidgeCV", linear, behind_skrub),
    "sklearn": Model("scikit-learn's MLP", sklearn_mlp, behind_skrub),
    "sklearn-stop": Model(
        "scikit-learn's, early stopping", sklearn_mlp_stopped, behind_skrub
    ),
    "boosting": Model("HistGradientBoosting", boosting),
    "catboost": Model("CatBoost", catboost, WITH_A_WORD_FOR_GAPS, ("catboost",)),
    "realmlp": Model("RealMLP-TD", realmlp, WITHOUT_GAPS, ("pytabkit",)),
    "realmlp-ll": Model(
        "RealMLP-TD, for log loss",
        realmlp_log_loss,
        WITHOUT_GAPS,
        ("pytabkit", "probmetrics"),
        takes_numbers=False,
    ),
    "tabm": Model("TabM-D", tabm, WITHOUT_GAPS, ("pytabkit",)),
    "mlp": Model("MLP", mlp),
    "mlp-cv": Model("MLPCV", mlp_cv),
    "mlp-cv-skrub": Model(
        "MLPCV behind skrub", mlp_cv, behind_skrub, takes_matrices=False
    ),
}
LABELS = {name: model.label for name, model in MODELS.items()}


def unfitted(name, task, inputs="matrices"):
    """Return a model for inputs that are "matrices" or "frames"."""
    model = MODELS[name].make(task)
    return MODELS[name].with_frames(model) if inputs == "frames" else model
