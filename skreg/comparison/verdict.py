"""Answer of a comparison in one sentence."""

from skreg.comparison.text_report import (
    format_choice,
    format_number,
    format_p,
    score_decimals,
)
from skreg.parameters.values import is_off

_SIGNIFICANCE_LEVEL = 0.05
_IN_WORDS = {
    ("batchnorm", "True"): "batch normalisation",
    ("early_stopping", "True"): "early stopping",
    ("numeric_embedding", "piecewise_linear"): "piecewise linear embeddings",
    ("numeric_embedding", "periodic"): "periodic embeddings",
}


def verdict(result, data_name, *, default, tuned):
    """Describe whether a regularised network beats the baseline, and which one.

    Parameters
    ----------
    result : ComparisonResult
        The comparison of a baseline, a default network and a tuned network.
    data_name : str
        Name of the data set.
    default, tuned : str
        Names of the two networks in the comparison.

    Returns
    -------
    str
        One sentence about the network with the better mean score. A difference counts
        if its p-value is below 0.05. Settings on which the splits disagree are marked
        as not sure.
    """
    best = better_network(result, default=default, tuned=tuned)
    advice = _advice(result, best, default, tuned)
    return f"{_answer(result, data_name, best)} {advice}."


def better_network(result, *, default, tuned):
    """Return the name of the network with the better mean score.

    Parameters
    ----------
    result : ComparisonResult
        The comparison.
    default, tuned : str
        Names of the two networks in the comparison.

    Returns
    -------
    str
        `default` or `tuned`. `tuned` if the scores are equal.
    """
    return max((tuned, default), key=lambda name: result.statistics[name].mean)


def _answer(result, data_name, network):
    values = result.statistics[network]
    size = _size(result, values.difference)
    baseline, p = result.baseline, _p_text(values.p_value)
    if values.p_value >= _SIGNIFICANCE_LEVEL:
        side = "above" if values.difference > 0 else "below"
        # "0.000 above" would look like a mistake.
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
        return "keep its defaults, as tuning did not improve it"
    sure = {each.name: each for each in result.certainties(tuned)}
    ways = [
        _in_words(choice) + _doubt(sure[choice.name])
        for choice in result.most_chosen(tuned)
        if not is_off(choice.value)
    ]
    if not ways:
        return "leave it unregularised, as tuning mostly did"
    *others, last = ways
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"regularise it with {listed}"


def _in_words(choice):
    name = choice.name.rpartition("__")[-1]
    return _IN_WORDS.get((name, str(choice.value))) or format_choice(choice)


def _doubt(certainty):
    """Describe the disagreement of the splits, if there is any."""
    if not certainty.is_sure:
        return f" (in {certainty.n_on} of {certainty.n_splits} folds: not sure)"
    if certainty.is_sure_of_strength:
        return ""
    if certainty.low is None:
        return " (not sure)"
    low, high = format_number(certainty.low), format_number(certainty.high)
    return f" ({low} to {high}: not sure)"


def _size(result, difference):
    return f"{abs(difference):.{score_decimals(result)}f}"


def _p_text(p_value):
    text = format_p(p_value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"
