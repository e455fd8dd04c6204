"""The simplest candidate whose score is as good as the best, up to chance."""

import warnings
from collections.abc import Callable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from scipy.stats import rankdata

from skreg.model_selection.cv_results import reached_last_stage, scores_of_folds
from skreg.parameters.checks import check_hidden_layer_sizes, per_convolution

# A model is simpler if a strength is larger, or if a bound is smaller. A bound of None
# is no bound. These names are the documented rule, which also holds for estimators of
# other packages (alpha, C). So they are not derived from REGULARISERS, by which
# MLPClassifierCV ranks its candidates: a new regulariser there must not change which
# candidate is chosen here.
_STRENGTHS = (
    *("l1", "l2", "group_l1", "weight_decay", "alpha"),
    *("dropout", "input_dropout", "input_noise", "pruning"),
)
_BOUNDS = ("C", "max_norm")
# The default parameters of the convolutions of a network.
_CONVOLUTIONS = {"channels": (32, 64), "kernel_size": 3, "pool": 2}


def one_standard_error(
    cv_results: Mapping[str, Any],
    *,
    complexity: Callable[[dict[str, Any]], float | tuple[float, ...]] | None = None,
    scoring: str = "score",
    n_features: int = 20,
) -> int:
    """Choose the simplest candidate within one standard error of the best.

    This is the rule of Breiman et al. [1]_. The best mean score has a standard error,
    which is estimated from the scores of the folds. Candidates whose mean score is
    within this error are as good as the best. The function can be the `refit` of a
    search, with options set by `functools.partial`.

    Parameters
    ----------
    cv_results : dict of str to array-like
        The `cv_results_` of a search, with "params" and the test scores of each fold.
        If candidates were trained in stages ("iter" in scikit-learn's halving searches,
        "rung" in ``MLPClassifierCV``), only those of the last stage are compared.
    complexity : callable, default=None
        Maps the parameters of a candidate, a dict, to a number that is smaller for
        simpler candidates, or to a tuple of numbers that are compared in order. With
        None, the number of weights and the strength of the regularisation are compared
        (see Notes).
    scoring : str, default="score"
        Name of the score to use if the search has several. A single score is called
        "score".
    n_features : int, default=20
        Number of inputs, from which the number of weights is computed, because
        `cv_results_` does not contain it. It matters only for the choice between wide
        and deep networks.

    Returns
    -------
    int
        Index of the chosen candidate, which becomes `best_index_`.

    Warns
    -----
    UserWarning
        If the candidates differ only in parameters that are not known to make a model
        simpler. The best candidate is then chosen.

    See Also
    --------
    search_space : Returns architectures to choose from.
    RegularizationPath : Can choose a strength by the same rule.

    Notes
    -----
    Let :math:`s_{ik}` be the scores of candidate :math:`i` on the :math:`K` folds,
    :math:`\\bar s_i` their mean and :math:`\\bar s_b` the best mean. The function
    chooses the simplest candidate with

    .. math::

        \\bar s_i \\ge \\bar s_b
            - \\sqrt{\\frac{1}{K (K - 1)} \\sum_k (s_{bk} - \\bar s_b)^2}

    as in [1]_ and [2]_, section 7.10. This is the variance of a sample, divided by
    :math:`K - 1`, whereas ``std_test_score`` of a search is divided by :math:`K`. The
    folds share training rows, so the estimate of the standard error is rather too
    small. If several candidates have the best mean score, :math:`b` is the simplest of
    them.

    A candidate is simpler than another if it has

    1. fewer weights. They are computed from `hidden_layer_sizes`, for `n_features`
       inputs and one output. For convolutional networks, `channels`, `kernel_size` and
       `pool` are also used, for images of `n_features` pixels. Parameters that a
       candidate does not contain have their defaults.
    2. as many weights, but stronger regularisation: larger `l1`, `l2`, `group_l1`,
       `weight_decay`, `dropout`, `input_dropout`, `input_noise`, `pruning` and `alpha`,
       smaller `max_norm` and `C`. If several of these differ between the candidates,
       the mean of their ranks among the candidates is compared. If a parameter has a
       number for each layer, their sum is used.

    Among equally simple candidates, the one with the best mean score is chosen. Names
    of pipeline steps before the name of a parameter are ignored. Candidates without a
    score are not chosen. If other parameters make a model larger, such as
    `n_estimators`, use `complexity`.

    scikit-learn's searches do not set `best_score_` if `refit` is a callable.
    HalvingGridSearchCV and HalvingRandomSearchCV ignore a callable `refit`. Call this
    function with their `cv_results_` instead.

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
        raise ValueError("A standard error needs at least 2 folds, got 1.")
    usable = np.isfinite(scores.mean(axis=1)) & reached_last_stage(cv_results)
    if not usable.any():
        raise ValueError("No candidate has a score in all folds, so none is the best.")
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
    """Return the first candidate whose mean is within a standard error of the best.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_folds)
        Scores of the candidates, in order from the simplest.

    Returns
    -------
    int
        Index of the candidate.

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
    """Return the values of a user's function, of shape (n_values, n_candidates)."""
    values = [np.ravel(complexity(candidate)) for candidate in params]
    if len({len(value) for value in values}) != 1:
        raise ValueError(
            "complexity must return the same number of values for each candidate."
        )
    values = np.array(values)
    if values.dtype.kind not in "iufb" or np.isnan(values).any():
        raise ValueError(
            "complexity must return a number or a tuple of numbers, without nan, got "
            f"{complexity(params[0])!r} for {params[0]!r}."
        )
    return values.T.astype(float)


def _complexities(params, n_features):
    """Return the numbers of weights and the negative mean ranks of the strengths."""
    named = [{name.rpartition("__")[2]: v for name, v in p.items()} for p in params]
    weights = np.array([_n_weights(candidate, n_features) for candidate in named])
    ranks = [
        rankdata(strengths)
        for strengths in _strengths(named)
        if len(np.unique(strengths)) > 1
    ]
    if not ranks and len(np.unique(weights)) < 2 and len(params) > 1:
        _warn_of_unknown_complexity(params)
    return weights, -np.mean(ranks, axis=0) if ranks else np.zeros(len(params))


def _warn_of_unknown_complexity(params):
    names = sorted({name for candidate in params for name in candidate})
    varied = [n for n in names if len({repr(p.get(n)) for p in params}) > 1]
    warnings.warn(
        f"None of the parameters {varied} is known to make a model simpler, so the "
        "best candidate is chosen. Pass complexity, a function that maps the "
        "parameters of a candidate to a number.",
        UserWarning,
        stacklevel=4,
    )


def _n_weights(candidate, n_features):
    """Return the number of weights between layers, infinity if it is not known."""
    sizes, n_weights = candidate.get("hidden_layer_sizes"), 0
    if any(name in candidate for name in _CONVOLUTIONS):
        found, n_in = _CONVOLUTIONS | candidate, 1
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
    """Yield lists of a number for each candidate, larger for simpler candidates."""
    for name in _STRENGTHS:
        yield [_total(candidate.get(name), off=0.0) for candidate in named]
    for name in _BOUNDS:
        yield [-_total(candidate.get(name), off=np.inf) for candidate in named]


def _total(strength, off):
    """Return a strength, summed over the layers, or `off` if it is not a number."""
    if isinstance(strength, Real) and not isinstance(strength, bool):
        return float(strength)
    if isinstance(strength, list | tuple | np.ndarray) and len(strength):
        return float(np.sum(strength))
    return off
