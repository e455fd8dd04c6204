"""The predictions of several fitted estimators, for a few rows in stacks."""

from skreg.estimators.inference import Inference
from skreg.estimators.layout import has_gaps
from skreg.estimators.trained import layout_of, states_of
from skreg.estimators.validation import as_read

# For more rows than this, a stack is no faster than its networks one by one.
FEW_ROWS = 64


class SideBySide:
    """Fitted estimators of the same kind, which predict the same rows.

    Parameters
    ----------
    estimators : list of BaseNetwork
    """

    def __init__(self, estimators):
        self.estimators, self._stacks, alike = estimators, None, {}
        if any(len(states_of(each)) > 1 for each in estimators):
            return
        for place, each in enumerate(estimators):
            alike.setdefault(_structure(each), []).append(place)
        self._stacks = [
            (places, _stack([estimators[place] for place in places]))
            for places in alike.values()
        ]

    def predictions(self, X):
        """Return the probabilities or the numbers that each estimator predicts.

        Parameters
        ----------
        X : {ndarray, CSR} of shape (n_samples, n_features)
            Validated rows.

        Returns
        -------
        list of ndarray
        """
        estimators = self.estimators
        if self._stacks is None or X.shape[0] > FEW_ROWS or has_gaps(X):
            X = as_read(X)
            return [each._decoded(each._raw_predict(X)) for each in estimators]
        found = {}
        for places, stack in self._stacks:
            for place, score in zip(places, stack.scores_of_each(X)):
                found[place] = estimators[place]._decoded(score)
        return [found[place] for place in range(len(estimators))]


def _structure(estimator):
    """Return what the networks of a stack have in common."""
    layout, dtype = layout_of(estimator), states_of(estimator)[0][0].dtype
    architecture, kind = layout.architecture, layout.scaling.kind
    return architecture, layout.loss, kind, dtype, estimator._device


def _stack(estimators):
    """Return the `Inference` of networks of the same structure."""
    first, states = estimators[0], [states_of(each)[0] for each in estimators]
    scalings = [layout_of(each).scaling for each in estimators]
    return Inference(layout_of(first), states, first._device, scalings)
