"""Code that depends on the versions of scikit-learn, scipy and torch.

Private names of these packages are imported from here only, so that a release that
moves one requires a change in a single place. Features of newer releases are used if
they are available, and replaced here otherwise:

- scikit-learn 1.9 has callbacks. In older versions, estimators have no `set_callbacks`,
  and fits and searches call no callbacks.
- scikit-learn 1.9 lets a search check its folds once, for all candidates.
- scikit-learn 1.9 rejects sample weights that are all zero.
- From scikit-learn 1.8 on, `LogisticRegressionCV` takes its penalty from `l1_ratios`,
  and warns if `use_legacy_attributes` is not set.
- scikit-learn 1.7 uses sample weights to balance classes.
- From scipy 1.15 on, the parameter for a random generator is called `rng`.
"""

import copy
from collections.abc import Callable
from inspect import currentframe, signature
from typing import Any, Protocol, Self, TypeVar

import numpy as np
import scipy
import sklearn
import torch
from scipy.stats.qmc import LatinHypercube
from sklearn import base, utils
from sklearn.base import is_classifier
from sklearn.model_selection import _search, check_cv
from sklearn.utils import (
    _metadata_requests,
    _param_validation,
    indexable,
    metaestimators,
    parallel,
    validation,
)
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    InvalidParameterError,
    Options,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
)

__all__ = [
    "RIDGE_LOGISTIC_CV",
    "SKLEARN",
    "BaseSearchCV",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "InvalidParameterError",
    "NoCallbacks",
    "Options",
    "ParametersMixin",
    "RealNotInt",
    "StrOptions",
    "available_if",
    "callback_attributes",
    "callback_context",
    "check_constraints",
    "check_matplotlib_support",
    "check_method_params",
    "check_sample_weight",
    "compute_class_weight",
    "fit_context",
    "foreach_addcmul_",
    "foreach_lerp_",
    "foreach_mul_",
    "foreach_zero_",
    "fused_adam_",
    "fused_sgd_",
    "has_callbacks",
    "is_sliced_by_search",
    "latin_hypercube",
    "metric_of",
    "num_samples",
    "raise_for_params",
    "run_search_arguments",
    "safe_indexing",
    "target_of_metric",
    "told_labels",
    "validate_parameter_constraints",
    "validate_params",
]


def _minor_version(package):
    """Return the major and minor version of a package, such as (1, 9)."""
    return tuple(int(number) for number in package.__version__.split(".")[:2])


SKLEARN = _minor_version(sklearn)

# The parameters of LogisticRegressionCV for an l2 penalty.
RIDGE_LOGISTIC_CV = (
    {"l1_ratios": (0,), "use_legacy_attributes": False} if SKLEARN >= (1, 8) else {}
)

check_method_params = validation._check_method_params
num_samples = validation._num_samples
raise_for_params = _metadata_requests._raise_for_params

_Decorated = TypeVar("_Decorated", bound=Callable[..., object])


class _Decorator(Protocol):
    """A decorator that does not change the type of a function."""

    def __call__(self, function: _Decorated, /) -> _Decorated:
        """Return the decorated function."""


# Without these annotations, decorated functions would lose their types.
available_if: Callable[..., _Decorator] = metaestimators.available_if
fit_context: Callable[..., _Decorator] = base._fit_context
validate_params: Callable[..., _Decorator] = _param_validation.validate_params

# The kernels of torch.optim, which update many tensors in one call.
foreach_addcmul_ = torch._foreach_addcmul_
foreach_lerp_ = torch._foreach_lerp_
foreach_mul_ = torch._foreach_mul_
foreach_zero_ = torch._foreach_zero_
fused_adam_ = torch._fused_adam_
fused_sgd_ = torch._fused_sgd_


def latin_hypercube(d, rng):
    """Return a `scipy.stats.qmc.LatinHypercube` of `d` dimensions."""
    name = "rng" if _minor_version(scipy) >= (1, 15) else "seed"
    return LatinHypercube(d, **{name: rng})


def check_constraints(estimator):
    """Check the parameters of an estimator against its `_parameter_constraints`.

    Parameters
    ----------
    estimator : BaseEstimator

    Raises
    ------
    ValueError
        For the first parameter that violates all of its constraints.
    """
    estimator._validate_params()


# The types of defaults whose equality says that their constraints hold alike.
_PLAIN = {bool, int, float, str, type(None)}


