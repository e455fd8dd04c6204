"""Time convolutional networks against torch and skorch, and stacks against single fits.

    python examples/benchmarks/cnn.py [--threads N] [--epochs N] [--no-skorch]

The first table trains one network (3 x 3 convolutions of 32 and 64 channels, each with
maximum pooling, and 100 units; Adam at a constant rate, batches of 32, single
precision) on 4,000 MNIST digits, by skreg, by a plain loop over torch's own layers and
by skorch, with the same steps, and prints the seconds an epoch and the accuracy on
1,000 others. The second fits a grid of 8 settings of dropout and l2 one by one and
fused.
"""

import argparse
import time
from contextlib import nullcontext

import numpy as np
import torch
from _shared import load, right
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit
from skorch import NeuralNetClassifier
from threadpoolctl import threadpool_limits

from skreg import CNNClassifier, fused

BATCH, RATE = 32, 1e-3


def split(data, n_train):
    """Return standardised training and test images in single precision."""
    X, y = load(data)
    X = ((X - X.mean()) / X.std()).astype(np.float32)
    cut = StratifiedShuffleSplit(1, train_size=n_train, test_size=1000, random_state=0)
    train, test = next(cut.split(X, y))
    return X[train], y[train], X[test], y[test]


class Images(torch.nn.Module):
    """The same network by torch's own layers, on rows."""

    def __init__(self, side=28, memory_format=torch.contiguous_format):
        super().__init__()
        self.side, self.memory_format = side, memory_format
        self.layers = torch.nn.Sequential(
            *(torch.nn.Conv2d(1, 32, 3, padding=1), torch.nn.MaxPool2d(2)),
            torch.nn.ReLU(),
            *(torch.nn.Conv2d(32, 64, 3, padding=1), torch.nn.MaxPool2d(2)),
            torch.nn.ReLU(),
            *(torch.nn.Flatten(), torch.nn.Linear(64 * (side // 4) ** 2, 100)),
            *(torch.nn.ReLU(), torch.nn.Linear(100, 10)),
        ).to(memory_format=memory_format)

    def forward(self, X):
        """Return raw outputs."""
        images = X.view(-1, 1, self.side, self.side)
        return self.layers(images.contiguous(memory_format=self.memory_format))


class Loop:
    """A plain training loop, without a data loader."""

    def __init__(self, epochs, memory_format):
        self.epochs, self.memory_format = epochs, memory_format

    def fit(self, X, y):
        """Train the network."""
        torch.manual_seed(0)
        self.network = Images(memory_format=self.memory_format)
        optimiser = torch.optim.Adam(self.network.parameters(), RATE, fused=True)
        X, y = torch.from_numpy(X), torch.from_numpy(y)
        for _ in range(self.epochs):
            for rows in torch.randperm(len(X)).split(BATCH):
                optimiser.zero_grad()
                score = self.network(X[rows])
                torch.nn.functional.cross_entropy(score, y[rows]).backward()
                optimiser.step()
        return self

    @torch.no_grad()
    def score(self, X, y):
        """Return the accuracy."""
        found = self.network(torch.from_numpy(X)).argmax(1).numpy()
        return (found == y).mean()


def contenders(epochs, with_skorch):
    """Return an unfitted estimator for each package."""
    common = dict(batch_size=BATCH, max_iter=epochs, standardize=False, tol=0.0)
    made = {
        "skreg": CNNClassifier(
            learning_rate="constant",
            learning_rate_init=RATE,
            n_iter_no_change=epochs,
            random_state=0,
            **common,
        ),
        "torch": Loop(epochs, torch.contiguous_format),
        "torch, channels last": Loop(epochs, torch.channels_last),
    }
    if with_skorch:
        made["skorch"] = NeuralNetClassifier(
            Images,
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=RATE,
            batch_size=BATCH,
            max_epochs=epochs,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        )
    return made


def fit_table(epochs, repeats, with_skorch):
    """Print the table of single fits; the packages take turns, the fastest counts."""
    X, y, X_test, y_test = split("mnist_5k", 4000)
    made = contenders(epochs, with_skorch)
    seconds = {name: [] for name in made}
    for _ in range(repeats):
        for name, model in made.items():
            start = time.perf_counter()
            model.fit(X, y)
            seconds[name].append((time.perf_counter() - start) / epochs)
    best = {name: min(values) for name, values in seconds.items()}
    print(f"{'one fit, 4,000 digits of 28 x 28':36}", end="")
    print("".join(map(right, ("s an epoch", "of skreg", "accuracy"))))
    for name, model in made.items():
        cells = f"{best[name]:.2f}", f"{best[name] / best['skreg']:.2f}×"
        cells += (f"{model.score(X_test, y_test):.3f}",)
        print(f"{name:36}" + "".join(map(right, cells)), flush=True)


def stack_table(repeats):
    """Print the table of grids of 8 settings: one by one, and fused."""
    grid = {"dropout": [0.0, 0.1, 0.2, 0.4], "l2": [0.0, 1e-4]}
    print(f"\n{'8 settings: seconds':36}", end="")
    print("".join(map(right, ("one by one", "fused", "faster"))))
    cases = [("digits", (8, 16), 797), ("digits", (32, 64), 797)]
    cases += [("mnist_5k", (8, 16), 500), ("mnist_5k", (32, 64), 500)]
    for data, channels, n_train in cases:
        X, y, *_ = split(data, n_train)
        model = CNNClassifier(channels, max_iter=3, random_state=0)
        cut = [(np.arange(n_train), np.arange(50))]
        search = GridSearchCV(model, grid, cv=cut, refit=False)
        seconds = {"one by one": [], "fused": []}
        for _ in range(repeats):
            for name, values in seconds.items():
                start = time.perf_counter()
                with fused() if name == "fused" else nullcontext():
                    search.fit(X, y)
                values.append(time.perf_counter() - start)
        alone, together = (min(values) for values in seconds.values())
        cells = f"{alone:.2f}", f"{together:.2f}", f"{alone / together:.1f}×"
        name = f"{data}, {n_train} rows, channels={channels}"
        print(f"{name:36}" + "".join(map(right, cells)), flush=True)


def main():
    """Parse the options and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--no-skorch", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{options.threads} threads, torch {torch.__version__}\n")
    with threadpool_limits(options.threads):
        fit_table(options.epochs, options.repeats, not options.no_skorch)
        stack_table(options.repeats)


if __name__ == "__main__":
    main()
