"""The networks of a candidate, one for each fold, before and after training."""

import copy
from dataclasses import dataclass, replace

from skreg.estimators.base import BaseNetwork
from skreg.estimators.conflicts import validate_parameters
from skreg.estimators.members import check_single
from skreg.estimators.preparation import Prepared, continued_inputs, prepare_rows
from skreg.estimators.request import make_request
from skreg.estimators.trained import become_trained
from skreg.training.request import FitRequest


@dataclass(frozen=True, eq=False)
class Entry:
    """The network of a candidate for one fold.

    Parameters
    ----------
    model : BaseNetwork
    prepared : Prepared
        The prepared data. Its validation rows are the held-out rows, if there are any.
    request : FitRequest
    """

    model: BaseNetwork
    prepared: Prepared
    request: FitRequest

    def fitted(self, result):
        """Return the model with its trained network, or raise the training error."""
        return become_trained(self.model, self.prepared, result)


def entered(prototype, params, data, fold, seed):
    """Prepare the network of a candidate for a fold.

    Parameters
    ----------
    prototype : MLPClassifier or MLPRegressor
    params : dict
        The parameters of the candidate.
    data : SearchData
    fold : tuple of ndarray
        The indices of the training rows and of the held-out rows, which may be empty.
    seed : int

    Returns
    -------
    Entry
    """
    model = copy.copy(prototype).set_params(**params, random_state=seed)
    validate_parameters(model)
    check_single(model, "For each fold, a search by cross-validation trains")
    rows, held_out = data.rows_for(model, fold)
    # Candidates may have different convolutions, but the images are the same.
    inputs = continued_inputs(model, data.checked.inputs)
    checked = replace(data.checked, inputs=inputs)
    prepared = prepare_rows(model, checked, rows, held_out)
    # Without held-out rows, the number of epochs is known from the folds.
    request = make_request(model, prepared, seed, is_scored=held_out is not None)
    return Entry(model, prepared, request)
