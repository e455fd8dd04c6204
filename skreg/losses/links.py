"""The inverse links of losses: from raw outputs to what they predict."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch.nn import functional


class Link(NamedTuple):
    """An inverse link, its inverse, and the raw outputs of a mean prediction.

    Parameters
    ----------
    inverse : callable
        From raw outputs to predictions.
    forward : callable
        From predictions to raw outputs. Predictions at a bound, where these would be
        infinite, count as the nearest number within.
    mean_score : callable
        From raw outputs of several networks, of shape (n_models, n_rows, n_outputs), to
        those whose inverse link is the mean of the networks' predictions.
    """

    inverse: Callable[[torch.Tensor], torch.Tensor]
    forward: Callable[[torch.Tensor], torch.Tensor]
    mean_score: Callable[[torch.Tensor], torch.Tensor]


def _same(values):
    return values


def _mean(scores):
    return scores.mean(0)


def _sort(values):
    return values.sort(-1).values


def _mean_of_sorted(scores):
    return _mean(_sort(scores))


def _log(values):
    return values.clamp(min=torch.finfo(values.dtype).tiny).log()


def _logit(values):
    numbers = torch.finfo(values.dtype)
    return values.clamp(numbers.tiny, 1 - numbers.eps).logit()


def _log_mean_exp(logarithms):
    """Return the logarithm of the mean over models, computed without overflow."""
    return torch.logsumexp(logarithms, 0) - math.log(len(logarithms))


def _mean_of_logits(scores):
    # From logarithms, because a mean that is rounded to 0 or 1 has no log-odds.
    above, below = functional.logsigmoid(scores), functional.logsigmoid(-scores)
    return torch.logsumexp(above, 0) - torch.logsumexp(below, 0)


def _mean_of_classes(scores):
    return _log_mean_exp(log_softmax(scores))


def softmax(score):
    """Return the softmax over the last axis."""
    return _over_classes(torch.softmax, score)


def log_softmax(score):
    """Return the logarithm of the softmax over the last axis."""
    return _over_classes(torch.log_softmax, score)


def _over_classes(function, score):
    """Apply a softmax to the last axis.

    Torch vectorises over rows that lie side by side, but not over a last axis that is
    shorter than its vectors. With the axes swapped the result is the same and takes a
    fraction of the time. The copies cost more than they save for few numbers, and ten
    times as much for hundreds of classes.
    """
    if score.numel() < 256 or score.size(-1) >= 16:
        return function(score, -1)
    return function(score.mT.contiguous(), -2).mT.contiguous()


# By their names, which are those of scikit-learn's `out_activation_` if it has them.
LINKS = {
    "identity": Link(_same, _same, _mean),
    "sorted": Link(_sort, _same, _mean_of_sorted),
    "exp": Link(torch.exp, _log, _log_mean_exp),
    "logistic": Link(torch.sigmoid, _logit, _mean_of_logits),
    "softmax": Link(softmax, _log, _mean_of_classes),
}
