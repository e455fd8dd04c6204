"""The weights of classes, which `class_weight` asks for."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import compute_sample_weight

from skreg.compatibility import compute_class_weight
from skreg.data.sample_weights import SampleWeights, check_weights
from skreg.estimators.labels import Labels


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


def class_weights(class_weight, labels, y, sample_weight=None, incremental=False):
    """Compute the weights of the classes from the rows of a fit.

    Parameters
    ----------
    class_weight : dict, list of dict or "balanced"
    labels : Labels
    y : ndarray of shape (n_samples,) or (n_samples, n_labels)
        Checked targets of the training rows, which "balanced" counts.
    sample_weight : ndarray of shape (n_samples,), default=None
    incremental : bool, default=False
        Whether more rows may follow.

    Returns
    -------
    ClassWeights

    Raises
    ------
    ValueError
        If there are several dicts for a single label in each row, or if classes are to
        be balanced before all rows are known.
    """
    if labels.is_multilabel:
        return ClassWeights(labels, class_weight)
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
    classes, weights = labels.classes, np.ones(len(labels.classes))
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
    return ClassWeights(labels, class_weight, weights)
