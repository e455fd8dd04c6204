"""The command line: ``python -m skreg compare DATA``."""

import argparse
import json
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import joblib
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

import skreg
from skreg._contenders import (
    DEFAULT_NETWORK,
    N_INNER_FOLDS,
    TUNED_NETWORK,
    contenders,
)
from skreg._html_report import html_report, model_code
from skreg._report import comparison_table, format_choices, format_table
from skreg._verdict import better_network, verdict
from skreg.compare import compare
from skreg.datasets import load_table
from skreg.fusion import fused

_LEGEND = """\
score ± standard deviation over the {n_splits} test folds
p: corrected resampled t-test of the difference (Nadeau and Bengio)
fit s: mean seconds of one fit, tuning included
(k/n): switched on in k of n folds, otherwise in all; strengths are medians"""


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments after the program's name, by default those of the process.

    Returns
    -------
    int
        Exit code: 0, or 2 where an argument or the data cannot be used.
    """
    parser = _make_parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        _run_comparison(options)
    # scikit-learn, too, raises a ValueError for what the user can mend: a score
    # that does not fit the target, say.
    except (ValueError, OSError, MissingExtraError) as error:
        notes = [f"({note})" for note in getattr(error, "__notes__", [])]
        print("skreg: error:", *str(error).split(), *notes, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skreg: interrupted", file=sys.stderr)
        return 130
    return 0


class MissingExtraError(Exception):
    """A package of the ``cli`` extra is not installed."""


def _make_parser():
    parser = argparse.ArgumentParser(
        prog="python -m skreg",
        description="Regularised neural networks that are scikit-learn estimators.",
    )
    parser.add_argument("--version", action="version", version=skreg.__version__)
    commands = parser.add_subparsers(dest="command")
    command = commands.add_parser(
        "compare",
        help="does a regularised network beat the linear baseline on a data set?",
        description="Compare LogisticRegressionCV (RidgeCV for a regression) with"
        " the default network and one whose regularisation is tuned inside each"
        " fold, by repeated cross-validation.",
    )
    command.add_argument(
        "data",
        metavar="DATA",
        help="breast_cancer, diabetes, digits, iris, wine, or a CSV or Parquet file",
    )
    command.add_argument(
        "--target",
        metavar="COLUMN",
        help="column to predict (default: target, label, class or y, else the last)",
    )
    command.add_argument(
        "--scoring",
        metavar="S",
        help="a scikit-learn score (default: accuracy, or r2 for a regression)",
    )
    for option, default, least, text in [
        ("--cv K", 5, 2, "number of folds"),
        ("--repeats R", 2, 1, "how often the folds are drawn"),
        ("--n-iter N", 10, 1, "settings that the tuned network tries in each fold"),
        ("--seed S", 0, 0, "seed of the folds, the networks and the search"),
    ]:
        command.add_argument(
            option.split()[0],
            type=_integer_from(least),
            default=default,
            metavar=option.split()[1],
            help=f"{text} (default: %(default)s)",
        )
    command.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for report.html, comparison.csv and comparison.json, made if need"
        " be",
    )
    return parser


def _integer_from(least):
    def integer(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"expected an integer from {least} on, got {text!r}"
            )
        return int(text)

    return integer


def _run_comparison(options):
    _check_extra()
    if options.output is not None:
        # Now rather than after the comparison, should it not be possible.
        options.output.mkdir(parents=True, exist_ok=True)
    table = load_table(options.data, options.target)
    table.check_folds(options.cv, N_INNER_FOLDS)
    print(_describe(table, options))
    estimators = _make_estimators(table, options)
    result = _compare(estimators, table, options)
    answer = verdict(result, table.name, default=DEFAULT_NETWORK, tuned=TUNED_NETWORK)
    _print_report(result, answer)
    if options.output is not None:
        _write_numbers(result, answer, table, options)
        _write_page(result, answer, estimators, table, options)


def _check_extra():
    try:
        import pandas  # noqa: F401
        import rich  # noqa: F401
        import skrub  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            f"the command line needs {error.name}: pip install skreg[cli]"
        ) from error


def _describe(table, options):
    n_rows, n_columns = table.X.shape
    return (
        f"{table.name}: {n_rows} rows, {n_columns} columns; {table.task} of"
        f" {table.target!r}; {options.repeats} x {options.cv}-fold cross-validation,"
        f" seed {options.seed}"
    )


def _make_estimators(table, options):
    return contenders(
        table,
        scoring=options.scoring,
        n_iter=options.n_iter,
        n_folds=options.cv,
        seed=options.seed,
    )


def _compare(estimators, table, options):
    is_classes = table.task == "classification"
    folds = RepeatedStratifiedKFold if is_classes else RepeatedKFold
    n_fits = len(estimators) * options.cv * options.repeats
    with _expected_warnings(), _progress_bar() as progress:
        return compare(
            estimators,
            table.X,
            table.y,
            cv=folds(
                n_splits=options.cv,
                n_repeats=options.repeats,
                random_state=options.seed,
            ),
            scoring=options.scoring,
            n_jobs=min(joblib.cpu_count(), n_fits),
            progress=progress,
        )


@contextmanager
def _expected_warnings():
    with warnings.catch_warnings():
        # The networks train for a fixed number of epochs at most, and that is
        # what is compared; an unseen category is encoded as none.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Found unknown categories")
        yield


@contextmanager
def _progress_bar():
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(
        console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("fits", total=None)
        yield lambda n_done, n_fits: bar.update(task, completed=n_done, total=n_fits)


def _print_report(result, answer):
    headers, rows = comparison_table(result)
    legend = _LEGEND.format(n_splits=len(result.n_train))
    if not sys.stdout.isatty():
        print(format_table(headers, rows), legend, "", answer, sep="\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # Narrow, so that the last column has room in a terminal of 80 characters.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for header in headers:
        # What was chosen can be long; numbers broken in two cannot be read.
        table.add_column(header, no_wrap=header != headers[-1], overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(table)
    console.print(legend, style="dim", highlight=False)
    console.print(answer, style="bold", highlight=False)


def _write_numbers(result, answer, table, options):
    frame = result.to_frame()
    frame["chosen"] = [format_choices(result.most_chosen(name)) for name in frame.index]
    frame.to_csv(options.output / "comparison.csv")
    content = {
        "data": table.name,
        "n_rows": len(table.y),
        "n_columns": table.X.shape[1],
        "target": table.target,
        "task": table.task,
        "cv": options.cv,
        "repeats": options.repeats,
        "n_iter": options.n_iter,
        "seed": options.seed,
        "skreg_version": skreg.__version__,
        "answer": answer,
        **result.to_dict(),
    }
    path = options.output / "comparison.json"
    path.write_text(json.dumps(content, indent=2, allow_nan=False), encoding="utf-8")


def _write_page(result, answer, estimators, table, options):
    """Write report.html, for which the networks are fitted on all rows."""
    networks = {"default": DEFAULT_NETWORK, "tuned": TUNED_NETWORK}
    with _expected_warnings(), fused():
        fitted = {
            name: clone(estimators[name]).fit(table.X, table.y)
            for name in networks.values()
        }
    advised = better_network(result, **networks)
    page = html_report(
        result,
        answer,
        title=f"Does a regularised network beat {result.baseline} on {table.name}?",
        description=_describe(table, options),
        legend=_LEGEND.format(n_splits=len(result.n_train)),
        fitted=fitted,
        code=model_code(fitted[advised], options.data, options.target),
    )
    (options.output / "report.html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
