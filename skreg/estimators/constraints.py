"""The constraints of the parameters that all networks share."""

from numbers import Real

import numpy as np
import torch

from skreg.augmentation.image_augmenter import ImageAugmenter
from skreg.augmentation.table_augmenter import TableAugmenter
from skreg.compatibility import (
    Interval,
    Options,
    RealNotInt,
    StrOptions,
)
from skreg.losses.contract import Loss
from skreg.networks.activations import ACTIVATIONS
from skreg.parameters.intervals import (
    BETWEEN_0_AND_1,
    COUNT,
    NON_NEGATIVE,
    POSITIVE,
    SHARE,
)
from skreg.training.schedules import SCHEDULES

CONSTRAINTS = {
    "hidden_layer_sizes": ["array-like", COUNT],
    "activation": [StrOptions(set(ACTIVATIONS))],
    "l1": [NON_NEGATIVE, "array-like"],
    "l2": [NON_NEGATIVE, "array-like"],
    "group_l1": [NON_NEGATIVE],
    "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
    "feature_groups": ["array-like", None],
    "feature_penalties": ["array-like", dict, None],
    "weight_decay": [NON_NEGATIVE],
    "max_norm": [POSITIVE, None],
    "positive": ["boolean"],
    "dropout": [SHARE, "array-like"],
    "input_dropout": [SHARE],
    "input_noise": [NON_NEGATIVE],
    "batchnorm": ["boolean", StrOptions({"before", "after"})],
    "mixup": [NON_NEGATIVE],
    "augment": [ImageAugmenter, TableAugmenter, callable, list, tuple, None],
    "pruning": [SHARE],
    "skip": [StrOptions({"linear", "residual"}), None],
    "skip_l1": [NON_NEGATIVE, None],
    "skip_l2": [NON_NEGATIVE, None],
    "stochastic_depth": [SHARE],
    "cutmix": [NON_NEGATIVE],
    "cutout": [SHARE],
    "adversarial": [NON_NEGATIVE],
    "numeric_embedding": [StrOptions({"piecewise_linear", "periodic"}), None],
    "embedding_size": [COUNT],
    "embedding_scale": [POSITIVE],
    "init": [StrOptions({"glorot", "scaled"})],
    "n_estimators": [COUNT],
    "ensemble": [StrOptions({"independent", "shared"})],
    "bootstrap": ["boolean"],
    "max_samples": [COUNT, Interval(RealNotInt, 0, 1, closed="right")],
    "early_stopping": ["boolean"],
    # `check_conflicts` names the scores that a misspelt name resembles.
    "monitor": [str, callable, Loss],
    "validation_fraction": [BETWEEN_0_AND_1, None],
    "n_iter_no_change": [COUNT, Options(Real, {np.inf})],
    "tol": [NON_NEGATIVE],
    "restore_best_weights": ["boolean"],
    "solver": [StrOptions({"adam", "sgd", "lbfgs"})],
    "learning_rate": [StrOptions({"constant", "invscaling", "adaptive", *SCHEDULES})],
    "learning_rate_init": [POSITIVE],
    "swa_fraction": [SHARE],
    "ema_decay": [SHARE],
    "n_snapshots": [COUNT],
    "batch_size": [StrOptions({"auto"}), COUNT],
    "max_iter": [StrOptions({"auto"}), COUNT],
    "shuffle": ["boolean"],
    "momentum": [SHARE],
    "nesterovs_momentum": ["boolean"],
    "beta_1": [SHARE],
    "beta_2": [SHARE],
    "epsilon": [POSITIVE],
    "clip_norm": [POSITIVE, None],
    "fit_intercept": ["boolean"],
    "standardize": ["boolean", StrOptions({"robust"})],
    "warm_start": ["boolean"],
    "random_state": ["random_state"],
    "device": [str, torch.device],
    "dtype": [StrOptions({"float32", "float64"}), None],
    "callbacks": [list, tuple, None],
    "verbose": ["verbose"],
}
