"""Estimators inside pipelines, searches and other meta-estimators."""

# Where scikit-learn's meta-estimators keep what they have fitted, and what they were
# given, in the order in which one looks.
FITTED = ("best_estimator_", "regressor_", "estimator_")
GIVEN = ("regressor", "estimator")


def nested(estimator, attributes=FITTED):
    """Yield an estimator, the one inside it, the one inside that, and so on.

    Inside a pipeline is its last step.

    Parameters
    ----------
    estimator : estimator
    attributes : sequence of str, default=FITTED
        Where to look for what is inside. `GIVEN` takes estimators before they are
        fitted.

    Yields
    ------
    prefix : str
        What the names of its parameters begin with in those of the outermost.
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
