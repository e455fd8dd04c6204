"""A fit that fails leaves an estimator as it was."""

from contextlib import contextmanager

from skreg.compatibility import callback_attributes
from skreg.fusion.turns import Cancelled


@contextmanager
def fit_kept_on_failure(estimator, *also):
    """Put an estimator's attributes back if the block fails, or raises one of `also`.

    Otherwise a fit that fails would leave new classes beside old weights. Attributes of
    scikit-learn's callbacks are kept, because the callbacks have yet to end the fit.
    """
    before = dict(vars(estimator))
    try:
        yield
    except (Exception, Cancelled, *also):
        callbacks = callback_attributes(estimator)
        vars(estimator).clear()
        vars(estimator).update(before | callbacks)
        raise
