"""Class labels as targets: checked, weighed, and encoded for the loss."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skreg.compatibility import compute_class_weight
from skreg.data.sample_weights import SampleWeights, check_weights
from skreg.networks.losses import CLASSIFICATION_LOSSES


@dataclass(frozen=True, eq=False)
class Labels:
    """The kind of the targets of a classifier, and their encoding.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        The class labels; for multilabel targets, the numbers of the columns.
    kind : str
        Type of the training targets, from `type_of_target`.
    """

    classes: np.ndarray
    kind: str

    @property
    def is_multilabel(self):
        return self.kind.startswith("multilabel")

    @property
    def n_outputs(self):
        n_classes = len(self.classes)
        return 1 if n_classes == 2 and not self.is_multilabel else n_classes

    @property
    def loss(self):
        multiclass = self.n_outputs > 1 and not self.is_multilabel
        return CLASSIFICATION_LOSSES["log_loss" if multiclass else "binary_log_loss"]()

    @property
    def attributes(self):
        """Public attributes of an estimator fitted to these targets."""
        return {"classes_": self.classes, "n_outputs_": self.n_outputs}

    def learned_from(self, rows, loss, standardize):
        """Return the targets unchanged: training rows add nothing to them."""
        return self

    def strata(self, y):
        """Return the classes for a stratified split, or None."""
        return None if self.is_multilabel else y

    def encode(self, y, dtype):
        """Return the targets of the loss, of shape (n_samples, n_outputs)."""
        # scikit-learn's LabelBinarizer checks the labels anew at every call, which for
        # small data takes as long as all else before the training.
        if self.is_multilabel:
            return (y != 0).astype(dtype)
        codes = np.searchsorted(self.classes, y)
        if self.n_outputs == 1:
            return codes.astype(dtype)[:, None]
        encoded = np.zeros((len(y), self.n_outputs), dtype)
        encoded[np.arange(len(y)), codes] = 1
        return encoded

    def check(self, y, classes=None):
        """Check `y` of a later call against the targets of the first.

        Parameters
        ----------
        y : ndarray
        classes : array-like, default=None
            The classes that the call is given.
        """
        y, kind = _flat(y), type_of_target(y)
        if classes is not None and not np.array_equal(np.unique(classes), self.classes):
            raise ValueError(
                f"classes={classes!r} are not the {self.classes.tolist()} of the "
                "first call of partial_fit."
            )
        if (y.ndim == 2) != self.is_multilabel:
            raise ValueError(
                f"y must be of the kind of the training data, {self.kind!r}, got "
                f"{kind!r}."
            )
        if self.is_multilabel and y.shape[1] != len(self.classes):
            raise ValueError(
                f"y must have one column for each of {len(self.classes)} labels, got "
                f"{y.shape[1]} columns."
            )
        unseen = [] if self.is_multilabel else np.setdiff1d(y, self.classes).tolist()
        if unseen:
            raise ValueError(
                f"The labels {unseen} are not among the classes "
                f"{self.classes.tolist()} of the training data."
            )
        return y

    def decode(self, values):
        """Return predictions on the scale of the targets: they are probabilities."""
        return values

    def decide(self, scores, threshold):
        """Return the predicted label, or labels, of each row of scores.

        Parameters
        ----------
        scores : ndarray of shape (n_samples, n_outputs) or (n_samples, n_classes)
            Scores of the classes or labels, or of the second of two classes.
        threshold : float
            Score above which a label, or the second of two classes, is predicted.
        """
        if self.is_multilabel:
            return (scores > threshold).astype(int)
        if scores.shape[1] == 1:
            return self.classes[(scores[:, 0] > threshold).astype(int)]
        return self.classes[scores.argmax(axis=1)]

    def weigh(self, class_weight, y, sample_weight, incremental=False):
        """Compute the weights of the classes from the rows of a fit.

        Parameters
        ----------
        class_weight : dict, list of dict or "balanced"
        y : ndarray
            Checked targets of the training rows, which "balanced" counts.
        sample_weight : ndarray of shape (n_samples,) or None
        incremental : bool, default=False
            Whether more rows may follow.
        """
        if self.is_multilabel:
            return ClassWeights(self, class_weight)
        if isinstance(class_weight, list):
            raise ValueError(
                "class_weight can be a list, of one dict for each label, only if y is "
                f"multilabel, got {class_weight!r}."
            )
        if incremental and class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all rows at once and cannot be used "
                "with partial_fit. Give a dict of weights instead."
            )
        classes, weights = self.classes, np.ones(len(self.classes))
        present = slice(None)
        if class_weight == "balanced":
            # A fold may lack a class, whose rows then count as they are.
            given = slice(None) if sample_weight is None else sample_weight > 0
            y = y[given]
            sample_weight = None if sample_weight is None else sample_weight[given]
            present = np.isin(classes, y)
        weights[present] = compute_class_weight(
            class_weight, classes=classes[present], y=y, sample_weight=sample_weight
        )
        return ClassWeights(self, class_weight, weights)


@dataclass(frozen=True, eq=False)
class ClassWeights(SampleWeights):
    """Weights of the classes, which multiply the sample weights.

    Parameters
    ----------
    labels : Labels
    class_weight : dict, list of dict or "balanced"
    weights : ndarray of shape (n_classes,) or None
        None for multilabel targets.
    """

    labels: Labels
    class_weight: object
    weights: np.ndarray | None = None

    def of_rows(self, X, y, weight):
        if self.labels.is_multilabel:
            of_class = compute_sample_weight(self.class_weight, y)
        else:
            of_class = self.weights[np.searchsorted(self.labels.classes, y)]
        return check_weights(of_class if weight is None else weight * of_class, X)


def learn_labels(y, classes, owner):
    """Check the targets of a first fit, and describe them.

    Parameters
    ----------
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
    classes : array-like or None
        All labels, for the first call of partial_fit.
    owner : str
        The name of the estimator, for error messages.

    Returns
    -------
    y : ndarray
    labels : Labels
    """
    kind = type_of_target(y)
    if kind.startswith(("continuous", "unknown")):
        check_classification_targets(y)  # it has the message
    y = _flat(y)
    # The labels of a multilabel target are its columns, whatever `classes` says.
    given = y if classes is None or y.ndim == 2 else np.asarray(classes)
    kind = kind if given is y else type_of_target(given)
    if "multioutput" in kind:
        raise ValueError(
            "y must have one label in each row, or be an indicator matrix of 0 and 1 "
            "with a column for each label, got several labels in each row."
        )
    is_multilabel = kind.startswith("multilabel")
    found = np.arange(y.shape[1]) if is_multilabel else np.unique(given)
    if len(found) < 2:
        raise ValueError(
            f"{owner} needs two classes at least, got one class: {found.tolist()}."
        )
    labels = Labels(found, kind)
    return (y if classes is None else labels.check(y, classes)), labels


def _flat(y):
    """Return targets of a single column as a vector, with scikit-learn's warning."""
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
