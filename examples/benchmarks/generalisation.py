"""Errors and log losses on public tables, against the models that users have.

    python examples/benchmarks/generalisation.py [--size small|middle]
                                                 [--inputs matrices|frames]
                                                 [--out FILE] [--data NAME ...]
                                                 [--models NAME ...] [--repeats N]
                                                 [--rows N] [--threads N]

Small tables are cut to at most 2,000 rows, middle ones to at most 15,000, stratified by
class, and split --repeats times into three quarters for training and one for testing.
Models have their defaults (see peers.py). MLP and MLPCV are skreg's.

With --inputs matrices all models get the same matrices in float32: missing values are
replaced by medians and marked in another column, columns are standardised, and each
category of at least 1 % of the rows has a column. The targets of scikit-learn's MLP are
standardised, which the other networks do themselves. With --inputs frames all models
get the same DataFrames, with words and gaps, and treat them in their own way.

Three tables are printed: the error rate, the log loss and 1 - R2, as means over the
repeats, on the data sets on which no model failed. "rank" is the mean rank among all
models, and "rank of 4" the mean rank among skreg's MLP and its competitors,
scikit-learn's MLPs and the linear model. "MLP wins" and "MLPCV wins" are the numbers of
data sets on which skreg's model is the better of two, where a tie counts as half a win.
The geometric mean is that of the score + 0.01, minus 0.01. "seconds" is the mean time
of a fit. Lines below a table tell where MLPCV is worse than the linear model: by more
than 1 % of the linear model's mean, and significantly, by the corrected resampled
t-test of Nadeau and Bengio at 5 %, which needs three repeats.

Rows are written to --out as they are measured. Rows that are already there are not
measured again, so an interrupted run can be continued, and two runs may divide the data
sets with --data. Another version of a model needs another file.
"""

import argparse
import json
import sys
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import peers
import ranks
import suite
import torch
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

LEAST_PROBABILITY = 1e-7
TEST_SHARE = 0.25


def cut(X, y, n_rows, is_regression):
    """Return at most `n_rows` rows, stratified by class."""
    if len(X) > n_rows:
        strata = None if is_regression or np.bincount(y).min() < 2 else y
        X, _, y, _ = train_test_split(
            X, y, train_size=n_rows, stratify=strata, random_state=0
        )
    return X, y


def frames(X, y, is_regression, seed):
    """Return training and test inputs and targets, the inputs as they are."""
    strata = None if is_regression or np.bincount(y).min() < 2 else y
    return train_test_split(
        X, y, test_size=TEST_SHARE, stratify=strata, random_state=seed
    )


def matrices(X, y, is_regression, seed):
    """Return training and test inputs and targets, the inputs as matrices."""
    X_train, X_test, y_train, y_test = frames(X, y, is_regression, seed)
    columns = make_column_transformer(
        (
            make_pipeline(
                SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
            ),
            peers.NUMBERS,
        ),
        (
            make_pipeline(
                SimpleImputer(strategy="constant", fill_value="missing"),
                OneHotEncoder(
                    handle_unknown="infrequent_if_exist",
                    min_frequency=0.01,
                    sparse_output=False,
                ),
            ),
            peers.WORDS,
        ),
    )
    X_train = columns.fit_transform(X_train).astype(np.float32)
    return X_train, columns.transform(X_test).astype(np.float32), y_train, y_test


def scores(model, X, y, n_classes):
    """Return the error rate and the log loss of a classifier, or 1 - R2."""
    if not n_classes:
        return {"1 - R2": 1 - r2_score(y, np.ravel(model.predict(X)))}
    found = np.asarray(model.predict_proba(X), dtype=float)
    probability = np.full((len(X), n_classes), LEAST_PROBABILITY)
    probability[:, model.classes_] = found.clip(LEAST_PROBABILITY, 1)
    probability /= probability.sum(axis=1, keepdims=True)
    return {
        "error": np.mean(probability.argmax(axis=1) != y),
        "log loss": log_loss(y, probability, labels=np.arange(n_classes)),
    }


