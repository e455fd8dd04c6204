"""The simplest candidate whose score is as good as the best, up to chance."""

import warnings
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from scipy.stats import rankdata

from skreg.model_selection.cv_results import reached_last_stage, scores_of_folds
from skreg.parameters.checks import check_hidden_layer_sizes, per_convolution

__all__ = ["one_standard_error"]

# Strengths that make a model simpler as they grow, and those that do as they shrink,
# of which None is no bound at all.
_STRENGTHS = (
    *("l1", "l2", "group_l1", "weight_decay", "alpha"),
    *("dropout", "input_dropout", "input_noise", "pruning"),
)
_BOUNDS = ("C", "max_norm")
# Of convolutional networks, with the defaults.
_OF_CONVOLUTIONS = {"channels": (32, 64), "kernel_size": 3, "pool": 2}


def one_standard_error(
    cv_results: Mapping[str, Any],
    *,
    complexity: Callable[[dict[str, Any]], float | tuple[float, ...]] | None = None,
    scoring: str = "score",
    n_features: int = 20,
) -> int:
    """Choose the simplest candidate within one standard error of the best.

    The rule of Breiman et al. [1]_: the scores of the folds say how uncertain the best
    mean score is, and what is nearer to it than that is as good. For the `refit` of a
    search; options are given by `functools.partial`.

    Parameters
    ----------
    cv_results : dict of str to array-like
        The `cv_results_` of a search: "params" and the test scores of each fold. Of
        candidates that were trained in stages ("iter" of scikit-learn's halving, "rung"
        of ``MLPClassifierCV``), those of the last stage are looked at.
    complexity : callable, default=None
        Takes the parameters of a candidate, a dict, and returns a number that is less
        for a simpler one, or a tuple of them, of which the first decides. None is by
        the number of weights and the strengths, see Notes.
    scoring : str, default="score"
        Which of several scores decides. With one score it is called "score".
    n_features : int, default=20
        Number of inputs, to count weights by; a search does not tell it. It matters
        only between wide and deep networks.

    Returns
    -------
    int
        Position of the chosen candidate, `best_index_`.

    Warns
    -----
    UserWarning
        If nothing that differs between the candidates is known to make one simpler.
        The best candidate is then chosen.

    See Also
    --------
    search_space : Makes architectures to choose from.
    RegularizationPath : Has the same choice of a strength.

    Notes
    -----
    With the scores :math:`s_{ik}` of candidate :math:`i` on the :math:`K` folds, their
    means :math:`\\bar s_i` and the best mean :math:`\\bar s_b`, it is the simplest
    :math:`i` that has

    .. math::

        \\bar s_i \\ge \\bar s_b
            - \\sqrt{\\frac{1}{K (K - 1)} \\sum_k (s_{bk} - \\bar s_b)^2}

    as in [1]_ and [2]_, section 7.10. The variance is divided by :math:`K - 1`, as that
    of a sample is; ``std_test_score`` of a search is divided by :math:`K`. Folds share
    training rows, so that the standard error is an estimate that is rather too small.
    Of the best mean scores that are equal, the simplest candidate's is taken.

    Simple are, in this order:

    1. few weights, of `hidden_layer_sizes`, for `n_features` inputs and one output; of
       convolutional networks, of `channels`, `kernel_size` and `pool`, too, for images
       of `n_features` pixels, and their defaults where candidates do not tell;
    2. strong regularisation: large `l1`, `l2`, `group_l1`, `weight_decay`, `dropout`,
       `input_dropout`, `input_noise`, `pruning` and `alpha`, small `max_norm` and `C`.
       Where several of them differ, each counts by its rank among the candidates, and
       the mean of the ranks decides. Of one number per layer, it is their sum.

    Of equally simple candidates the one with the best mean score is chosen. The names
    of pipeline steps in front of a parameter's are ignored. Candidates without a score
    are not chosen. What else makes a model larger, such as `n_estimators`, is for
    `complexity` to say.

    scikit-learn's searches do not set `best_score_` if `refit` is a callable, and
    HalvingGridSearchCV and HalvingRandomSearchCV ignore it: call this with their
    `cv_results_`.

    References
    ----------
    .. [1] Breiman, Friedman, Olshen and Stone (1984), "Classification and Regression
       Trees", section 3.4.3.
    .. [2] Hastie, Tibshirani and Friedman (2009), "The Elements of Statistical
       Learning".

    Examples
    --------
    >>> from functools import partial
    >>> from sklearn.datasets import load_wine
    >>> from sklearn.model_selection import GridSearchCV
    >>> import skreg
    >>> X, y = load_wine(return_X_y=True)
    >>> network = skreg.MLPClassifier(random_state=0)
    >>> grid = {"hidden_layer_sizes": [(), (8,), (64, 64)]}
    >>> rule = partial(skreg.one_standard_error, n_features=X.shape[1])
    >>> with skreg.fused():
    ...     search = GridSearchCV(network, grid, refit=rule).fit(X, y)
    >>> search.best_params_
    {'hidden_layer_sizes': ()}
    """
    scores = scores_of_folds(cv_results, scoring)
    if scores.shape[1] < 2:
        raise ValueError("A standard error takes 2 folds at least, got 1.")
    usable = np.isfinite(scores.mean(axis=1)) & reached_last_stage(cv_results)
    if not usable.any():
        raise ValueError("No candidate has a score in all folds, so that none is best.")
    places = np.flatnonzero(usable)
    scores = scores[places]
    params = [cv_results["params"][place] for place in places]
    if complexity is None:
        complexities = _complexities(params, n_features)
    else:
        complexities = _complexities_by(complexity, params)
    # The last key of lexsort decides first.
    order = np.lexsort([-scores.mean(axis=1), *reversed(complexities)])
    return int(places[order[first_within_one_standard_error(scores[order])]])


