"""The comparison as a table of text."""

import math

from skreg._choices import is_off


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
        # Rounded first, so that 100.0 is 100 rather than 1e+02.
        return f"{name}={float(f'{choice.value:.2g}'):g}"
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