def measured(name, task, inputs, parts, n_classes):
    """Fit a model and return its row, with the error if it raised one."""
    X_train, X_test, y_train, y_test = parts
    row = {"train_rows": len(X_train), "columns": X_train.shape[1]}
    try:
        model = peers.unfitted(name, task, inputs)
        start = time.perf_counter()
        model.fit(X_train, y_train)
        row["seconds"] = time.perf_counter() - start
        row |= scores(model, X_test, y_test, n_classes)
    except Exception as error:
        traceback.print_exc()
        row["failure"] = repr(error)
    return row


def measure(options, rows):
    """Add the rows that are missing, and write them to the file."""
    known = {key(row) for row in rows}
    split = {"matrices": matrices, "frames": frames}[options.inputs]
    for data in options.data:
        is_regression = suite.TABLES[data].is_regression
        models = [
            name
            for name in options.models
            if peers.MODELS[name].takes_numbers or not is_regression
        ]
        X, y = cut(*suite.load(data), options.rows, is_regression)
        n_classes = 0 if is_regression else y.max() + 1
        for repeat in range(options.repeats):
            parts = split(X, y, is_regression, repeat)
            words = peers.WORDS(X) if options.inputs == "frames" else ()
            task = peers.Task(is_regression, repeat, options.threads, tuple(words))
            for name in models:
                row = dict(data=data, repeat=repeat, model=name, rows=options.rows)
                row["inputs"] = options.inputs
                if key(row) in known:
                    continue
                row |= measured(name, task, options.inputs, parts, n_classes)
                print(f"{data} {repeat} {name} {outcome(row)}", file=sys.stderr)
                rows.append(row)
                if options.out:
                    with options.out.open("a") as file:
                        file.write(json.dumps(row, default=float) + "\n")


def key(row):
    """Return what tells a row from all others."""
    return tuple(row[name] for name in ("data", "repeat", "model", "rows", "inputs"))


def outcome(row):
    """Return the scores of a row as text."""
    names = ("failure", "error", "log loss", "1 - R2", "seconds")
    return ", ".join(
        f"{name} {row[name] if name == 'failure' else format(row[name], '.4g')}"
        for name in names
        if name in row
    )


def arguments(argv=None):
    """Return the parsed options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=suite.ROWS, default="small")
    parser.add_argument("--inputs", choices=("matrices", "frames"), default="matrices")
    parser.add_argument("--data", nargs="+", choices=suite.TABLES)
    parser.add_argument("--models", nargs="+", choices=peers.MODELS)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--rows", type=int, help="instead of those of the size")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="a file of JSON lines")
    options = parser.parse_args(argv)
    options.data = options.data or suite.names(options.size)
    options.rows = options.rows or suite.ROWS[options.size]
    options.models = available(options.models or list(peers.MODELS), options.inputs)
    return options


def available(models, inputs):
    """Return the models that can be measured here, and print what others lack."""
    found = []
    for name in models:
        model = peers.MODELS[name]
        if missing := model.missing(inputs):
            print(f"{model.label} is left out: pip install {' '.join(missing)}")
        elif model.takes_matrices or inputs == "frames":
            found.append(name)
    return found


def read(path):
    """Return the rows of a file, if there is one."""
    if path is None or not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def main(argv=None):
    """Parse the options, measure what is missing, and print the tables."""
    options = arguments(argv)
    warnings.simplefilter("ignore")  # of convergence, and lightning's own
    torch.set_num_threads(options.threads)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
    wanted = [
        row
        for row in read(options.out)
        if row["data"] in options.data
        and row["model"] in options.models
        and row["repeat"] < options.repeats
        and row["rows"] == options.rows
        and row["inputs"] == options.inputs
        and "failure" not in row
    ]
    print(
        f"{options.threads} threads, torch {torch.__version__}; "
        f"{len(wanted)} fits were known before"
    )
    with threadpool_limits(options.threads):
        measure(options, wanted)
    ranks.report(wanted, TEST_SHARE)


if __name__ == "__main__":
    main()
