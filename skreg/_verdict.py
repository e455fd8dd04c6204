"""The one sentence that answers what the comparison was run for."""

from skreg._choices import is_off
from skreg._report import format_choice, format_p, score_decimals

_SIGNIFICANCE_LEVEL = 0.05
_IN_WORDS = {"batchnorm": "batch normalisation", "early_stopping": "early stopping"}


def verdict(result, data_name, *, default, tuned):
    """Say whether a regularised network beats the baseline, and which.

    Parameters
    ----------
    result : ComparisonResult
        The comparison of a baseline, a default and a tuned network.
    data_name : str
        Name of the data set.
    default, tuned : str
        Names of the two networks in the comparison.

    Returns
    -------
    str
        One sentence. It speaks of the network with the better mean score, and
        calls a difference one where its p-value is below 0.05.
    """
    best = better_network(result, default=default, tuned=tuned)
    advice = _advice(result, best, default, tuned)
    return f"{_answer(result, data_name, best)} {advice}."


def better_network(result, *, default, tuned):
    """Find the network that the answer speaks of.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.
    default, tuned : str
        Names of the two networks in the comparison.

    Returns
    -------
    str
        The name with the better mean score, of `tuned` among equals.
    """
    return max((tuned, default), key=lambda name: result.statistics[name].mean)


def _answer(result, data_name, network):
    values = result.statistics[network]
    size = _size(result, values.difference)
    baseline, p = result.baseline, _p_text(values.p_value)
    if values.p_value >= _SIGNIFICANCE_LEVEL:
        side = "above" if values.difference > 0 else "below"
        # "0.000 above" would read as a mistake.
        place = (
            f"{size} {side} {baseline} in {result.scoring}, no more than chance gives"
            if float(size)
            else f"the same as {baseline} in {result.scoring}"
        )
        return (
            f"No clear difference on {data_name}: the {network} scores {place} ({p});"
            " if you use the network,"
        )
    if values.difference > 0:
        return (
            f"Yes: on {data_name} the {network} beats {baseline} by {size} in"
            f" {result.scoring} ({p});"
        )
    return (
        f"No: on {data_name} {baseline} beats the {network} by {size} in"
        f" {result.scoring} ({p}); if it must be a network,"
    )


def _advice(result, best, default, tuned):
    if best == default:
        return "leave it unregularised, as tuning did not improve it"
    ways = [_in_words(choice) for choice in result.most_chosen(tuned)]
    ways = [way for way in ways if way]
    if not ways:
        return "leave it unregularised, as tuning mostly did"
    *others, last = ways
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"regularise it with {listed}"


def _in_words(choice):
    if is_off(choice.value):
        return ""
    return _IN_WORDS.get(choice.name, format_choice(choice))


def _size(result, difference):
    return f"{abs(difference):.{score_decimals(result)}f}"


def _p_text(p_value):
    text = format_p(p_value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"
