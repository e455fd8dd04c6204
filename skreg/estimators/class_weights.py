"""The weights of the classes, as given by `class_weight`."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import compute_sample_weight

from skreg.compatibility import compute_class_weight
from skreg.data.sample_weights import check_weights
from skreg.estimators.labels import Labels


@dataclass(frozen=True, eq=False)
class ClassWeights:
    """Weights of the classes, which multiply the sample weights.

    Parameters
    ----------
    class_weight : dict, list of dict, "balanced" or None
        None leaves sample weights as they are.
    labels : Labels or None
    weights : ndarray of shape (n_classes,) or None
        None for multilabel targets.
    """

    class_weight: object = None
    labels: Labels | None = None
    weights: np.ndarray | None = None

    def of_rows(self, X, y, weight):
        """Return the weight of each row, or None if all rows count the same.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
        y : ndarray
            Checked targets of the rows.
        weight : ndarray of shape (n_samples,) or None
            Checked sample weights.

        Returns
        -------
        ndarray of shape (n_samples,) or None
        """
        if self.class_weight is None:
            return weight
        if self.labels.is_multilabel:
            of_class = compute_sample_weight(self.class_weight, y)
        else:
            of_class = self.weights[np.searchsorted(self.labels.classes, y)]
        # Products may be all zero or out of range, even if no factor is.
        return check_weights(of_class if weight is None else weight * of_class, X)


def learn_class_weights(class_weight, targets, y, sample_weight=None, is_step=False):
    """Compute the weights of the classes from the rows of a fit.

    Parameters
    ----------
    class_weight : dict, list of dict, "balanced" or None
    targets : Labels
        Anything else if `class_weight` is None.
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Checked targets of the training rows, which "balanced" counts.
    sample_weight : ndarray of shape (n_samples,), default=None
    is_step : bool, default=False
        Whether more rows may follow, in further calls of partial_fit.

    Returns
    -------
    ClassWeights

    Raises
    ------
    ValueError
        If there are several dicts for a single label in each row, or if classes are to
        be balanced before all rows are known.
    """
    if class_weight is None:
        return ClassWeights()
    if targets.is_multilabel:
        return ClassWeights(class_weight, targets)
    if isinstance(class_weight, list):
        raise ValueError(
            "class_weight can be a list, of one dict for each label, only if y is "
            f"multilabel, got {class_weight!r}."
        )
    if is_step and class_weight == "balanced":
        raise ValueError(
            "class_weight='balanced' needs all rows at once and cannot be used "
            "with partial_fit. Give a dict of weights instead."
        )
    classes, weights = targets.classes, np.ones(len(targets.classes))
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
    return ClassWeights(class_weight, targets, weights)
