"""Estimators that are trained on more rows than they are given."""

import warnings
from copy import deepcopy

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    check_is_fitted,
)

from skreg.compatibility import (
    HasMethods,
    check_method_params,
    fit_context,
    num_samples,
    safe_indexing,
)

__all__ = ["Augmented"]

# Beside `early_stopping`, in skreg as in scikit-learn; None holds out no rows.
_FRACTION = "validation_fraction"
_METHODS = (
    "fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
)


def _estimator_has(method):
    """Return a check that the estimator, fitted if it is, has a method."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class Augmented(MetaEstimatorMixin, BaseEstimator):
    """Train an estimator on the rows and on copies of them.

    Copies are made in `fit` alone, of the rows that `fit` is given: in a
    cross-validation no copy of a row meets the fold that holds the row, and what is
    predicted or scored is never augmented. So it is `Augmented` that goes into a
    search or a cross-validation, and not the other way round: inside, a row and its
    copies would come to lie on both sides of a split.

    Targets, and weights or other metadata of one value for each row, are repeated for
    the copies. Metadata whose name ends in ``_val`` describe other rows and are passed
    on as they are.

    Parameters
    ----------
    estimator : estimator object
        What is trained, such as a pipeline that begins with a vectoriser of texts. It
        is cloned.
    augmenter : object with a method `augment`, or None
        ``augment(X)`` returns all rows to train on, and for each the position of the
        row of X that it comes from; `TextAugmenter` is one. None trains on the rows
        alone.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    classes_ : ndarray of shape (n_classes,)
        Labels of the classes, if the estimator has them.
    n_features_in_ : int
        Number of features seen during fit, if the estimator tells it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if the estimator has them.

    See Also
    --------
    TextAugmenter : Copies of texts in other words.

    Notes
    -----
    An estimator that minimises a mean, as those of skreg, keeps its strengths of
    regularisation. One that minimises a sum has more rows and is regularised less: C of
    LogisticRegression counts (1 + n_copies) times.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skreg import Augmented, MLPClassifier, TextAugmenter
    >>> texts = ["a fine day", "fine weather", "a bad storm", "bad rain"]
    >>> pipeline = make_pipeline(TfidfVectorizer(), MLPClassifier(random_state=0))
    >>> augmenter = TextAugmenter(synonyms={"fine": ["good"]}, random_state=0)
    >>> model = Augmented(pipeline, augmenter).fit(texts, [1, 1, 0, 0])
    >>> model.predict(["good weather", "bad storm"])
    array([1, 0])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit"])],
        "augmenter": [HasMethods(["augment"]), None],
    }

    def __init__(self, estimator, augmenter):
        self.estimator = estimator
        self.augmenter = augmenter

    @fit_context(
        # The estimator checks its own parameters.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None, **params):
        """Train on the rows and their copies.

        Parameters
        ----------
        X : array-like of length n_samples
            Whatever the augmenter and the estimator take.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            Passed on to the estimator's `fit`, by metadata routing if it is enabled.

        Returns
        -------
        self : Augmented
            The fitted estimator.
        """
        params = self._routed("fit", params)
        estimator = clone(self.estimator)
        if self.augmenter is not None:
            self._warn_of_inner_splits(params)
            X, y = indexable(X, y)
            X_augmented, rows = _augmented(self.augmenter, X)
            y = None if y is None else safe_indexing(y, rows)
            params = _repeated(params, X, rows)
            X = X_augmented
        self.estimator_ = estimator.fit(X, y, **params)
        return self

    def _warn_of_inner_splits(self, params):
        """Say where copies of training rows would be among rows that are held out."""
        settings = getattr(self.estimator, "get_params", dict)()
        own_rows = any(name.endswith("X_val") for name in params)
        splits = [
            f"{name}={value!r}"
            for name, value in settings.items()
            if _holds_out(name, value, settings, own_rows)
        ]
        if splits:
            warnings.warn(
                f"{', '.join(splits)}: rows are held out after augmentation, copies of "
                "training rows are among them, and their scores will be too good. Put "
                "Augmented inside a search or a cross-validation; for early stopping, "
                "give fit X_val and y_val, or set how long it trains.",
                UserWarning,
                stacklevel=4,
            )

    @available_if(_estimator_has("predict"))
    def predict(self, X, **params):
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows, which are not augmented.
        **params : dict
            Passed on to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted targets.
        """
        return self._call("predict", params, X)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X, **params):
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows, which are not augmented.
        **params : dict
            Passed on to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._call("predict_proba", params, X)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X, **params):
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows, which are not augmented.
        **params : dict
            Passed on to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        return self._call("predict_log_proba", params, X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X, **params):
        """Return the estimator's confidence in the classes.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows, which are not augmented.
        **params : dict
            Passed on to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the estimator returns them.
        """
        return self._call("decision_function", params, X)

    @available_if(_estimator_has("score"))
    def score(self, X, y=None, **params):
        """Return the estimator's own score, of rows that are not augmented.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows, which are not augmented.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Their targets.
        **params : dict
            Passed on to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        score : float
            Accuracy for most classifiers, R² for most regressors.
        """
        return self._call("score", params, X, y)

    def _call(self, method, params, *data):
        check_is_fitted(self)
        return getattr(self.estimator_, method)(*data, **self._routed(method, params))

    def _routed(self, method, params):
        if not get_config()["enable_metadata_routing"]:
            return params
        return getattr(process_routing(self, method, **params).estimator, method)

    def get_metadata_routing(self):
        """Say that metadata go to the estimator's method of the same name.

        Returns
        -------
        routing : MetadataRouter
            As scikit-learn's metadata routing reads it.
        """
        mapping = MethodMapping()
        for method in _METHODS:
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )

    @property
    def classes_(self):
        """Labels of the classes, if the estimator has them."""
        return self._of_fitted("classes_")

    @property
    def n_features_in_(self):
        """Number of features seen during fit, if the estimator tells it."""
        return self._of_fitted("n_features_in_")

    @property
    def feature_names_in_(self):
        """Names of the features, if the estimator has them."""
        return self._of_fitted("feature_names_in_")

    def _of_fitted(self, attribute):
        if not hasattr(self, "estimator_"):
            raise AttributeError(
                f"{attribute} is there after fit; this {type(self).__name__} is not "
                "fitted."
            )
        return getattr(self.estimator_, attribute)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        its = get_tags(self.estimator)
        tags.estimator_type = its.estimator_type
        tags.classifier_tags = deepcopy(its.classifier_tags)
        tags.regressor_tags = deepcopy(its.regressor_tags)
        tags.target_tags = deepcopy(its.target_tags)
        tags.input_tags = deepcopy(its.input_tags)
        tags.non_deterministic = its.non_deterministic
        return tags


def _holds_out(name, value, settings, own_rows):
    """Tell whether a parameter makes an estimator hold rows out of those of `fit`.

    Parameters
    ----------
    name : str
        With the names of the steps in front.
    value : object
    settings : dict
        All parameters.
    own_rows : bool
        Whether the user gives the rows to validate on.
    """
    prefix, separator, last = name.rpartition("__")

    def other(parameter):
        return settings.get(f"{prefix}{separator}{parameter}")

    if last == "cv":
        return not isinstance(value, str)  # which is "prefit"
    if last == "oob_score":
        return bool(value)
    if last == "early_stopping":
        return value is True and bool(other(_FRACTION)) and not own_rows
    # Gradient boosting stops early by this alone.
    is_alone = f"{prefix}{separator}early_stopping" not in settings
    return (
        last == "n_iter_no_change"
        and value is not None
        and is_alone
        and bool(other(_FRACTION))
    )


def _augmented(augmenter, X):
    """Return what an augmenter makes of `X`, and where each row comes from."""
    if isinstance(augmenter, type):
        raise TypeError(
            f"augmenter must be an object, got the class {augmenter.__name__}. Give "
            f"{augmenter.__name__}()."
        )
    found = augmenter.augment(X)
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(
            "augmenter.augment(X) must return a tuple of two: rows and, for each of "
            "them, the position of the row of X that it comes from; got "
            f"{type(found).__name__}."
        )
    _check_rows(found[1], found[0], X)
    return found


def _check_rows(rows, X_augmented, X):
    """Raise if an augmenter does not say of each row where it comes from."""
    rows, n_rows = np.asarray(rows), num_samples(X)
    n_augmented = num_samples(X_augmented)
    if rows.shape != (n_augmented,) or rows.dtype.kind not in "iu":
        raise ValueError(
            "augmenter.augment(X) must return rows and, for each of them, the position "
            f"of the row of X that it comes from; got {n_augmented} rows and positions "
            f"of shape {rows.shape} and type {rows.dtype}."
        )
    if len(rows) and not 0 <= rows.min() <= rows.max() < n_rows:
        raise ValueError(
            f"augmenter.augment(X) must return positions of the {n_rows} rows of X, "
            f"got {rows.min()} to {rows.max()}."
        )


def _repeated(params, X, rows):
    """Return metadata of one value for each row with the values of all rows."""
    own = {name: value for name, value in params.items() if not name.endswith("_val")}
    return params | check_method_params(X, own, rows)
