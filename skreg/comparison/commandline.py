"""The command line: ``python -m skreg compare DATA``."""

import argparse
import json
import math
import sys
import tempfile
import textwrap
import warnings
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import joblib
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

from skreg.comparison.budget import LEAST_SHARE, time_parameter
from skreg.comparison.comparing import compare
from skreg.comparison.contenders import (
    DEFAULT_NETWORK,
    N_CANDIDATES,
    N_INNER_FOLDS,
    TUNED_NETWORK,
    contenders,
)
from skreg.comparison.content import printable
from skreg.comparison.datasets import ROLES, load_table
from skreg.comparison.html_report import html_report, model_codes
from skreg.comparison.roles import describe_roles
from skreg.comparison.text_report import (
    budget_line,
    certainty_lines,
    comparison_table,
    format_choices,
    format_table,
)
from skreg.comparison.verdict import better_network, verdict
from skreg.model_selection.deadline import Deadline
from skreg.version import __version__

_WIDTH = 80
_NUMBERS, _TABLE, _PAGE = _FILES = (
    "comparison.json",
    "comparison.csv",
    "report.html",
)
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
        Arguments after the name of the program. None is those of the process.

    Returns
    -------
    int
        Exit code: 0 on success, 1 after an unexpected error, 2 if an argument or the
        data cannot be used, and 130 if the user interrupts the comparison.
    """
    parser = _make_parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help(sys.stderr)
        return 2
    try:
        _run_comparison(options)
    # scikit-learn also raises a ValueError for errors that the user can correct, such
    # as a score that does not suit the target.
    except (ValueError, OSError, MissingExtraError) as error:
        print("skreg: error:", _one_line(error), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("skreg: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if options.debug:
            raise
        kind = type(error).__name__
        print(
            f"skreg: unexpected error: {kind}: {_one_line(error)}; run again with"
            " --debug for the traceback",
            file=sys.stderr,
        )
        return 1
    return 0


def _one_line(error):
    """Return the message of an error and its notes as one line."""
    notes = [f"({note})" for note in getattr(error, "__notes__", [])]
    return " ".join([*str(error).split(), *notes])


class MissingExtraError(Exception):
    """A package of the ``cli`` extra is not installed."""


def _make_parser():
    parser = argparse.ArgumentParser(
        prog="python -m skreg",
        description="Regularised neural networks that are scikit-learn estimators.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command")
    command = commands.add_parser(
        "compare",
        help="does a regularised network beat the linear baseline on a data set?",
        description="Compare LogisticRegressionCV (RidgeCV for regression) with the"
        " default network and with one that tunes its regularisation inside each fold"
        " (MLPClassifierCV or MLPRegressorCV), by repeated cross-validation.",
    )
    _add_data(command)
    _add_numbers(command)
    _add_limits(command)
    return parser


def _add_data(command):
    """Add the arguments for the data set, its target and the score."""
    command.add_argument(
        "data",
        metavar="DATA",
        help="breast_cancer, diabetes, digits, iris, wine, or a file: CSV or other"
        " separated text, Parquet or Excel, also compressed",
    )
    command.add_argument(
        "--target",
        metavar="COLUMN",
        help="column to predict (default: target, label, class or y, or else the last)",
    )
    command.add_argument(
        "--task",
        choices=["classification", "regression"],
        help="what to do with the target (default: classification of texts and of few"
        " whole numbers, by a rule that is printed)",
    )
    command.add_argument(
        "--role",
        type=_column_role,
        action="append",
        default=[],
        metavar="COLUMN=ROLE",
        help="what a column holds, where the guess is wrong: number, date, text, or out"
        " to leave it out; may be repeated",
    )
    command.add_argument(
        "--scoring",
        metavar="S",
        help="a scikit-learn score (default: accuracy, or r2 for regression)",
    )


def _add_numbers(command):
    """Add the arguments that are whole numbers."""
    for option, default, least, text in [
        ("--cv K", 5, 2, "number of folds"),
        ("--repeats R", 2, 1, "number of times that the folds are drawn"),
        ("--n-candidates N", N_CANDIDATES, 1, "settings that the tuned network tries"),
        ("--seed S", 0, 0, "seed of the folds, the networks and the search"),
    ]:
        command.add_argument(
            option.split()[0],
            type=_integer_from(least),
            default=default,
            metavar=option.split()[1],
            help=f"{text} (default: %(default)s)",
        )


def _add_limits(command):
    """Add the arguments for the time limit, the output folder and errors."""
    command.add_argument(
        "--budget",
        type=_positive_number,
        metavar="SECONDS",
        help="time for the whole comparison: the tuned network gets a share of at least"
        " one second in each fold; if the time is too short, fewer folds are done, but"
        " at least two; fits that are running at the end are finished (default: no"
        " limit)",
    )
    command.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="folder for report.html, comparison.csv and comparison.json, created if"
        " needed",
    )
    command.add_argument(
        "--debug",
        action="store_true",
        help="show the traceback of an unexpected error",
    )


def _integer_from(least):
    def integer(text):
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(
                f"expected an integer of at least {least}, got {text!r}"
            )
        return int(text)

    return integer


def _column_role(text):
    column, equals, role = text.rpartition("=")
    if not equals or role not in ROLES:
        raise argparse.ArgumentTypeError(
            f"expected COLUMN=ROLE with a role of {', '.join(ROLES)}, got {text!r}"
        )
    return column, role


def _positive_number(text):
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return number


def _share_of(deadline, share=1.0):
    """Return a share of the remaining time, at least 1 s, or None without a limit."""
    if not deadline.is_finite:
        return None
    return max(share * deadline.seconds_left, LEAST_SHARE)


def _run_comparison(options):
    deadline = Deadline(options.budget)
    _check_extra()
    if options.output is not None:
        _prepare_folder(options.output)
    table = load_table(
        options.data, options.target, task=options.task, roles=dict(options.role)
    )
    table.check_folds(options.cv, N_INNER_FOLDS)
    print(_describe(table, options))
    estimators = contenders(
        table,
        scoring=options.scoring,
        n_candidates=options.n_candidates,
        seed=options.seed,
    )
    result = _compare(estimators, table, options, deadline)
    answer = verdict(result, table.name, default=DEFAULT_NETWORK, tuned=TUNED_NETWORK)
    notes = _notes(result, options)
    guesses = _guesses(table, n_most=20)
    _print_report(result, answer, notes, guesses)
    if options.output is not None:
        _write_numbers(result, answer, notes, table, options)
        _write_page(result, answer, notes, estimators, table, options, deadline)


def _prepare_folder(folder):
    """Create the output folder, and check that the files can be written.

    This is done before the comparison, so that an error comes early.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for path in (folder / name for name in _FILES):
            if path.exists():
                path.open("ab").close()  # keeps the content
    except (FileExistsError, NotADirectoryError):
        raise ValueError(
            f"--output must be a folder, and {str(folder)!r} is or lies in a file"
        ) from None
    except OSError as error:
        raise ValueError(
            f"--output {str(folder)!r} cannot be written to: {error.strerror}:"
            f" {str(error.filename)!r}"
        ) from error


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


