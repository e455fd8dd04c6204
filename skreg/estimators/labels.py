"""Class labels as targets: checked, encoded for the loss, and decoded."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from skreg.losses.kinds import CLASSIFICATION_LOSSES


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

    def codes(self, y):
        """Return the index of the class of each row, the next one if it is unknown."""
        y, n_classes = np.asarray(y), len(self.classes)
        codes = np.searchsorted(self.classes, y)
        is_known = self.classes[np.minimum(codes, n_classes - 1)] == y
        return np.where(is_known, codes, n_classes)

    def learned_from(self, rows, loss, standardize, fit_intercept=True):
        """Return the targets unchanged: training rows add nothing to them."""
        return self

    def moments(self, rows):
        """Return None: labels have no scale."""
        return None

    def strata(self, y):
        """Return the classes for a stratified split, or None."""
        return None if self.is_multilabel else y

    def encode(self, y, dtype):
        """Return the targets of the loss, of shape (n_samples, n_outputs)."""
        # scikit-learn's LabelBinarizer checks the labels anew at every call, which for
        # small data takes as long as everything else before the training.
        if self.is_multilabel:
            return y.astype(dtype)
        codes = self.codes(y)
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
        y, kind = _flat(y), _kind_of(y)
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
        if self.is_multilabel:
            return _indicators(y)
        if unseen := np.setdiff1d(y, self.classes).tolist():
            raise ValueError(
                f"The labels {unseen} are not among the classes "
                f"{self.classes.tolist()} of the training data."
            )
        return y

    def check_complete(self, y):
        """Raise an error if the rows of a warm-started fit lack a class."""
        missing = [] if self.is_multilabel else np.setdiff1d(self.classes, y).tolist()
        if missing:
            raise ValueError(
                f"A fit with warm_start=True needs the classes of the fit before, "
                f"{self.classes.tolist()}, but y lacks {missing}. Set "
                "warm_start=False, or use partial_fit, which takes rows of some "
                "classes."
            )

    def decode(self, values):
        """Return predictions unchanged: probabilities have no scale to restore."""
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
    found = _codes(y)
    if found is not None and classes is None:
        return y, _labels(found, _kind_of_codes(found), owner)
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
    if is_multilabel:
        y = given = _indicators(y)
    found = np.arange(y.shape[1]) if is_multilabel else np.unique(given)
    labels = _labels(found, kind, owner)
    return (y if classes is None else labels.check(y, classes)), labels


def _labels(classes, kind, owner):
    if len(classes) < 2:
        raise ValueError(
            f"{owner} needs at least two classes, got one class: {classes.tolist()}."
        )
    return Labels(classes, kind)


def _kind_of(y):
    found = _codes(y)
    return type_of_target(y) if found is None else _kind_of_codes(found)


def _codes(y):
    """Return the distinct labels of an array of whole numbers, one for each row.

    None for all other targets, which `type_of_target` has to read. It takes as long as
    some training steps of a small network.
    """
    if not _are_codes(y):
        return None
    found = np.unique(y)
    # Some versions of scikit-learn warn of classes that are more than half of the rows.
    return found if 2 * len(found) <= len(y) else None


def _are_codes(y):
    return type(y) is np.ndarray and y.ndim == 1 and y.dtype.kind in "biu"


def _kind_of_codes(found):
    return "binary" if len(found) <= 2 else "multiclass"


def accuracy(y, predicted):
    """Return the accuracy of labels, as `sklearn.metrics.accuracy_score` does.

    Parameters
    ----------
    y, predicted : {array-like, sparse matrix}

    Returns
    -------
    float or None
        None if these are not two arrays of codes, which `accuracy_score` has to check.
    """
    are_codes = _codes(y) is not None and _codes(predicted) is not None
    if not are_codes or len(y) != len(predicted):
        return None
    return float(np.mean(y == predicted))


def check_indicators(y):
    """Check the codes of multilabel targets, and accept all other targets.

    Parameters
    ----------
    y : {array-like, sparse matrix}

    Raises
    ------
    ValueError
        If `y` is sparse or a matrix of at most two values, and not of 0 and 1.
    """
    if sp.issparse(y):
        _indicators(y.tocsr())
    elif not _are_codes(y) and type_of_target(y) == "multilabel-indicator":
        _indicators(np.asarray(y))


def _indicators(y):
    """Return multilabel targets after checking that they are 0 and 1.

    For `type_of_target` every matrix of two integers is an indicator matrix.
    """
    values = np.unique(y.data if sp.issparse(y) else y)
    if not np.isin(values, (0, 1)).all():
        values = values.tolist()
        raise ValueError(
            "Multilabel y must be an indicator matrix, with 1 where a row has the "
            f"label of the column and 0 where it has not, got the values {values}. If "
            f"{values[-1]} stands for the labels that a row has, give "
            f"(y == {values[-1]}).astype(int)."
        )
    return y


def _flat(y):
    """Return targets of a single column as a vector, with scikit-learn's warning."""
    return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y