def first_within_one_standard_error(scores):
    """Find the first candidate whose mean is within a standard error of the best.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)
        The candidates come in order, the simplest first.

    Returns
    -------
    int
        Its position.

    Examples
    --------
    >>> import numpy as np
    >>> from skreg.model_selection.simplest import first_within_one_standard_error
    >>> scores = np.array([[0.1, 0.2], [0.6, 0.9], [0.7, 0.9]])
    >>> first_within_one_standard_error(scores)
    1
    """
    means = scores.mean(axis=1)
    best = means.argmax()
    error = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
    return int((means >= means[best] - error).argmax())


def _complexities_by(complexity, params):
    """Return a user's numbers, of shape (n_numbers, n_candidates)."""
    values = [np.ravel(complexity(candidate)) for candidate in params]
    if len({len(value) for value in values}) != 1:
        raise ValueError("complexity must return as many numbers for each candidate.")
    values = np.array(values)
    if values.dtype.kind not in "iufb" or np.isnan(values).any():
        raise ValueError(
            "complexity must return a number, or a tuple of numbers, and not nan; got "
            f"{complexity(params[0])!r} for {params[0]!r}."
        )
    return values.T.astype(float)


def _complexities(params, n_features):
    """Return the number of weights, and minus the mean rank of the strengths."""
    named = [{name.rpartition("__")[2]: v for name, v in p.items()} for p in params]
    weights = np.array([_n_weights(candidate, n_features) for candidate in named])
    ranks = [
        rankdata(strengths)
        for strengths in _strengths(named)
        if len(np.unique(strengths)) > 1
    ]
    if not ranks and len(np.unique(weights)) < 2 and len(params) > 1:
        _warn_of_nothing_known(params)
    return weights, -np.mean(ranks, axis=0) if ranks else np.zeros(len(params))


def _warn_of_nothing_known(params):
    names = sorted({name for candidate in params for name in candidate})
    varied = [n for n in names if len({repr(p.get(n)) for p in params}) > 1]
    warnings.warn(
        f"Of the parameters {varied} none is known to make a model simpler, so that "
        "the best candidate is chosen. Give complexity, which takes a candidate's "
        "parameters and returns a number.",
        UserWarning,
        stacklevel=4,
    )


def _n_weights(candidate, n_features):
    """Count the weights between the layers; without sizes no network is larger."""
    sizes, n_weights = candidate.get("hidden_layer_sizes"), 0
    if any(name in candidate for name in _OF_CONVOLUTIONS):
        found, n_in = _OF_CONVOLUTIONS | candidate, 1
        sizes = found.get("hidden_layer_sizes", (100,))
        channels = per_convolution("channels", found["channels"])
        kernels, pools = (
            per_convolution(name, found[name], len(channels))
            for name in ("kernel_size", "pool")
        )
        for n_out, kernel, pool in zip(channels, kernels, pools):
            n_weights += n_in * kernel**2 * n_out
            n_features, n_in = n_features * n_out / (n_in * pool**2), n_out
    if sizes is None:
        return np.inf
    sizes = np.array([n_features, *check_hidden_layer_sizes(sizes), 1], dtype=float)
    return n_weights + (sizes[:-1] * sizes[1:]).sum()


def _strengths(named):
    """Yield what makes candidates simpler as it grows, of all of them at a time."""
    for name in _STRENGTHS:
        yield [_total(candidate.get(name), off=0.0) for candidate in named]
    for name in _BOUNDS:
        yield [-_total(candidate.get(name), off=np.inf) for candidate in named]


def _total(strength, off):
    """Return a strength, or the sum of one per layer; `off` for what is no number."""
    if isinstance(strength, Real) and not isinstance(strength, bool):
        return float(strength)
    if isinstance(strength, list | tuple | np.ndarray) and len(strength):
        return float(np.sum(strength))
    return off
