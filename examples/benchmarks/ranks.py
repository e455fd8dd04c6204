"""Mean ranks of models, and where skreg's are worse than the linear one."""

import numpy as np
import pandas as pd
from peers import LABELS

from skreg.comparison.ttest import corrected_ttest

SHIFT = 0.01
TO_BEAT = ("linear", "sklearn", "sklearn-stop")
TUNED = ("mlp-cv", "mlp-cv-skrub")
CLEARLY_WORSE = 0.01
LEVEL = 0.05


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
    for own in ("mlp", *TUNED):
        if own in models:
            less = means.gt(means[own], axis=0) + means.eq(means[own], axis=0) / 2
            table[f"{LABELS[own]} wins"] = less.sum().drop(own)
    table["geo. mean"] = np.exp(np.log(means + SHIFT).mean()) - SHIFT
    of_complete = rows[rows["data"].isin(means.index)]
    table["seconds"] = of_complete.groupby("model")["seconds"].mean()
    return table.sort_values("rank"), len(means)


def against_linear(rows, score, name, test_share):
    """Compare a model with the linear one on each data set.

    Parameters
    ----------
    rows : DataFrame
        With columns data, model, repeat and the score.
    score : str
    name : str
        The model.
    test_share : float
        Share of the rows that a split tests on.

    Returns
    -------
    DataFrame
        One row for each data set. "excess" is by how much the model's mean over the
        splits exceeds the linear model's, as a share of it, and "p" the p-value of the
        corrected resampled t-test, NaN with fewer than three splits.
    """
    of_splits = rows.pivot(index=["data", "repeat"], columns="model", values=score)
    of_splits = of_splits[[name, "linear"]].dropna()
    ratio = test_share / (1 - test_share)
    found = {}
    for data, splits in of_splits.groupby("data"):
        differences = splits[name] - splits["linear"]
        found[data] = {
            "excess": differences.mean() / splits["linear"].mean(),
            "p": corrected_ttest(differences, ratio)[0],
        }
    return pd.DataFrame.from_dict(found, orient="index", columns=["excess", "p"])


def where_worse(compared):
    """Return as text where `against_linear` finds a model worse."""
    is_clear = compared["excess"] > CLEARLY_WORSE
    is_significant = (compared["excess"] > 0) & (compared["p"] < LEVEL)
    return (
        f"by more than {CLEARLY_WORSE:.0%} on {is_clear.sum()} of {len(compared)} "
        f"({', '.join(compared.index[is_clear]) or 'none'}), significantly on "
        f"{is_significant.sum()} of {compared['p'].notna().sum()} "
        f"({', '.join(compared.index[is_significant]) or 'none'})"
    )


def as_text(table):
    """Return the table of `summary` with its numbers rounded."""
    formats = {"rank": "{:.2f}", "geo. mean": "{:.4f}", "seconds": "{:.2f}"}
    cells = {}
    for column in table:
        default = "{:.2f}" if column.startswith("rank") else "{:g}"
        text = formats.get(column, default).format
        cells[column] = [
            "–" if pd.isna(value) else text(value) for value in table[column]
        ]
    return pd.DataFrame(cells, index=table.index).rename(index=LABELS).to_string()


def report(rows, test_share):
    """Print a table for each score, and where skreg's tuned models are worse."""
    rows = pd.DataFrame(rows)
    failures = rows.get("failure", pd.Series(dtype=object)).dropna()
    for index, failure in failures.items():
        print(f"{rows['data'][index]}, {rows['model'][index]}: {failure}")
    for score in ("error", "log loss", "1 - R2"):
        if score not in rows:
            continue
        names = rows["data"][rows[score].notna()]
        of_score = rows[rows["data"].isin(names)]
        table, n_data = summary(of_score, score)
        print(f"\n{score}, {n_data} data sets")
        print(as_text(table))
        for name in TUNED:
            if {name, "linear"} <= set(table.index):
                compared = against_linear(of_score, score, name, test_share)
                print(f"{LABELS[name]} is worse than linear {where_worse(compared)}")