class ParametersMixin:
    """The parameters of an estimator, where what a class determines is found out once.

    scikit-learn reads the signature of `__init__` several times for each `clone`,
    `set_params` and `fit`, and `fit` checks all parameters, of which most have their
    default. For dozens of parameters, this takes as long as training a small network.
    What was found is kept in the class, for its present `__init__` and constraints.
    """

    @classmethod
    def _get_param_names(cls):
        known = vars(cls).get("_names_of_init")
        if known is None or known[0] is not cls.__init__:
            known = cls._names_of_init = cls.__init__, super()._get_param_names()
        return list(known[1])

    def _validate_params(self):
        params, valid = self.get_params(deep=False), self._valid_defaults()
        changed = {
            name: value
            for name, value in params.items()
            # Equal numbers of other types, as 0 and False, may be invalid.
            if name not in valid
            or type(value) is not type(valid[name])
            or value != valid[name]
        }
        validate_parameter_constraints(
            self._parameter_constraints, changed, type(self).__name__
        )

    def _valid_defaults(self):
        """Return the plain defaults that satisfy their constraints, by name."""
        cls, constraints = type(self), self._parameter_constraints
        known = vars(cls).get("_checked_defaults")
        if known is None or known[0] is not cls.__init__ or known[1] != constraints:
            defaults = {
                name: parameter.default
                for name, parameter in signature(cls.__init__).parameters.items()
                if type(parameter.default) in _PLAIN
                and _is_valid(name, parameter.default, constraints)
            }
            known = cls._checked_defaults = cls.__init__, dict(constraints), defaults
        return known[2]


def _is_valid(name, value, constraints):
    try:
        validate_parameter_constraints(constraints, {name: value}, "")
    except InvalidParameterError:
        return False
    return True


def metric_of(scorer):
    """Return the function of targets and predictions that a scorer computes.

    Parameters
    ----------
    scorer : callable

    Returns
    -------
    callable
        The scorer itself if it was not made by `sklearn.metrics.make_scorer`.
    """
    return getattr(scorer, "_score_func", scorer)


def is_of_classes(scorer):
    """Return whether a scorer compares predicted classes, and no probabilities.

    Parameters
    ----------
    scorer : callable
        True if it was not made by `sklearn.metrics.make_scorer`, as nothing is known.
    """
    return getattr(scorer, "_response_method", "predict") == "predict"


def told_labels(scorer, labels):
    """Return a scorer that knows all labels if its metric compares probabilities.

    The rows to be scored may lack some of them.

    Parameters
    ----------
    scorer : callable
        If it was made by `sklearn.metrics.make_scorer` with `labels`, these stay.
    labels : ndarray of shape (n_classes,)
    """
    if is_of_classes(scorer) or "labels" not in signature(metric_of(scorer)).parameters:
        return scorer
    scorer = copy.copy(scorer)
    scorer._kwargs = {"labels": labels, **scorer._kwargs}
    return scorer


def is_sliced_by_search(name, metadata):
    """Return whether a search passed a fit only a part of some metadata.

    scikit-learn's searches pass each fold the part at its rows of everything that has
    as many rows as `X`. What they were given is an argument of the job that makes the
    fit.

    Parameters
    ----------
    name : str
        The name of the metadata in `fit`.
    metadata : array-like
        What the fit got.
    """
    n_rows, frame = num_samples(metadata), currentframe()
    while frame is not None:
        if frame.f_code is parallel._FuncWrapper.__call__.__code__:
            args, kwargs = frame.f_locals["args"], frame.f_locals["kwargs"]
            given = _named(name, [*args, *kwargs.values()])
            if any(num_samples(each) != n_rows for each in given):
                return True
        frame = frame.f_back
    return False


def _named(name, values):
    """Yield what nested dicts have under a name, or as a parameter of a step."""
    for each in values:
        for key, value in each.items() if isinstance(each, dict) else ():
            if key == name or str(key).endswith(f"__{name}"):
                yield value
            else:
                yield from _named(name, [value])


def target_of_metric(scorer):
    """Return the kind of target that a scorer of scikit-learn is made for.

    Parameters
    ----------
    scorer : callable
        Made by `sklearn.metrics.make_scorer` from a function of `sklearn.metrics`.

    Returns
    -------
    {"classes", "clusters", "numbers"}
        By the module of the function.
    """
    module = metric_of(scorer).__module__
    if ".cluster." in module:
        return "clusters"
    return "numbers" if module.endswith("_regression") else "classes"


def has_callbacks(estimator):
    """Return whether an estimator has callbacks of scikit-learn."""
    return bool(getattr(estimator, "_skl_callbacks", None))


