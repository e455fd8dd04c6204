"""Networks whose settings all differ, for tests of stacks."""

import numpy as np
from _estimators import STEADY

from skreg import MLPClassifier, MLPRegressor

EPOCHS = {"float64": 12, "float32": 3}
SCHEDULES = ["constant", "invscaling", "adaptive"]


def classes(n_rows, seed, n_classes=3, n_features=5):
    """Return noisy blobs. The scales and means of the features differ between sets."""
    rng = np.random.default_rng(seed)
    y = np.arange(n_rows) % n_classes
    X = (
        rng.standard_normal((n_rows, n_features))
        + 0.7 * np.eye(n_classes, n_features)[y]
    )
    return X * rng.uniform(0.5, 2, n_features) + rng.standard_normal(n_features), y


# Values of every setting that may differ within a stack.
VARIED = {
    "l1": [0.0, 1e-2, [0.0, 3e-3, 2e-2]],
    "l2": [0.0, 1e-2, [1e-1, 0.0, 3e-2]],
    "weight_decay": [0.0, 0.1, 0.5],
    "max_norm": [None, 0.9, 0.5],
    "positive": [False, True],
    "dropout": [0.0, 0.5, [0.1, 0.3]],
    "input_dropout": [0.0, 0.2, 0.5],
    "input_noise": [0.0, 0.1, 0.5],
    "label_smoothing": [0.0, 0.1, 0.3],
    "mixup": [0.0, 0.2, 1.0],
    "cutmix": [0.0, 0.2, 1.0],
    "cutout": [0.0, 0.2, 0.6],
    "lr": [1e-3, 1e-2, 3e-2],
    "clip_norm": [None, 0.3, 0.1],
    "momentum": [0.0, 0.5, 0.9],
    "stochastic_depth": [0.0, 0.1, 0.4],
    "beta_1": [0.0, 0.7, 0.9],
    "beta_2": [0.9, 0.99, 0.999],
    "epsilon": [1e-8, 1e-4, 1e-1],
    "pruning": [0.0, 0.4, 0.8],
}


# What shows them: a scaled gradient leaves Adam's steps as they are.
NEEDED = {name: {"solver": "sgd"} for name in ("momentum", "clip_norm")}


# Each model: a different value of all of them. (group_l1 makes stacks of its own.)
COLUMNS = [
    {
        "learning_rate_init" if name == "lr" else name: values[
            (model + shift) % len(values)
        ]
        for shift, (name, values) in enumerate(VARIED.items())
    }
    for model in range(3)
]


def network(dtype="float64", **params):
    steady = STEADY | dict(
        hidden_layer_sizes=(7, 4),
        activation="tanh",
        batch_size=16,
        max_iter=EPOCHS[dtype],
        learning_rate_init=0.01,
        # So small a difference is never seen in so short a fit.
        tol=0.0,
        dtype=dtype,
        random_state=0,
    )
    kind = MLPRegressor if "loss" in params else MLPClassifier
    return kind(**(steady | params))


def everything(dtype, **params):
    """Return three estimators that differ in every setting of a model, and seeds."""
    columns = COLUMNS
    if "loss" in params:  # which regressors have
        columns = [
            {name: value for name, value in column.items() if name != "label_smoothing"}
            for column in COLUMNS
        ]
    return [
        network(
            dtype,
            **column,
            skip="linear",  # for stochastic depth
            learning_rate=schedule,
            n_iter_no_change=2 + model,
            tol=[0.0, 1e-3, 1e-2][model],
            max_iter=EPOCHS[dtype] + model,
            random_state=model,
            **params,
        )
        for model, (column, schedule) in enumerate(zip(columns, SCHEDULES))
    ]
