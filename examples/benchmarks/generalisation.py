"""Errors and log losses on public tables, against the models that users have.

    python examples/benchmarks/generalisation.py [--out FILE] [--data NAME ...]
                                                 [--models NAME ...] [--repeats N]
                                                 [--rows N] [--threads N]

Every table is cut to at most --rows rows, stratified by class, and split --repeats
times into three quarters for training and one for testing. All models get the
same matrices in float32: missing values are replaced by medians and marked in another
column, columns are standardised, and each category of at least 1 % of the rows has a
column. The targets of scikit-learn's MLP are standardised, which the other networks do
themselves. Models have their defaults. MLP and MLPCV are skreg's.

Three tables are printed: the error rate, the log loss and 1 - R2, as means over the
repeats, on the data sets on which no model failed. "rank" is the mean rank among all
models, and "rank of 4" the mean rank among skreg's MLP and its competitors,
scikit-learn's MLPs and the linear model. "MLP wins" and "MLPCV wins" are the numbers of
data sets on which skreg's model is the better of two, where a tie counts as half a win.
The geometric mean is that of the score + 0.01, minus 0.01. "seconds" is the mean time
of a fit.

Rows are written to --out as they are measured. Rows that are already there are not
measured again, so an interrupted run can be continued, and two runs may divide the data
sets with --data. Another version of a model needs another file.
"""

import argparse
import json
import logging
import sys
import time
import traceback
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import suite
import torch
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
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier as SklearnMLPClassifier
from sklearn.neural_network import MLPRegressor as SklearnMLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

import skreg

LEAST_PROBABILITY = 1e-7
SHIFT = 0.01
TO_BEAT = ("linear", "sklearn", "sklearn-stop")
LABELS = {
    "linear": "LogisticRegressionCV, RidgeCV",
    "sklearn": "scikit-learn's MLP",
    "sklearn-stop": "scikit-learn's, early stopping",
    "boosting": "HistGradientBoosting",
    "realmlp": "RealMLP-TD",
    "mlp": "MLP",
    "mlp-cv": "MLPCV",
}


def unfitted(name, is_regression, seed, threads):
    """Return a model with its defaults."""
    if name == "linear":
        if is_regression:
            return RidgeCV(np.logspace(-3, 4, 20))
        return LogisticRegressionCV(
            l1_ratios=(0,),
            scoring="neg_log_loss",
            use_legacy_attributes=False,
            max_iter=300,
        )
    if name == "boosting":
        kinds = HistGradientBoostingClassifier, HistGradientBoostingRegressor
    elif name == "mlp":
        kinds = skreg.MLPClassifier, skreg.MLPRegressor
    elif name == "mlp-cv":
        kinds = skreg.MLPClassifierCV, skreg.MLPRegressorCV
    elif name == "realmlp":
        from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

        # Which lightning sets when it is imported.
        logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
        kind = RealMLP_TD_Regressor if is_regression else RealMLP_TD_Classifier
        return kind(random_state=seed, device="cpu", n_threads=threads)
    else:
        stops = name == "sklearn-stop"
        if is_regression:
            network = SklearnMLPRegressor(random_state=seed, early_stopping=stops)
            return TransformedTargetRegressor(network, transformer=StandardScaler())
        return SklearnMLPClassifier(random_state=seed, early_stopping=stops)
    return kinds[is_regression](random_state=seed)


def cut(X, y, n_rows, is_regression):
    """Return at most `n_rows` rows, stratified by class."""
    if len(X) > n_rows:
        strata = None if is_regression or np.bincount(y).min() < 2 else y
        X, _, y, _ = train_test_split(
            X, y, train_size=n_rows, stratify=strata, random_state=0
        )
    return X, y


