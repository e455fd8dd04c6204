"""Coverage of intervals and sets on public tables, against MAPIE's split conformal.

    python examples/benchmarks/intervals.py [--out FILE] [--data NAME ...] [--repeats N]
                                            [--rows N] [--coverage SHARE ...]

Every table is cut to at most --rows rows and split --repeats times into three quarters
for training and one for testing, as in generalisation.py. skreg's MLPRegressorCV and
MLPClassifierCV, with their defaults, learn from all training rows and give intervals
and sets of all coverages. For MAPIE, the same estimator learns from four fifths of the
training rows, and the rest calibrates: absolute residuals for numbers, and for classes
both the score that MAPIE has by default ("lac") and that of adaptive sets ("aps"),
which it has for more than two classes. "predicted class" is the set of this class
alone, so that its coverage is the accuracy.

The first table has a row for each data set and coverage, with means over the repeats:
how often the truth was in, and the mean width in standard deviations of the test
targets, or the mean number of classes. The second has means over data sets: the
coverage with its standard error, and the geometric mean of the ratios of our sizes to
the others', with the number of data sets on which ours are smaller.

MAPIE is in the extra "bench". Rows are written to --out as they are measured, and are
not measured again.
"""

import argparse
import json
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import suite
import torch
from generalisation import cut, matrices
from mapie.classification import SplitConformalClassifier
from mapie.regression import SplitConformalRegressor
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skreg import MLPClassifierCV, MLPRegressorCV

OURS = "CV+"


def interval_sizes(bounds, y):
    """Return the coverage and the relative width of intervals at each level."""
    is_in = (bounds[:, 0] <= y[:, None]) & (y[:, None] <= bounds[:, 1])
    return is_in.mean(axis=0), (bounds[:, 1] - bounds[:, 0]).mean(axis=0) / y.std()


def set_sizes(sets, y):
    """Return the coverage and the mean size of sets of classes at each level."""
    return sets[np.arange(len(y)), y].mean(axis=0), sets.sum(axis=1).mean(axis=0)


def of_numbers(parts, levels, seed):
    """Yield the name, coverages and sizes of each kind of interval."""
    X_train, X_test, y_train, y_test = parts
    model = MLPRegressorCV(random_state=seed).fit(X_train, y_train)
    yield OURS, *interval_sizes(model.predict_interval(X_test, levels), y_test)
    X_fit, X_rest, y_fit, y_rest = train_test_split(
        X_train, y_train, test_size=0.2, random_state=seed
    )
    model = MLPRegressorCV(random_state=seed).fit(X_fit, y_fit)
    split = SplitConformalRegressor(model, confidence_level=levels, prefit=True)
    _, bounds = split.conformalize(X_rest, y_rest).predict_interval(X_test)
    yield "split", *interval_sizes(bounds, y_test)


def of_classes(parts, levels, seed):
    """Yield the name, coverages and sizes of each kind of set."""
    X_train, X_test, y_train, y_test = parts
    model = MLPClassifierCV(random_state=seed).fit(X_train, y_train)
    yield OURS, *set_sizes(model.predict_set(X_test, levels), y_test)
    is_predicted = model.predict(X_test)[:, None, None] == model.classes_[:, None]
    sets = np.repeat(is_predicted, len(levels), axis=2)
    yield "predicted class", *set_sizes(sets, y_test)
    X_fit, X_rest, y_fit, y_rest = train_test_split(
        X_train, y_train, test_size=0.2, stratify=y_train, random_state=seed
    )
    model = MLPClassifierCV(random_state=seed).fit(X_fit, y_fit)
    for score in ("lac", "aps") if len(model.classes_) > 2 else ("lac",):
        split = SplitConformalClassifier(
            model, confidence_level=levels, conformity_score=score, prefit=True
        )
        _, sets = split.conformalize(X_rest, y_rest).predict_set(X_test)
        yield f"split {score}", *set_sizes(sets, y_test)


def measured(data, repeat, options):
    """Return the rows of one split of a table."""
    is_regression = suite.TABLES[data].is_regression
    X, y = cut(*suite.load(data), options.rows, is_regression)
    parts = matrices(X, y, is_regression, repeat)
    kinds = of_numbers if is_regression else of_classes
    return [
        dict(data=data, repeat=repeat, kind=kind, level=level, coverage=share, size=n)
        for kind, shares, sizes in kinds(parts, options.coverage, repeat)
        for level, share, n in zip(options.coverage, shares, sizes)
    ]


def measure(options, rows):
    """Add the rows that are missing, and write them to the file."""
    known = {(row["data"], row["repeat"]) for row in rows}
    for data in options.data:
        for repeat in range(options.repeats):
            if (data, repeat) in known:
                continue
            try:
                found = measured(data, repeat, options)
            except Exception:
                traceback.print_exc()
                continue
            print(f"{data} {repeat}", file=sys.stderr)
            rows += found
            if options.out:
                with options.out.open("a") as file:
                    file.writelines(json.dumps(r, default=float) + "\n" for r in found)


def report(rows):
    """Print the tables, of regressions and of classifications."""
    rows = pd.DataFrame(rows)
    is_regression = rows["data"].map(lambda name: suite.TABLES[name].is_regression)
    for name, part in rows.groupby(is_regression):
        means = part.groupby(["level", "data", "kind"])[["coverage", "size"]].mean()
        wide = means.unstack()
        print(f"\n{'Regression' if name else 'Classification'}")
        print(wide.to_string(float_format="{:.3f}".format))
        print(summary(wide).to_string(float_format="{:.3f}".format))


def summary(wide):
    """Return the means over data sets.

    Parameters
    ----------
    wide : DataFrame
        Means for each level and data set, with the columns ("coverage", kind) and
        ("size", kind).
    """
    table = []
    for level, part in wide.groupby("level"):
        for kind in part["size"]:
            share, sizes = part["coverage"][kind], part["size"]
            ratio = sizes[OURS] / sizes[kind]
            table.append(
                {
                    "level": level,
                    "kind": kind,
                    "coverage": share.mean(),
                    "error": share.std() / len(share) ** 0.5,
                    "size": sizes[kind].mean(),
                    "ratio of ours": np.exp(np.log(ratio).mean()),
                    "ours smaller": f"{(ratio < 1).sum()} of {len(ratio)}",
                }
            )
    return pd.DataFrame(table).set_index(["level", "kind"])


def arguments(argv=None):
    """Return the parsed options."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=suite.TABLES)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--coverage", nargs="+", type=float, default=[0.8, 0.9, 0.95])
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, help="a file of JSON lines")
    options = parser.parse_args(argv)
    options.data = options.data or suite.names("small")
    return options


def main(argv=None):
    """Parse the options, measure what is missing, and print the tables."""
    options = arguments(argv)
    warnings.simplefilter("ignore")  # of convergence, and of rare classes
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
        and row["repeat"] < options.repeats
        and row["level"] in options.coverage
    ]
    with threadpool_limits(options.threads):
        measure(options, wanted)
    report(wanted)


if __name__ == "__main__":
    main()
