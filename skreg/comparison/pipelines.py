"""The pipeline in front of the estimators of the command line."""

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.validation import validate_data

# Squares and sums of squares of these are still numbers of double precision.
LARGEST = 1e100


def prepared_by_skrub(estimator, X):
    """Return a pipeline that takes the columns of a table as they are.

    It is skrub's `tabular_pipeline`, which encodes texts and dates, centres, scales and
    clips numbers, and fills missing values if the estimator does not take them. Numbers
    and times stay in double precision until they are scaled, because single precision
    cannot hold the differences between large ones.

    Parameters
    ----------
    estimator : estimator or Pipeline
        The end of the pipeline.
    X : pandas.DataFrame
        Inputs as those of a `Table`.

    Returns
    -------
    Pipeline
    """
    # skrub takes seconds to import, and only the command line needs it.
    from skrub import tabular_pipeline

    numbers = list(X.select_dtypes("number").columns)
    seconds = {name: f"{name} in seconds" for name in X.select_dtypes("datetime")}
    while set(seconds.values()) & set(X.columns):
        seconds = {name: f"{other}_" for name, other in seconds.items()}
    pipeline = tabular_pipeline(estimator)
    pipeline.set_params(
        # skrub converts all other numbers to single precision.
        tablevectorizer__specific_transformers=[
            ("passthrough", [*numbers, *seconds.values()])
        ],
        tablevectorizer__datetime__add_total_seconds=False,
        # Else its singular value decomposition depends on numpy's global state.
        tablevectorizer__high_cardinality__random_state=0,
    )
    if "simpleimputer" in pipeline.named_steps:  # the estimator needs it
        # A column may be empty in the training rows of a fold.
        pipeline.set_params(simpleimputer__keep_empty_features=True)
    pipeline.steps.insert(1, ("powerscaler", PowerScaler()))
    if seconds:
        times = FunctionTransformer(add_seconds, kw_args={"names": seconds})
        pipeline.steps.insert(0, ("addseconds", times))
    return pipeline


def add_seconds(X, names):
    """Add the seconds since 1970 of dates.

    Parameters
    ----------
    X : pandas.DataFrame
    names : dict of str to str
        The name of the new column for each date.

    Returns
    -------
    pandas.DataFrame
    """
    import pandas as pd

    start, second = pd.Timestamp(0), pd.Timedelta(seconds=1)
    return X.assign(**{new: (X[date] - start) / second for date, new in names.items()})


class PowerScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Divide columns by powers of two that are close to their spread.

    scikit-learn's and skrub's robust scalers take a spread below 2e-15 for none.
    Division by a power of two is exact, so that other columns are scaled as without it.
    """

    def fit(self, X, y=None):
        """Learn the powers from the median distances from the median.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Missing values are ignored.
        y : None
            Ignored.

        Returns
        -------
        self : object
        """
        X = self._validated(X, reset=True)
        self.exponents_ = np.array([_exponent(column) for column in X.T], dtype=int)
        return self

    def transform(self, X):
        """Divide the columns.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Of at most 1e100.
        """
        scaled = np.ldexp(self._validated(X, reset=False), -self.exponents_)
        # skrub squares them.
        return np.clip(scaled, -LARGEST, LARGEST)

    def _validated(self, X, reset):
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=np.float64,
            ensure_all_finite=False,
        )


def _exponent(column):
    """Return the exponent of the median distance from the median, of those above 0."""
    known = column[np.isfinite(column)]
    distances = np.abs(known - np.median(known)) if len(known) else known
    distances = distances[distances > 0]
    return np.frexp(np.median(distances))[1] if len(distances) else 0