def matrices(X, y, is_regression, seed):
    """Return training and test inputs and targets, the inputs as matrices."""
    strata = None if is_regression or np.bincount(y).min() < 2 else y
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=strata, random_state=seed
    )
    columns = make_column_transformer(
        (
            make_pipeline(
                SimpleImputer(strategy="median", add_indicator=True), StandardScaler()
            ),
            make_column_selector(dtype_include=float),
        ),
        (
            OneHotEncoder(
                handle_unknown="infrequent_if_exist",
                min_frequency=0.01,
                sparse_output=False,
            ),
            make_column_selector(dtype_exclude=float),
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


def measured(name, is_regression, seed, threads, parts, n_classes):
    """Fit a model and return its row, with the error if it raised one."""
    X_train, X_test, y_train, y_test = parts
    row = {"train_rows": len(X_train), "columns": X_train.shape[1]}
    model = unfitted(name, is_regression, seed, threads)
    try:
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
    for data in options.data:
        is_regression = suite.TABLES[data].is_regression
        X, y = cut(*suite.load(data), options.rows, is_regression)
        n_classes = 0 if is_regression else y.max() + 1
        for repeat in range(options.repeats):
            parts = matrices(X, y, is_regression, repeat)
            for name in options.models:
                row = dict(data=data, repeat=repeat, model=name, rows=options.rows)
                if key(row) in known:
                    continue
                row |= measured(
                    name, is_regression, repeat, options.threads, parts, n_classes
                )
                print(f"{data} {repeat} {name} {outcome(row)}", file=sys.stderr)
                rows.append(row)
                if options.out:
                    with options.out.open("a") as file:
                        file.write(json.dumps(row, default=float) + "\n")


def key(row):
    """Return what tells a row from all others."""
    return row["data"], row["repeat"], row["model"], row["rows"]


def outcome(row):
    """Return the scores of a row as text."""
    names = ("failure", "error", "log loss", "1 - R2", "seconds")
    return ", ".join(
        f"{name} {row[name] if name == 'failure' else format(row[name], '.4g')}"
        for name in names
        if name in row
    )


def summary(rows, score):
    """Return the table of one score, and the number of data sets it is of.

    Parameters
    ----------
    rows : DataFrame
        With columns data, model, seconds and the score.
    score : str

    Returns
    -------
    DataFrame
        One row for each model, the best mean rank first.
    int
    """
    of_repeats = rows.groupby(["data", "model"])[score]
    means = of_repeats.agg(lambda values: values.mean(skipna=False))
    means = means.unstack().dropna()
    models = list(means)
    table = pd.DataFrame(index=models)
    table["rank"] = means.rank(axis=1).mean()
    table["best on"] = (means.rank(axis=1, method="min") == 1).sum()
    few = [name for name in models if name in (*TO_BEAT, "mlp")]
    table[f"rank of {len(few)}"] = means[few].rank(axis=1).mean()
    for own in ("mlp", "mlp-cv"):
        if own in models:
            less = means.gt(means[own], axis=0) + means.eq(means[own], axis=0) / 2
            table[f"{LABELS[own]} wins"] = less.sum().drop(own)
    table["geo. mean"] = np.exp(np.log(means + SHIFT).mean()) - SHIFT
    of_complete = rows[rows["data"].isin(means.index)]
    table["seconds"] = of_complete.groupby("model")["seconds"].mean()
    return table.sort_values("rank"), len(means)


def report(rows):
    """Print the tables."""
    rows = pd.DataFrame(rows)
    failures = rows.get("failure", pd.Series(dtype=object)).dropna()
    for index, failure in failures.items():
        print(f"{rows['data'][index]}, {rows['model'][index]}: {failure}")
    formats = {"rank": "{:.2f}", "geo. mean": "{:.4f}", "seconds": "{:.2f}"}
    for score in ("error", "log loss", "1 - R2"):
        if score not in rows:
            continue
        names = rows["data"][rows[score].notna()]
        table, n_data = summary(rows[rows["data"].isin(names)], score)
        for column in table:
            default = "{:.2f}" if column.startswith("rank") else "{:g}"
            text = formats.get(column, default).format
            table[column] = [
                "–" if pd.isna(value) else text(value) for value in table[column]
            ]
        print(f"\n{score}, {n_data} data sets")
        print(table.rename(index=LABELS).to_string())


def arguments(argv=None):
    """Return the parsed options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=suite.TABLES)
    parser.add_argument("--models", nargs="+", choices=LABELS)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="a file of JSON lines")
    options = parser.parse_args(argv)
    options.data = options.data or list(suite.TABLES)
    options.models = options.models or list(LABELS)
    if "realmlp" in options.models and find_spec("pytabkit") is None:
        print("RealMLP-TD is left out: pip install 'pytabkit>=1.7,<1.8'")
        options.models.remove("realmlp")
    return options


def main(argv=None):
    """Parse the options, measure what is missing, and print the tables."""
    options = arguments(argv)
    warnings.simplefilter("ignore")  # of convergence, and lightning's own
    torch.set_num_threads(options.threads)
    rows = []
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        if options.out.exists():
            rows = [json.loads(line) for line in options.out.read_text().splitlines()]
    wanted = [
        row
        for row in rows
        if row["data"] in options.data
        and row["model"] in options.models
        and row["repeat"] < options.repeats
        and row["rows"] == options.rows
        and "failure" not in row
    ]
    print(
        f"{options.threads} threads, torch {torch.__version__}; "
        f"{len(wanted)} fits were known before"
    )
    with threadpool_limits(options.threads):
        measure(options, wanted)
    report(wanted)


if __name__ == "__main__":
    main()
