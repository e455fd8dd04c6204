"""What makes a network a classifier: labels, class weights and probabilities."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_class_weight, compute_sample_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skreg.estimators.base import BaseNetwork
from skreg.estimators.constraints import SHARE
from skreg.networks.losses import CLASSIFICATION_LOSSES
from skreg.parameters.checks import check_weights


class BaseClassifierNetwork(ClassifierMixin, BaseNetwork):
    """A network for binary, multiclass or multilabel classification."""

    _parameter_constraints = {
        **BaseNetwork._parameter_constraints,
        "label_smoothing": [SHARE],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _check_targets(self, y, continuing, classes):
        kind = type_of_target(y)
        if kind.startswith(("continuous", "unknown")):
            check_classification_targets(y)  # it has the message
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        if not continuing:
            self._fit_labels(y, kind, classes)
            return y
        if classes is not None and not np.array_equal(
            np.unique(classes), self.classes_
        ):
            raise ValueError(
                f"classes={classes!r} are not the {self.classes_.tolist()} of the "
                "first call of partial_fit."
            )
        if (y.ndim == 2) != self._multilabel:
            raise ValueError(
                f"y must be of the kind of the training data, "
                f"{self._target_type!r}, got {kind!r}."
            )
        if self._multilabel:
            if y.shape[1] != len(self.classes_):
                raise ValueError(
                    f"y must have one column for each of {len(self.classes_)} labels, "
                    f"got {y.shape[1]} columns."
                )
        else:
            unseen = np.setdiff1d(y, self.classes_)
            if len(unseen):
                raise ValueError(
                    f"The labels {unseen.tolist()} are not among the classes "
                    f"{self.classes_.tolist()} of the training data."
                )
        return y

    def _fit_labels(self, y, kind, classes):
        """Learn the classes."""
        # The labels of a multilabel target are its columns, whatever `classes` says.
        labels = y if classes is None or y.ndim == 2 else np.asarray(classes)
        self._target_type = kind if labels is y else type_of_target(labels)
        if "multioutput" in self._target_type:
            raise ValueError(
                "y must have one label in each row, or be an indicator matrix of 0 and "
                "1 with a column for each label, got several labels in each row."
            )
        found = np.arange(y.shape[1]) if self._multilabel else np.unique(labels)
        if len(found) < 2:
            raise ValueError(
                f"{type(self).__name__} needs two classes at least, got one class: "
                f"{found.tolist()}."
            )
        self.classes_ = found
        self.n_outputs_ = 1 if len(found) == 2 and not self._multilabel else len(found)
        if classes is not None:
            self._check_targets(y, continuing=True, classes=classes)

    @property
    def _multilabel(self):
        return self._target_type.startswith("multilabel")

    def _make_loss(self):
        multiclass = self.n_outputs_ > 1 and not self._multilabel
        return CLASSIFICATION_LOSSES["log_loss" if multiclass else "binary_log_loss"]()

    def _fit_encoding(self, rows):
        """Labels need nothing but the classes."""

    def _encode(self, y, dtype):
        # scikit-learn's LabelBinarizer checks the labels anew at every call, which for
        # small data takes as long as all else before the training.
        if self._multilabel:
            return (y != 0).astype(dtype)
        codes = np.searchsorted(self.classes_, y)
        if self.n_outputs_ == 1:
            return codes.astype(dtype)[:, None]
        encoded = np.zeros((len(y), self.n_outputs_), dtype)
        encoded[np.arange(len(y)), codes] = 1
        return encoded

    def _strata(self, y):
        return None if self._multilabel else y

    def _learn_class_weights(self, y, sample_weight, incremental):
        """Set what each class counts, for the training and the validation rows."""
        self._class_weights = None
        if self.class_weight is None or self._multilabel:
            return
        if isinstance(self.class_weight, list):
            raise ValueError(
                "class_weight can be a list, of one dict for each label, only if y is "
                f"multilabel, got {self.class_weight!r}."
            )
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all rows at once and cannot be used "
                "with partial_fit. Give a dict of weights instead."
            )
        classes, weights = self.classes_, np.ones(len(self.classes_))
        present = slice(None)
        if self.class_weight == "balanced":
            # A fold may lack a class, whose rows then count as they are.
            given = slice(None) if sample_weight is None else sample_weight > 0
            y = y[given]
            sample_weight = None if sample_weight is None else sample_weight[given]
            present = np.isin(classes, y)
        weights[present] = compute_class_weight(
            self.class_weight,
            classes=classes[present],
            y=y,
            sample_weight=sample_weight,
        )
        self._class_weights = weights

    def _row_weights(self, X, y, sample_weight):
        weight = super()._row_weights(X, y, sample_weight)
        if self.class_weight is None:
            return weight
        if self._multilabel:
            of_class = compute_sample_weight(self.class_weight, y)
        else:
            of_class = self._class_weights[np.searchsorted(self.classes_, y)]
        return check_weights(of_class if weight is None else weight * of_class, X)

    def decision_function(self, X):
        """Return the raw outputs of the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Log-odds of the second of two classes, or one number for each class or
            label; the largest, or for labels those above 0, are predicted.
        """
        score = self._raw_predict(X)
        return score[:, 0] if self.n_outputs_ == 1 else score

    def predict_proba(self, X):
        """Return probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. For multilabel targets, the probability of each
            label; otherwise rows sum to one.
        """
        probability = self._mean_prediction(X)
        if self.n_outputs_ == 1:
            probability = np.hstack([1 - probability, probability])
        return probability

    def predict_log_proba(self, X):
        """Return the logarithm of the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            ``log(predict_proba(X))``.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X):
        """Return the most probable class, or the labels more probable than not.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels)
            One of `classes_` for each row, or for each label 0 or 1.
        """
        score = self._raw_predict(X)
        if self._multilabel:
            return (score > 0).astype(int)
        if self.n_outputs_ == 1:
            return self.classes_[(score[:, 0] > 0).astype(int)]
        return self.classes_[score.argmax(axis=1)]

    @property
    def coef_(self):
        """Coefficients of a linear model, of shape (n_outputs, n_features)."""
        return self._linear_coef()[0]

    @property
    def intercept_(self):
        """Intercepts of a linear model, of shape (n_outputs,)."""
        return self._linear_coef()[1]
