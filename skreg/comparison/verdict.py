"""Answer of a comparison in one sentence."""

import math

from skreg.comparison.text_report import (
    format_choice,
    format_number,
    format_p,
    has_too_few_splits,
    score_decimals,
)
from skreg.comparison.ttest import LEAST_DIFFERENCES
from skreg.parameters.suggestions import in_words
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
        if its p-value is below 0.05. Without a p-value, the sentence says that nothing
        can be told, and why. It also says on which settings the splits disagree, and
        whether tuning ran out of time.
    """
    best = better_network(result, default=default, tuned=tuned)
    advice = _advice(result, best, default, tuned)
    time = _shortage_of_time(result, tuned)
    return f"{_answer(result, data_name, best)} {advice}{time}."


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
    values, baseline = result.statistics[network], result.baseline
    size = _size(result, values.difference)
    if values.p_value < _SIGNIFICANCE_LEVEL:
        p = _p_text(values.p_value)
        if values.difference > 0:
            return (
                f"Yes: on {data_name} the {network} beats {baseline} by {size} in"
                f" {result.scoring} ({p});"
            )
        return (
            f"No: on {data_name} {baseline} beats the {network} by {size} in"
            f" {result.scoring} ({p}); if it must be a network,"
        )
    is_unknown = math.isnan(values.p_value)
    start = "Cannot tell" if is_unknown else "No clear difference"
    return (
        f"{start} on {data_name}: the {network} {_standing(result, values, size)};"
        " if you use the network,"
    )


def _standing(result, values, size):
    """Describe a difference that is no more than chance, or that tells nothing."""
    if not math.isfinite(values.difference):
        return f"has no finite difference from {result.baseline} in {result.scoring}"
    # "0.000 above" would look like a mistake.
    is_same = float(size) == 0
    side = "above" if values.difference > 0 else "below"
    place = "the same as" if is_same else f"{size} {side}"
    place = f"scores {place} {result.baseline} in {result.scoring}"
    if has_too_few_splits(result):
        n_splits = len(result.n_test)
        return (
            f"{place}, but {n_splits} folds are too few for a test, which needs at"
            f" least {LEAST_DIFFERENCES}"
        )
    if math.isnan(values.p_value):
        return f"{place}, equally on all folds, and without any spread there is no test"
    p = _p_text(values.p_value)
    return f"{place} ({p})" if is_same else f"{place}, no more than chance gives ({p})"


def _advice(result, best, default, tuned):
    if best == default:
        return "keep its defaults, as tuning did not improve it"
    sure = {each.name: each for each in result.certainties(tuned)}
    choices = [each for each in result.most_chosen(tuned) if not is_off(each.value)]
    if not choices:
        return "leave it unregularised, as tuning mostly did"
    ways = [_in_words(each) + _spread(sure[each.name]) for each in choices]
    doubts = _doubts([sure[each.name] for each in choices])
    return f"regularise it with {_listed(ways)}{doubts}"


def _doubts(certainties):
    """Name the settings that the splits are not sure of, once for all of them."""
    if certainties[0].has_too_few_splits:
        n_splits = certainties[0].n_splits
        return f"; {n_splits} folds are too few to be sure of any setting"
    names = [_short_name(each) for each in certainties if not _is_sure(each)]
    return f"; the folds do not agree on {_listed(names)}" if names else ""


def _shortage_of_time(result, tuned):
    n_stopped = result.n_stopped(tuned)
    if not n_stopped:
        return ""
    return (
        f"; tuning ran out of time in {n_stopped} of {len(result.n_test)} fits, and"
        " more time may improve it"
    )


def _in_words(choice):
    return _IN_WORDS.get((_short_name(choice), str(choice.value))) or format_choice(
        choice
    )


def _spread(certainty):
    """Describe the disagreement of the splits, if there is any."""
    if certainty.has_too_few_splits or _is_sure(certainty):
        return ""
    if not certainty.is_sure:
        return f" (in {certainty.n_on} of {certainty.n_splits} folds)"
    if certainty.low is None:
        return f" (or {in_words(list(certainty.values)[1:])})"
    low, high = format_number(certainty.low), format_number(certainty.high)
    return f" ({low} to {high})"


def _is_sure(certainty):
    return certainty.is_sure and certainty.is_sure_of_strength


def _short_name(setting):
    return setting.name.rpartition("__")[-1]


def _listed(words):
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _size(result, difference):
    return f"{abs(difference):.{score_decimals(result)}f}"


def _p_text(p_value):
    text = format_p(p_value)
    return f"p < {text[1:]}" if text.startswith("<") else f"p = {text}"
