"""Notification of scikit-learn's callbacks, and printing of epochs under `verbose`."""

from dataclasses import replace

from skreg.compatibility import callback_context, has_callbacks
from skreg.estimators.fits import Fit
from skreg.estimators.fitted import fitted_attributes
from skreg.estimators.members import n_trained


def begin_callbacks(estimator, about):
    """Notify scikit-learn's callbacks that a fit begins.

    Parameters
    ----------
    estimator : BaseNetwork
    about : dict
        The estimator and its data, as callbacks receive them.

    Returns
    -------
    CallbackContext
    """
    is_known = estimator.max_iter != "auto"
    n_epochs = estimator.max_iter * n_trained(estimator) if is_known else None
    context = callback_context(estimator, n_epochs)
    context.call_on_fit_task_begin(**about)
    return context


def watched(estimator, requests, prepared, context, about):
    """Let callbacks see each epoch, and print it if `verbose` is set.

    Parameters
    ----------
    estimator : BaseNetwork
    requests : list of FitRequest
    prepared : Prepared
    context : CallbackContext
    about : dict
        The estimator and its data, as callbacks receive them.

    Returns
    -------
    list of FitRequest
        The requests, with `on_epoch` where something is to be shown.
    """
    # Progress bars have read it by now, and a polished fit has more epochs.
    context.max_subtasks = None
    if not (estimator.verbose or has_callbacks(estimator)):
        return requests
    several = len(requests) > 1
    labels = [f"Network {i}: " if several else "" for i in range(1, len(requests) + 1)]
    return [
        replace(
            request, on_epoch=_epoch_hook(estimator, prepared, context, about, label)
        )
        for request, label in zip(requests, labels)
    ]


def _epoch_hook(estimator, prepared, context, about, label):
    """Return the hook that is called after each epoch of one network."""

    def hook(tracker, state):
        if estimator.verbose:
            print(label + tracker.summary(), flush=True)
        epoch = context.subcontext(task_name="epoch")
        epoch.call_on_fit_task_begin(**about)
        return epoch.call_on_fit_task_end(
            **about,
            reconstruction_attributes=lambda: fitted_attributes(
                prepared.layout, prepared.device, [Fit(state())]
            ),
        )

    return hook
