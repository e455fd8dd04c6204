"""Time MLPClassifierCV() against LogisticRegressionCV(), and compare their losses.

    python examples/benchmarks/tuning_time.py [--data NAME ...] [--repeats N]
                                              [--threads N] [--profile]

Both have their defaults, on inputs scaled by StandardScaler, in float64. However, the
linear model also chooses by log loss (`scoring="neg_log_loss"`), and it gets
`use_legacy_attributes=False` and `l1_ratios=(0,)`, without which scikit-learn 1.9
warns. The fits take turns. The medians of the repeats are printed, and the losses and
accuracies on a quarter of the rows that neither has seen. The load is printed because
it affects the times: while other programs compute, torch's threads wait for one
another. "CPU" is the time of all cores together, which is affected less.

With --profile, a profile of MLPClassifierCV() is printed instead.
"""

import argparse
import cProfile
import os
import pstats
import statistics
import time
import warnings

import torch
from _shared import load, right
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skreg import MLPClassifierCV

# How many times as long as the linear model it may take.
GOALS = {"breast_cancer": 2, "digits": 2, "mnist_5k": 0.4}


def contenders():
    """Return the unfitted estimators by name."""
    linear = LogisticRegressionCV(
        l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False
    )
    return {
        "LogisticRegressionCV": linear,
        "MLPClassifierCV": MLPClassifierCV(random_state=0),
    }


def scaled_parts(data):
    """Return the inputs and classes to train on, and those to test on."""
    X, y = load(data)
    X_train, X_test, y_train, y_test = train_test_split(
        X.astype(float), y, test_size=0.25, stratify=y, random_state=0
    )
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), y_train, scaler.transform(X_test), y_test


def measure(data, repeats):
    """Return each estimator's median seconds, of all cores too, loss and accuracy."""
    X, y, X_test, y_test = scaled_parts(data)
    made = contenders()
    seconds, cpu_seconds = {name: [] for name in made}, {name: [] for name in made}
    for _ in range(repeats):
        for name, model in made.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            model.fit(X, y)
            seconds[name].append(time.perf_counter() - start)
            cpu_seconds[name].append(time.process_time() - cpu_start)
    outcomes = {}
    for name, model in made.items():
        loss = log_loss(y_test, model.predict_proba(X_test))
        accuracy = accuracy_score(y_test, model.predict(X_test))
        times = map(statistics.median, (seconds[name], cpu_seconds[name]))
        outcomes[name] = *times, loss, accuracy
    return outcomes


def table(names, repeats):
    """Print a table of times and losses."""
    columns = ("seconds", "ratio", "goal", "CPU", "log loss", "accuracy")
    print(" " * 36 + "".join(map(right, columns)))
    for data in names:
        outcomes = measure(data, repeats)
        least = outcomes["LogisticRegressionCV"][0]
        for name, (seconds, cpu, loss, accuracy) in outcomes.items():
            ratio = seconds / least
            goal = f"{GOALS[data]}×" if name == "MLPClassifierCV" else "–"
            cells = [f"{seconds:.2f}", f"{ratio:.2f}×", goal]
            cells += [f"{cpu:.2f}", f"{loss:.4f}", f"{accuracy:.4f}"]
            print(f"{data:14}{name:22}" + "".join(map(right, cells)), flush=True)


def profile(names):
    """Print where the time of the network's search goes."""
    for data in names:
        X, y, *_ = scaled_parts(data)
        model, profiler = contenders()["MLPClassifierCV"], cProfile.Profile()
        profiler.runcall(model.fit, X, y)
        print(data)
        pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(30)


def main():
    """Parse the options and print the table or the profiles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=GOALS, default=list(GOALS))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    torch.set_num_threads(options.threads)
    print(
        f"{options.threads} threads, torch {torch.__version__}, "
        f"load before {os.getloadavg()[0]:.1f}\n"
    )
    with threadpool_limits(options.threads):
        # Imports and thread pools are ready when the first fit begins.
        measure("breast_cancer", 1)
        if options.profile:
            profile(options.data)
        else:
            table(options.data, options.repeats)


if __name__ == "__main__":
    main()
