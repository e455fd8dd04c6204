"""The comparison as a table of text."""

import math
from statistics import median

from skreg.parameters.values import is_off

# In standard errors over the folds; what is nearer is chosen by chance as well.
CLEAR_MARGIN = 2.0


def comparison_table(result):
    """Lay out a comparison as the cells of a table.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.

    Returns
    -------
    headers : list of str
        One per column.
    rows : list of list of str
        One per estimator.
    """
    headers = [
        "model",
        result.scoring,
        "difference",
        "p",
        "fit s",
        "chosen most often",
    ]
    decimals = score_decimals(result)
    rows = []
    for name, values in result.statistics.items():
        is_baseline = name == result.baseline
        rows.append(
            [
                name,
                f"{values.mean:.{decimals}f} ± {values.sd:.{decimals}f}",
                "baseline"
                if is_baseline
                else format_signed(values.difference, decimals),
                "" if is_baseline else format_p(values.p_value),
                f"{values.fit_time:.2f}",
                format_choices(result.most_chosen(name)),
            ]
        )
    return headers, rows


def format_table(headers, rows):
    """Set a table in columns of plain text.

    Parameters
    ----------
    headers : list of str
        One per column.
    rows : list of list of str
        The cells.

    Returns
    -------
    str
        Lines without trailing spaces.
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [headers, rule, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def format_p(p_value):
    """Write a p-value to three decimals, and a smaller one as such.

    Parameters
    ----------
    p_value : float
        The p-value.

    Returns
    -------
    str
        Such as ``"0.012"`` or ``"<0.001"``.
    """
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def format_choices(choices):
    """Write the hyperparameters that are on, and in how many splits if not all.

    Parameters
    ----------
    choices : list of Choice
        What an estimator chose most often.

    Returns
    -------
    str
        Such as ``"l2=0.01, dropout=0.3 (7/10)"``; ``"none"`` where all are off,
        ``"-"`` where nothing was tuned.
    """
    if not choices:
        return "-"
    on = [_with_share(choice) for choice in choices if not is_off(choice.value)]
    return ", ".join(on) or "none"


def format_choice(choice):
    """Write one hyperparameter, by its name alone where its value is True.

    Parameters
    ----------
    choice : Choice
        What an estimator chose most often.

    Returns
    -------
    str
        Such as ``"l2=0.01"`` or ``"batchnorm"``.
    """
    # Inside a pipeline the name is step__name.
    name = choice.name.rpartition("__")[-1]
    if choice.value is True:
        return name
    if isinstance(choice.value, float):
        return f"{name}={format_number(choice.value)}"
    return f"{name}={choice.value}"


def format_signed(number, decimals):
    """Write a difference with its sign, and without one where it rounds to 0.

    Parameters
    ----------
    number : float
        The difference.
    decimals : int
        Number of decimals.

    Returns
    -------
    str
        Such as ``"+0.012"`` or ``"0.000"``.
    """
    rounded = round(number, decimals)
    return f"{rounded:+.{decimals}f}" if rounded else f"{0:.{decimals}f}"


def score_decimals(result):
    """Find the decimals that show two digits of the spread of the scores.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.

    Returns
    -------
    int
        Between 0 and 6.
    """
    spreads = [values.sd for values in result.statistics.values()]
    if max(spreads) == 0:
        return 3
    # Of the smallest spread, but not of one that is nothing beside the largest.
    spread = max(min(spreads), max(spreads) / 10)
    return min(max(1 - math.floor(math.log10(spread)), 0), 6)


def _with_share(choice):
    if choice.n_chosen == choice.n_splits:
        return format_choice(choice)
    return f"{format_choice(choice)} ({choice.n_chosen}/{choice.n_splits})"


def certainty_lines(result, name):
    """Say how sure the choices of a tuned estimator are.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.
    name : str
        Name of the estimator.

    Returns
    -------
    list of str
        A line about the hyperparameters, and one about the settings as a whole if the
        searches tell how near the next best was; empty where nothing was tuned.
    """
    found = result.certainties(name)
    if not found:
        return []
    described = "; ".join(describe_certainty(each) for each in found)
    lines = [f"{name}: {described}"]
    margins = [m for m in result.margins.get(name, []) if m is not None]
    if margins:
        middle = median(margins)
        judged = "clearly ahead" if middle >= CLEAR_MARGIN else "not sure"
        lines.append(
            f"{name}: inside a fold the best setting is {middle:.1f} standard errors"
            f" ahead of the next (median of {len(margins)} folds): {judged}"
        )
    return lines


def describe_certainty(certainty):
    """Write how alike the choices of one hyperparameter were.

    Parameters
    ----------
    certainty : Certainty
        What the splits chose.

    Returns
    -------
    str
        Such as ``"l2 between 0.001 and 0.008 in 10 of 10 folds"``, or
        ``"dropout 0.1 in 6 of 10: not sure"``.
    """
    name = certainty.name.rpartition("__")[-1]
    share = f"in {certainty.n_on} of {certainty.n_splits} folds"
    if certainty.n_on == 0:
        return f"{name} {share}"
    doubt = ""
    if not certainty.is_sure:
        doubt = ": not sure"
    elif certainty.n_on > certainty.n_splits / 2 and not certainty.is_sure_of_strength:
        doubt = ": not sure how strong" if certainty.low is not None else ": not sure"
    return f"{name}{_spread(certainty)} {share}{doubt}"


def _spread(certainty):
    """Write the strengths, or the value where it is always the same."""
    if certainty.low is None:
        values = list(certainty.values)
        return "" if values == ["True"] else f" {' or '.join(values)}"
    low, high = format_number(certainty.low), format_number(certainty.high)
    return f" {low}" if low == high else f" between {low} and {high}"


def budget_line(result, seconds):
    """Say what a bound on the time changed.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.
    seconds : float
        The bound.

    Returns
    -------
    str
    """
    n_done, n_planned = len(result.n_train), result.n_planned
    end = f"all {n_done} splits were done"
    if n_done < n_planned:
        end = f"it ended after {n_done} of {n_planned} splits"
    parts = [f"budget of {seconds:g} s: {end}"]
    for name in result.scores:
        n = result.n_stopped(name)
        if n:
            parts.append(f"the {name} used up its share in {n} of {n_done} fits")
    return "; ".join(parts)


def format_number(number):
    """Write a number with two digits.

    Parameters
    ----------
    number : float
        The number.

    Returns
    -------
    str
        Such as ``"0.0048"`` or ``"1e-05"``.
    """
    # Rounded first, so that 100.0 is 100 rather than 1e+02.
    return f"{float(f'{number:.2g}'):g}"
