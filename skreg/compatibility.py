"""What depends on the versions of scikit-learn and torch, in one place.

What these packages have without a public name is imported from here only, so that a
release which moves it is answered here. What only newer releases have is used where it
is there:

- scikit-learn 1.9 has callbacks. With an older one estimators have no `set_callbacks`,
  and a fit or a search calls none.
- scikit-learn 1.9 rejects sample weights that are all zero. With an older one they are
  rejected here.
- From scikit-learn 1.8 on, `LogisticRegressionCV` has its penalty from `l1_ratios` and
  warns unless it is told what shape its fitted attributes are to have.
"""

import numpy as np
import sklearn
import torch
from sklearn.base import _fit_context as fit_context
from sklearn.model_selection._search import BaseSearchCV
from sklearn.utils import _safe_indexing as safe_indexing
from sklearn.utils import validation
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    validate_parameter_constraints,
    validate_params,
)

__all__ = [
    "RIDGE_LOGISTIC_CV",
    "SKLEARN",
    "BaseSearchCV",
    "CallbackSupportMixin",
    "HasMethods",
    "Interval",
    "RealNotInt",
    "StrOptions",
    "check_matplotlib_support",
    "check_method_params",
    "check_sample_weight",
    "fit_context",
    "foreach_addcmul_",
    "foreach_lerp_",
    "foreach_mul_",
    "foreach_zero_",
    "fused_adam_",
    "fused_sgd_",
    "num_samples",
    "safe_indexing",
    "search_callbacks",
    "validate_parameter_constraints",
    "validate_params",
]

# The minor version, such as (1, 9).
SKLEARN = tuple(int(number) for number in sklearn.__version__.split(".")[:2])

# How LogisticRegressionCV is asked for an l2 penalty.
RIDGE_LOGISTIC_CV = (
    {"l1_ratios": (0,), "use_legacy_attributes": False} if SKLEARN >= (1, 8) else {}
)

check_method_params = validation._check_method_params
num_samples = validation._num_samples

# The kernels behind torch.optim, which change many tensors in one call.
foreach_addcmul_ = torch._foreach_addcmul_
foreach_lerp_ = torch._foreach_lerp_
foreach_mul_ = torch._foreach_mul_
foreach_zero_ = torch._foreach_zero_
fused_adam_ = torch._fused_adam_
fused_sgd_ = torch._fused_sgd_


def check_sample_weight(sample_weight, X):
    """Return sample weights as scikit-learn checks them.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or number
    X : {ndarray, CSR} of shape (n_samples, n_features)

    Returns
    -------
    ndarray of shape (n_samples,)
        Of type float64.

    Raises
    ------
    ValueError
        If weights are negative, not finite, all zero, or not one for each row.
    """
    weight = validation._check_sample_weight(
        sample_weight, X, dtype=np.float64, ensure_non_negative=True
    )
    if SKLEARN < (1, 9) and not weight.any():
        raise ValueError("Sample weights must contain at least one non-zero number.")
    return weight


class NoCallbacks:
    """The context of a fit or a search that calls no callbacks of scikit-learn."""

    max_subtasks = None

    def subcontext(self, **about):
        return self

    def call_on_fit_task_begin(self, **about):
        return self

    def call_on_fit_task_end(self, **about):
        """Return False: nobody asks to stop."""
        return False


if SKLEARN >= (1, 9):
    from sklearn.callback import CallbackSupportMixin
else:

    class CallbackSupportMixin:
        """Stands in for scikit-learn's mixin, without `set_callbacks`."""

        def _init_callback_context(self, **about):
            return NoCallbacks()


def search_callbacks(evaluate_candidates, callback_ctx):
    """Return the arguments of `BaseSearchCV._run_search` as scikit-learn 1.9 has them.

    Parameters
    ----------
    evaluate_candidates : callable
        Takes candidates and, from scikit-learn 1.9 on, a context.
    callback_ctx : CallbackContext or None
        None before scikit-learn 1.9.

    Returns
    -------
    evaluate_candidates : callable
        ``evaluate_candidates(candidates, callback_ctx=context)``.
    callback_ctx : CallbackContext or NoCallbacks
    """
    if callback_ctx is not None:
        return evaluate_candidates, callback_ctx

    def evaluate(candidates, callback_ctx):
        return evaluate_candidates(candidates)

    return evaluate, NoCallbacks()
