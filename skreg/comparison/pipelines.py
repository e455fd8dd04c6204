"""The pipeline in front of the estimators of the command line."""

from sklearn.preprocessing import FunctionTransformer


def prepared_by_skrub(estimator, X):
    """Return a pipeline that takes the columns of a table as they are.

    It is skrub's `tabular_pipeline`, which encodes texts and dates, fills missing
    values, and centres, scales and clips numbers. Numbers and times stay in double
    precision until they are scaled, because single precision cannot hold the
    differences between large ones.

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
        # A column may be empty in the training rows of a fold.
        simpleimputer__keep_empty_features=True,
    )
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