def callback_context(estimator, max_subtasks):
    """Return the context through which a fit notifies callbacks.

    Parameters
    ----------
    estimator : CallbackSupportMixin
    max_subtasks : int or None
        The largest number of tasks that the fit consists of, None if it is not known.

    Returns
    -------
    CallbackContext or NoCallbacks
    """
    return estimator._init_callback_context(max_subtasks=max_subtasks)


def callback_attributes(estimator):
    """Return the attributes that scikit-learn's callbacks set on an estimator.

    They are private, and which ones there are depends on the version and on whether a
    search runs the fit. So all private names that contain "callback" are returned.

    Parameters
    ----------
    estimator : BaseEstimator

    Returns
    -------
    dict
        Values by the names of the attributes.
    """
    return {
        name: value
        for name, value in vars(estimator).items()
        if name.startswith("_") and "callback" in name
    }


def check_sample_weight(sample_weight, X):
    """Return sample weights after the checks of scikit-learn.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or number
    X : {ndarray, CSR} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples,)
        The weights as float64.

    Raises
    ------
    ValueError
        If weights are negative, not finite or all zero, or if there is not one weight
        for each row.
    """
    weight = validation._check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if SKLEARN < (1, 9) and not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weight


def compute_class_weight(class_weight, *, classes, y, sample_weight=None):
    """Return the weights of classes, as `sklearn.utils.compute_class_weight` does.

    Parameters
    ----------
    class_weight : dict or "balanced"
    classes : ndarray of shape (n_classes,)
    y : ndarray of shape (n_samples,)
        Labels of the rows. With "balanced", they must include all classes.
    sample_weight : ndarray of shape (n_samples,) or None, default=None
        Sample weights. They are only used to balance classes.

    Returns
    -------
    ndarray of shape (n_classes,)
    """
    given = {"classes": classes, "y": y}
    if SKLEARN >= (1, 7):
        return utils.compute_class_weight(
            class_weight, sample_weight=sample_weight, **given
        )
    if sample_weight is None or class_weight != "balanced":
        return utils.compute_class_weight(class_weight, **given)
    totals = np.bincount(np.searchsorted(classes, y), weights=sample_weight)
    return totals.sum() / (len(classes) * totals)


class NoCallbacks:
    """The callback context of a fit or a search without callbacks of scikit-learn."""

    max_subtasks = None

    def subcontext(self, **about):
        """Return the context of a part of the fit or the search."""
        return self

    def call_on_fit_task_begin(self, **about):
        """Return the context."""
        return self

    def call_on_fit_task_end(self, **about):
        """Return False, because no callback asks to stop."""
        return False


if SKLEARN >= (1, 9):
    from sklearn.callback import CallbackSupportMixin

    BaseSearchCV = _search.BaseSearchCV
else:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Replaces scikit-learn's mixin. It has no `set_callbacks`."""

        def _init_callback_context(self, **about):
            return NoCallbacks()

    class BaseSearchCV(_search.BaseSearchCV):  # type: ignore[no-redef]
        """Base class that lets a search check its folds, as in scikit-learn 1.9.

        `_check_input_parameters` is called before the candidates are fitted. It may
        replace the splitter `_checked_cv_orig`.
        """

        cv: Any

        @fit_context(prefer_skip_nested_validation=False)
        def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
            cv = self.cv
            X, y = indexable(X, y)
            self._checked_cv_orig = check_cv(
                cv, y, classifier=is_classifier(self.estimator)
            )
            # A generator yields its folds only once.
            self.cv = self._checked_cv_orig
            try:
                routed = self._get_routed_params_for_fit(
                    check_method_params(X, params=params)
                )
                self._check_input_parameters(
                    X=X, y=y, split_params=routed.splitter.split
                )
                return super().fit(X, y, **params)
            finally:
                self.cv = cv


def run_search_arguments(search, evaluate_candidates, callback_ctx):
    """Return the arguments of `BaseSearchCV._run_search` as in scikit-learn 1.9.

    Parameters
    ----------
    search : BaseSearchCV
    evaluate_candidates : callable
        Called with candidates and, from scikit-learn 1.9 on, a context.
    callback_ctx : CallbackContext or None
        None before scikit-learn 1.9.

    Returns
    -------
    evaluate_candidates : callable
        Called as ``evaluate_candidates(candidates, callback_ctx=context)``.
    callback_ctx : CallbackContext or NoCallbacks
    """
    if callback_ctx is not None:
        return evaluate_candidates, callback_ctx

    def evaluate(candidates, callback_ctx):
        return evaluate_candidates(candidates, cv=search._checked_cv_orig)

    return evaluate, NoCallbacks()
