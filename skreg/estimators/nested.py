"""Estimators inside pipelines, searches and other meta-estimators."""

# The attributes in which scikit-learn's meta-estimators hold the fitted estimator, and
# the parameters that hold the given one, in the order in which they are tried.
FITTED = ("best_estimator_", "regressor_", "estimator_")
GIVEN = ("regressor", "estimator")


def nested(estimator, attributes=FITTED):
    """Yield an estimator, the estimator inside it, and so on.

    The estimator inside a pipeline is its last step.

    Parameters
    ----------
    estimator : estimator
    attributes : sequence of str, default=FITTED
        Names that may hold the inner estimator. `GIVEN` also works before estimators
        are fitted.

    Yields
    ------
    prefix : str
        Prefix of its parameters in the outermost estimator.
    estimator : estimator

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skreg.estimators.nested import GIVEN, nested
    >>> pipeline = make_pipeline(StandardScaler(), Ridge())
    >>> [(prefix, type(each).__name__) for prefix, each in nested(pipeline, GIVEN)]
    [('', 'Pipeline'), ('ridge__', 'Ridge')]
    """
    prefix = ""
    while estimator is not None:
        yield prefix, estimator
        name, estimator = _inside(estimator, attributes)
        prefix += f"{name}__"


def _inside(estimator, attributes):
    """Return the name and the estimator inside another one, None if there is none."""
    if hasattr(estimator, "steps"):
        return estimator.steps[-1]
    for name in attributes:
        if hasattr(estimator, name):
            return name, getattr(estimator, name)
    return "", None
