"""Comparison as plain text."""

import math
from statistics import median

from skreg.comparison.ttest import LEAST_DIFFERENCES
from skreg.parameters.values import is_off

# Standard errors over the folds. With a smaller lead, the choice may be chance.
CLEAR_MARGIN = 2.0


def comparison_table(result):
    """Return the cells of a table that shows a comparison.

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
                "" if is_baseline else _p_cell(result, values.p_value),
                f"{values.fit_time:.2f}",
                format_choices(result.most_chosen(name)),
            ]
        )
    return headers, rows


def format_table(headers, rows):
    """Format a table as plain text in aligned columns.

    Parameters
    ----------
    headers : list of str
        One per column.
    rows : list of list of str
        The cells.

    Returns
    -------
    str
        The table, without trailing spaces in its lines.
    """
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    rule = ["-" * width for width in widths]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in [headers, rule, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def _p_cell(result, p_value):
    """Format a p-value, or the reason why there is none."""
    if has_too_few_splits(result):
        return "too few splits"
    return "cannot tell" if math.isnan(p_value) else format_p(p_value)


def has_too_few_splits(result):
    """Return whether a comparison has too few splits for p-values.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.

    Returns
    -------
    bool
    """
    return len(result.n_test) < LEAST_DIFFERENCES


def format_p(p_value):
    """Format a p-value with three decimals, or as ``"<0.001"`` if it is smaller.

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
    """Format the hyperparameters that are on, with the share of splits if not all.

    Parameters
    ----------
    choices : list of Choice
        The most frequent choices of an estimator.

    Returns
    -------
    str
        Such as ``"l2=0.01, dropout=0.3 (7/10)"``. ``"none"`` if all are off, and
        ``"-"`` if nothing was tuned.
    """
    if not choices:
        return "-"
    on = [_with_share(choice) for choice in choices if not is_off(choice.value)]
    return ", ".join(on) or "none"


def format_choice(choice):
    """Format one hyperparameter, by its name alone if its value is True.

    Parameters
    ----------
    choice : Choice
        The most frequent choice of an estimator.

    Returns
    -------
    str
        Such as ``"l2=0.01"`` or ``"batchnorm"``.
    """
    # In a pipeline the name is step__name.
    name = choice.name.rpartition("__")[-1]
    if choice.value is True:
        return name
    if isinstance(choice.value, float):
        return f"{name}={format_number(choice.value)}"
    return f"{name}={choice.value}"


def format_signed(number, decimals):
    """Format a difference with its sign, or without one if it rounds to 0.

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
    """Return the number of decimals that show two digits of the scores' spread.

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
    spreads = [spread for spread in spreads if math.isfinite(spread)]
    if max(spreads, default=0.0) == 0:
        return 3
    # The smallest spread, unless it is negligible beside the largest.
    spread = max(min(spreads), max(spreads) / 10)
    return min(max(1 - math.floor(math.log10(spread)), 0), 6)


def _with_share(choice):
    if choice.n_chosen == choice.n_splits:
        return format_choice(choice)
    return f"{format_choice(choice)} ({choice.n_chosen}/{choice.n_splits})"


def certainty_lines(result, name):
    """Describe the certainty of a tuned estimator's choices.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.
    name : str
        Name of the estimator.

    Returns
    -------
    list of str
        One line for the hyperparameters of each certainty, and one about the lead of
        the best setting over the next if the searches have it. Empty if nothing was
        tuned.
    """
    found = result.certainties(name)
    if not found:
        return []
    lines = [
        f"{name}: {heading} {'; '.join(map(describe_certainty, members))}"
        for heading, members in group_by_certainty(found).items()
    ]
    margins = [m for m in result.margins.get(name, []) if m is not None]
    if margins:
        middle = median(margins)
        judged = "clearly ahead" if middle >= CLEAR_MARGIN else "perhaps by chance"
        lines.append(
            f"{name}: inside a fold the best setting is {middle:.1f} standard errors"
            f" ahead of the next (median of {len(margins)} folds), {judged}"
        )
    return lines


def group_by_certainty(certainties):
    """Group hyperparameters by what the splits agree on.

    Parameters
    ----------
    certainties : list of Certainty
        The choices of the splits.

    Returns
    -------
    dict of str to list of Certainty
        By the beginning of a sentence about them.
    """
    groups = {}
    for each in certainties:
        groups.setdefault(_heading(each), []).append(each)
    return {heading: groups[heading] for heading in _HEADINGS if heading in groups}


_HEADINGS = _TOO_FEW, _USE, _VALUE, _EITHER, _LEAVE_OUT = (
    "too few folds to be sure of",
    "sure to use",
    "sure to use, but not of the value of",
    "not sure whether to use",
    "sure not to use",
)


def _heading(certainty):
    if certainty.has_too_few_splits:
        return _TOO_FEW
    if not certainty.is_sure:
        return _EITHER
    if certainty.n_on <= certainty.n_splits / 2:
        return _LEAVE_OUT
    return _USE if certainty.is_sure_of_strength else _VALUE


def describe_certainty(certainty):
    """Describe the choices of the splits for one hyperparameter.

    Parameters
    ----------
    certainty : Certainty
        The choices of the splits.

    Returns
    -------
    str
        Such as ``"l2 between 0.001 and 0.008 in 10 of 10 folds"``.
    """
    name = certainty.name.rpartition("__")[-1]
    share = f"in {certainty.n_on} of {certainty.n_splits} folds"
    return f"{name}{_spread(certainty)} {share}"


def _spread(certainty):
    """Format the range of the strengths, or the values that are not numbers."""
    if certainty.low is None:
        values = list(certainty.values)
        return f" {' or '.join(values)}" if values and values != ["True"] else ""
    low, high = format_number(certainty.low), format_number(certainty.high)
    return f" {low}" if low == high else f" between {low} and {high}"


def budget_line(result, seconds):
    """Describe the effect of a time limit.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.
    seconds : float
        The time limit.

    Returns
    -------
    str
        The number of splits done, and of the fits that were cut off.
    """
    n_done, n_planned = len(result.n_train), result.n_planned
    end = f"all {n_done} splits were done"
    if n_done < n_planned:
        end = f"it ended after {n_done} of {n_planned} splits"
    parts = [f"budget of {seconds:g} s: {end}"]
    for name in result.scores:
        n = result.n_stopped(name)
        if n:
            parts.append(
                f"the {name} ran out of time in {n} of {n_done} fits, and more time may"
                " improve it"
            )
    return "; ".join(parts)


def format_number(number):
    """Format a number with two significant digits.

    Parameters
    ----------
    number : float
        The number.

    Returns
    -------
    str
        Such as ``"0.0048"`` or ``"1e-05"``.
    """
    # Round first, so that 100.0 becomes 100 and not 1e+02.
    return f"{float(f'{number:.2g}'):g}"
