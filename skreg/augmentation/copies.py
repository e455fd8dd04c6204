"""Estimators that are trained on augmented copies of the rows as well."""

import warnings
from copy import deepcopy
from typing import Any, Self

import numpy as np
from sklearn import get_config
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags, indexable
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    process_routing,
)
from sklearn.utils.validation import check_is_fitted

from skreg.compatibility import (
    HasMethods,
    available_if,
    check_method_params,
    fit_context,
    num_samples,
    safe_indexing,
)
from skreg.typing import ArrayLike, CopyAugmenter, Estimator, NDArray

# The share of rows that early stopping holds out, in skreg and in scikit-learn. None
# holds out no rows.
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
    """Return a check that the estimator has a method, for `available_if`."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), method)
        return True

    return check


class Augmented(MetaEstimatorMixin, BaseEstimator):
    """Train an estimator on the rows and on augmented copies of them.

    Copies are made only in `fit`, and only of the rows that are passed to it. Rows to
    predict or to score are never augmented. In a cross-validation, the copies of
    held-out rows are therefore not trained on. Pass `Augmented` to the search or
    cross-validation, and not a search to `Augmented`, because a row and its copies
    could then be on different sides of a split.

    Targets, sample weights and other metadata with one value for each row are repeated
    for the copies. Metadata whose name ends in ``_val`` describe other rows and are
    passed on unchanged.

    Parameters
    ----------
    estimator : estimator object
        The estimator to train, such as a pipeline that begins with a vectoriser of
        texts. It is cloned.
    augmenter : object with a method `augment`, or None
        ``augment(X)`` returns all rows to train on and, for each of them, the index of
        its original in X, as `TextAugmenter` does. With None, the estimator is trained
        on the rows without copies.

    Attributes
    ----------
    estimator_ : estimator
        The fitted estimator.
    classes_ : ndarray of shape (n_classes,)
        The class labels, if the estimator has them.
    n_features_in_ : int
        Number of features seen during fit, if the estimator has it.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if the estimator has them.

    See Also
    --------
    TextAugmenter : Makes copies of texts in which some words are changed.

    Notes
    -----
    If an estimator minimises a mean over the rows, as those of skreg do, its
    regularisation keeps its strength. If it minimises a sum, more rows make the
    regularisation weaker: C of LogisticRegression is effectively multiplied by
    (1 + n_copies).

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

    def __init__(self, estimator: Estimator, augmenter: CopyAugmenter | None) -> None:
        self.estimator = estimator
        self.augmenter = augmenter

    @fit_context(
        # The estimator checks its own parameters.
        prefer_skip_nested_validation=False
    )
    def fit(self, X: Any, y: ArrayLike | None = None, **params: Any) -> Self:
        """Train on the rows and their copies.

        Parameters
        ----------
        X : array-like of length n_samples
            Training rows, of any type that the augmenter and the estimator accept.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Targets.
        **params : dict
            Passed to the estimator's `fit`, by metadata routing if it is enabled.

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
        """Warn if the estimator would hold out copies of training rows."""
        settings = getattr(self.estimator, "get_params", dict)()
        own_rows = any(name.endswith("X_val") for name in params)
        splits = [
            f"{name}={value!r}"
            for name, value in settings.items()
            if _holds_out(name, value, settings, own_rows)
        ]
        if splits:
            warnings.warn(
                f"{', '.join(splits)}: rows are held out after augmentation. They "
                "include copies of training rows, so their scores will be too good. "
                "Put Augmented inside the search or cross-validation. For early "
                "stopping, pass X_val and y_val to fit, or turn it off and set the "
                "number of iterations.",
                UserWarning,
                stacklevel=4,
            )

    @available_if(_estimator_has("predict"))
    def predict(self, X: Any, **params: Any) -> NDArray[Any]:
        """Predict with the fitted estimator.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows. They are not augmented.
        **params : dict
            Passed to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        y_pred : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted targets.
        """
        return self._call("predict", params, X)

    @available_if(_estimator_has("predict_proba"))
    def predict_proba(self, X: Any, **params: Any) -> NDArray[Any]:
        """Predict the probability of each class.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows. They are not augmented.
        **params : dict
            Passed to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            The probabilities, with the classes in the order of `classes_`.
        """
        return self._call("predict_proba", params, X)

    @available_if(_estimator_has("predict_log_proba"))
    def predict_log_proba(self, X: Any, **params: Any) -> NDArray[Any]:
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows. They are not augmented.
        **params : dict
            Passed to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
            The log-probabilities, with the classes in the order of `classes_`.
        """
        return self._call("predict_log_proba", params, X)

    @available_if(_estimator_has("decision_function"))
    def decision_function(self, X: Any, **params: Any) -> NDArray[Any]:
        """Return the confidence scores of the estimator.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows. They are not augmented.
        **params : dict
            Passed to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        scores : ndarray of shape (n_samples,) or (n_samples, n_classes)
            The scores as the estimator returns them.
        """
        return self._call("decision_function", params, X)

    @available_if(_estimator_has("score"))
    def score(self, X: Any, y: ArrayLike | None = None, **params: Any) -> float:
        """Return the score of the estimator on rows that are not augmented.

        Parameters
        ----------
        X : array-like of length n_samples
            Rows. They are not augmented.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            True targets.
        **params : dict
            Passed to the estimator, by metadata routing if it is enabled.

        Returns
        -------
        score : float
            The score: accuracy for most classifiers, R² for most regressors.
        """
        return self._call("score", params, X, y)

    def _call(self, method, params, *data):
        check_is_fitted(self)
        return getattr(self.estimator_, method)(*data, **self._routed(method, params))

    def _routed(self, method, params):
        if not get_config()["enable_metadata_routing"]:
            return params
        return getattr(process_routing(self, method, **params).estimator, method)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return the routing of metadata to the same method of the estimator.

        Returns
        -------
        routing : MetadataRouter
            The routing.
        """
        mapping = MethodMapping()
        for method in _METHODS:
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=self).add(
            estimator=self.estimator, method_mapping=mapping
        )

    @property
    def classes_(self) -> NDArray[Any]:
        """The class labels, if the estimator has them."""
        return self._fitted_attribute("classes_")

    @property
    def n_features_in_(self) -> int:
        """Number of features seen during fit, if the estimator has it."""
        return self._fitted_attribute("n_features_in_")

    @property
    def feature_names_in_(self) -> NDArray[Any]:
        """Names of features seen during fit, if the estimator has them."""
        return self._fitted_attribute("feature_names_in_")

    def _fitted_attribute(self, attribute):
        if not hasattr(self, "estimator_"):
            raise AttributeError(
                f"This {type(self).__name__} is not fitted yet. Call fit before using "
                f"{attribute}."
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
    """Return whether a parameter makes an estimator hold out some of its training rows.

    Parameters
    ----------
    name : str
        Name of the parameter, including the names of the steps.
    value : object
    settings : dict
        All parameters of the estimator.
    own_rows : bool
        Whether the user passes validation rows.
    """
    prefix, separator, last = name.rpartition("__")

    def other(parameter):
        return settings.get(f"{prefix}{separator}{parameter}")

    if last == "cv":
        return not isinstance(value, str)  # a str is "prefit"
    if last == "oob_score":
        return bool(value)
    if last == "early_stopping":
        return value is True and bool(other(_FRACTION)) and not own_rows
    # In gradient boosting, this parameter alone turns on early stopping.
    is_alone = f"{prefix}{separator}early_stopping" not in settings
    return (
        last == "n_iter_no_change"
        and value is not None
        and is_alone
        and bool(other(_FRACTION))
    )


def _augmented(augmenter, X):
    """Return the augmented rows of `X` and the index of the original of each."""
    if isinstance(augmenter, type):
        raise TypeError(
            f"augmenter must be an object, got the class {augmenter.__name__}. Pass "
            f"{augmenter.__name__}()."
        )
    found = augmenter.augment(X)
    if not isinstance(found, tuple) or len(found) != 2:
        raise TypeError(
            "augmenter.augment(X) must return a tuple of two: rows and the index of "
            f"the original of each row in X, got {type(found).__name__}."
        )
    _check_rows(found[1], found[0], X)
    return found


def _check_rows(rows, X_augmented, X):
    """Check that an augmenter returned a valid index for each row."""
    rows, n_rows = np.asarray(rows), num_samples(X)
    n_augmented = num_samples(X_augmented)
    if rows.shape != (n_augmented,) or rows.dtype.kind not in "iu":
        raise ValueError(
            "augmenter.augment(X) must return rows and the index of the original of "
            f"each row in X, got {n_augmented} rows and indices of shape {rows.shape} "
            f"and type {rows.dtype}."
        )
    if len(rows) and not 0 <= rows.min() <= rows.max() < n_rows:
        raise ValueError(
            f"augmenter.augment(X) must return indices of the {n_rows} rows of X, "
            f"got {rows.min()} to {rows.max()}."
        )


def _repeated(params, X, rows):
    """Return the metadata, with values for each row of `X` repeated for its copies."""
    own = {name: value for name, value in params.items() if not name.endswith("_val")}
    return params | check_method_params(X, own, rows)
