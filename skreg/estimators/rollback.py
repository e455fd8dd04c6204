"""A fit that fails leaves an estimator as it was."""

from contextlib import contextmanager

from skreg.fusion.turns import Cancelled


@contextmanager
def fit_kept_on_failure(estimator, *also):
    """Put an estimator's attributes back if the block fails, or raises one of `also`.

    A fit that fails would else leave new classes beside old weights. What belongs to
    scikit-learn's callbacks stays, for their own end is still to come.
    """
    before = dict(vars(estimator))
    try:
        yield
    except (Exception, Cancelled, *also):
        present = vars(estimator)
        callbacks = {name: present[name] for name in present if "callback" in name}
        present.clear()
        present.update(before | callbacks)
        raise
