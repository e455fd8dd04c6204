"""The weights of the classes, as given by `class_weight`."""

from dataclasses import dataclass

import numpy as np

from skreg.compatibility import compute_class_weight
from skreg.data.sample_weights import weighted
from skreg.estimators.labels import Labels


@dataclass(frozen=True, eq=False)
class ClassWeights:
    """Weights of the classes, which multiply the sample weights.

    Parameters
    ----------
    labels : Labels or None
        None if there are no weights.
    weights : ndarray of shape (n_classes,) or (n_labels, 2) or None
        For multilabel targets, the weights of rows without and with each label. None
        leaves sample weights as they are.
    """

    labels: Labels | None = None
    weights: np.ndarray | None = None

    def of_rows(self, X, y, weight):
        """Return the weight of each row, or of each label of each row.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
        y : ndarray
            Checked targets of the rows.
        weight : ndarray of shape (n_samples,) or None
            Checked sample weights.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_labels) or None
            None if all rows count the same.
        """
        if self.weights is None:
            return weight
        if self.labels.is_multilabel:
            absent, present = self.weights.T
            return weighted(np.where(y, present, absent), weight, X)
        codes = self.labels.codes(y)
        return weighted(self.weights[codes], weight, X)


def learn_class_weights(class_weight, targets, y, sample_weight=None):
    """Compute the weights of the classes from the rows of a fit.

    Parameters
    ----------
    class_weight : dict, list of dict, "balanced" or None
    targets : Labels
        Anything else if `class_weight` is None.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Checked targets of the training rows, which "balanced" counts.
    sample_weight : ndarray of shape (n_samples,), default=None

    Returns
    -------
    ClassWeights

    Raises
    ------
    ValueError
        If there is a list of dicts for a single label in each row, or no list of one
        dict for each label for several.
    """
    if class_weight is None:
        return ClassWeights()
    if sample_weight is not None:
        y, sample_weight = y[sample_weight > 0], sample_weight[sample_weight > 0]
    if targets.is_multilabel:
        of_labels = zip(_of_labels(class_weight, y.shape[1]), y.T)
        weights = [
            _weights(each, np.array([0, 1]), column.astype(int), sample_weight)
            for each, column in of_labels
        ]
        return ClassWeights(targets, np.array(weights))
    if isinstance(class_weight, list):
        raise ValueError(
            "class_weight can be a list, of one dict for each label, only if y is "
            f"multilabel, got {class_weight!r}."
        )
    weights = _weights(class_weight, targets.classes, y, sample_weight)
    return ClassWeights(targets, weights)


def _of_labels(class_weight, n_labels):
    """Return what `class_weight` says about each label."""
    if class_weight == "balanced":
        return [class_weight] * n_labels
    is_list = isinstance(class_weight, list)
    if not is_list or not all(isinstance(each, dict) for each in class_weight):
        raise ValueError(
            "For multilabel y, class_weight must be 'balanced' or a list of one dict "
            "for each label, such as {0: 1, 1: 5} for a label that counts five times "
            f"as much where it is present, got {class_weight!r}."
        )
    if len(class_weight) != n_labels:
        raise ValueError(
            f"class_weight must have one dict for each of {n_labels} labels, got "
            f"{len(class_weight)}."
        )
    return class_weight


def _weights(class_weight, classes, y, sample_weight):
    """Return the weight of each class of one target."""
    weights, present = np.ones(len(classes)), slice(None)
    if class_weight == "balanced":
        # A fold may lack a class, whose rows then count as they are.
        present = np.isin(classes, y)
    weights[present] = compute_class_weight(
        class_weight, classes=classes[present], y=y, sample_weight=sample_weight
    )
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(
            "class_weight must be finite numbers that are not negative, got "
            f"{class_weight!r}."
        )
    return weights