def _compare(estimators, table, options, deadline):
    is_classes = table.task == "classification"
    folds = RepeatedStratifiedKFold if is_classes else RepeatedKFold
    n_splits = options.cv * options.repeats
    n_jobs = min(joblib.cpu_count(), len(estimators) * n_splits)
    # Fitting the networks of the HTML page takes as long as one more round of splits.
    n_rounds = math.ceil(n_splits / n_jobs)
    share = min(n_rounds / (n_rounds + 1), 0.85) if options.output else 1.0
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
            n_jobs=n_jobs,
            max_time=_share_of(deadline, share),
            progress=progress,
        )


@contextmanager
def _expected_warnings():
    with warnings.catch_warnings():
        # The comparison is about networks with a limited number of epochs, so that
        # they need not converge. Unknown categories are encoded as no category. The
        # limit of a fit is a share of the budget, which the user gave.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Found unknown categories")
        warnings.filterwarnings("ignore", "max_time=.* suffices for")
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


def _notes(result, options):
    """Return notes on the certainty of the choices and on the time, as lines."""
    notes = certainty_lines(result, TUNED_NETWORK)
    if options.budget is not None:
        notes.append(budget_line(result, options.budget))
    return notes


def _guesses(table, n_most=None):
    """Return what was guessed about a file and its columns, as lines."""
    lines = [f"file: {note}" for note in table.notes]
    return [printable(line) for line in lines + describe_roles(table.columns, n_most)]


def _print_report(result, answer, notes, guesses):
    headers, rows = comparison_table(result)
    legend = _LEGEND.format(n_splits=len(result.n_train))
    wrapped = [
        textwrap.fill(n, _WIDTH, subsequent_indent="  ") for n in [*notes, *guesses]
    ]
    legend = "\n".join([legend, *wrapped])
    if not sys.stdout.isatty():
        print(format_table(headers, rows), legend, "", answer, sep="\n")
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    # A narrow table, so that the last column has room in a terminal of 80 characters.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1))
    for header in headers:
        # Only the choices, in the last column, may be broken into several lines.
        table.add_column(header, no_wrap=header != headers[-1], overflow="fold")
    for row in rows:
        table.add_row(*row)
    # Names of files, columns and classes may look like markup or emoji, and are not.
    console = Console(markup=False, emoji=False, highlight=False)
    console.print(table)
    console.print(legend, style="dim")
    console.print(answer, style="bold")


def _write_numbers(result, answer, notes, table, options):
    frame = result.to_frame()
    frame["chosen"] = [format_choices(result.most_chosen(name)) for name in frame.index]
    frame.to_csv(options.output / _TABLE)
    content = {
        "data": table.name,
        "n_rows": len(table.y),
        "n_columns": table.X.shape[1],
        "target": table.target,
        "task": table.task,
        "file_notes": table.notes,
        "columns": [asdict(column) for column in table.columns],
        "cv": options.cv,
        "repeats": options.repeats,
        "n_candidates": options.n_candidates,
        "budget": options.budget,
        "seed": options.seed,
        "skreg_version": __version__,
        "answer": answer,
        "notes": notes,
        **result.to_dict(),
    }
    path = options.output / _NUMBERS
    path.write_text(json.dumps(content, indent=2, allow_nan=False), encoding="utf-8")


def _write_page(result, answer, notes, estimators, table, options, deadline):
    """Write report.html with networks that are fitted on all rows."""
    networks = {"default": DEFAULT_NETWORK, "tuned": TUNED_NETWORK}
    fitted = {}
    for name in networks.values():
        model = clone(estimators[name])
        if name == TUNED_NETWORK:
            model.set_params(**{time_parameter(model): _share_of(deadline)})
        with _expected_warnings():
            fitted[name] = model.fit(table.X, table.y)
    advised = better_network(result, **networks)
    page = html_report(
        result,
        answer,
        title=f"Does a regularised network beat {result.baseline} on {table.name}?",
        description=_describe(table, options),
        legend=_LEGEND.format(n_splits=len(result.n_train)),
        notes=notes,
        guesses=_guesses(table),
        fitted=fitted,
        codes=model_codes(
            fitted[advised],
            options.data,
            target=options.target,
            task=options.task,
            roles=dict(options.role) or None,
        ),
    )
    (options.output / _PAGE).write_text(page, encoding="utf-8")
