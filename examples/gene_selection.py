"""Select genes with a group-lasso network and with an l1 logistic regression.

    make genes, or python examples/gene_selection.py [--repeats N]

Khan et al. (2001): 2,308 gene expressions of 63 training and 20 test samples of four
tumours, as the package ISLP ships them. Both models choose their strength by
cross-validation inside the training samples, for the best log loss. The table gives
the genes used by the final fit, the accuracy and log loss on the test samples, and
the same for repeated random splits of all samples.
"""

import argparse
import time
import warnings

import numpy as np
from ISLP import load_data
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skreg import MLPClassifier


def load():
    """Return the training and the test samples, inputs and labels of each."""
    khan = load_data("Khan")
    parts = (khan[key] for key in ("xtrain", "xtest", "ytrain", "ytest"))
    X, X_test, y, y_test = (np.asarray(part, dtype=float) for part in parts)
    return X, X_test, y.ravel().astype(int), y_test.ravel().astype(int)


def models(n_samples):
    """Return the two searches, by name."""
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    # A group lasso on the first layer alone can be evaded: a network shrinks that layer
    # and grows the next. An l2 on the next keeps the scales apart.
    network = MLPClassifier(
        (8,),
        "tanh",
        solver="lbfgs",
        l2=[0, 1e-2],
        tol=1e-4,
        max_iter=500,
        random_state=0,
    )
    strengths = [0.02, 0.04, 0.06]
    search = dict(scoring="neg_log_loss", cv=folds)
    # Both strengths refer to the mean loss: C = 1 / (n * l1).
    linear = make_pipeline(
        StandardScaler(),
        LogisticRegression(l1_ratio=1, solver="saga", tol=1e-3, max_iter=2000),
    )
    Cs = [1 / (n_samples * l1) for l1 in (0.005, 0.01, 0.02, 0.05)]
    return {
        "network, group_l1": GridSearchCV(network, {"group_l1": strengths}, **search),
        "LogisticRegression, l1": GridSearchCV(
            linear, {"logisticregression__C": Cs}, **search
        ),
    }


def genes_used(search):
    """Return the number of inputs with a weight other than zero."""
    best = search.best_estimator_
    if isinstance(best, MLPClassifier):
        return int(best.support_.sum())
    return int((best[-1].coef_ != 0).any(axis=0).sum())


def evaluate(X, X_test, y, y_test):
    """Return genes, accuracy, log loss and seconds of each model."""
    rows = {}
    for name, search in models(len(y)).items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            # saga, and single fits of the search, may stop at max_iter.
            warnings.simplefilter("ignore", ConvergenceWarning)
            search.fit(X, y)
        seconds = time.perf_counter() - start
        rows[name] = (
            genes_used(search),
            accuracy_score(y_test, search.predict(X_test)),
            log_loss(y_test, search.predict_proba(X_test), labels=search.classes_),
            seconds,
        )
    return rows


def show(title, results):
    """Print means over several evaluations."""
    print(f"\n{title:32}{'genes':>8}{'accuracy':>10}{'log loss':>10}{'seconds':>9}")
    for name in results[0]:
        genes, accuracy, loss, seconds = np.mean([r[name] for r in results], axis=0)
        print(f"{name:32}{genes:8.1f}{accuracy:10.3f}{loss:10.3f}{seconds:9.1f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3, help="random splits")
    args = parser.parse_args()
    X, X_test, y, y_test = load()
    show("training and test samples", [evaluate(X, X_test, y, y_test)])
    X, y = np.vstack([X, X_test]), np.concatenate([y, y_test])
    splits = [
        train_test_split(X, y, test_size=20, stratify=y, random_state=seed)
        for seed in range(args.repeats)
    ]
    if splits:
        show(f"{args.repeats} random splits", [evaluate(*split) for split in splits])


if __name__ == "__main__":
    main()
