"""The abstract estimator: a fit from the data to the fitted attributes."""

import warnings
from abc import ABC, abstractmethod
from inspect import signature
from numbers import Integral
from typing import Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg.compatibility import CallbackSupportMixin
from skreg.estimators.conflicts import check_parameters
from skreg.estimators.constraints import CONSTRAINTS
from skreg.estimators.fits import Fit, early_end, fits_of
from skreg.estimators.fitted import FittedNetwork, fitted_attributes
from skreg.estimators.inputs import Table
from skreg.estimators.layout import dense_only
from skreg.estimators.members import draws_rows, n_trained
from skreg.estimators.monitoring import validation_score
from skreg.estimators.preparation import prepare
from skreg.estimators.request import member_requests
from skreg.estimators.rollback import fit_kept_on_failure
from skreg.fusion.scheduler import train_fit


def takes_steps(estimator):
    """Tell whether `partial_fit` is available, as `available_if` asks it."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit takes up where the last step ended, and solver='lbfgs' keeps "
            "nothing between calls. Use solver='adam' or 'sgd'."
        )
    if draws_rows(estimator):
        raise AttributeError(
            "partial_fit sees the rows of one call at a time, of which bootstrap and "
            f"max_samples cannot draw, got bootstrap={estimator.bootstrap!r} and "
            f"max_samples={estimator.max_samples!r}. Set bootstrap=False and "
            "max_samples=1.0."
        )
    return True


def store_parameters(estimator, given):
    """Store the arguments of `__init__` under their names, as they are.

    Parameters
    ----------
    estimator : BaseNetwork
    given : dict
        ``locals()`` at the beginning of `__init__`.
    """
    for name, value in given.items():
        if name != "self":
            setattr(estimator, name, value)


class BaseNetwork(CallbackSupportMixin, FittedNetwork, ABC):
    """The fit that all networks share; subclasses say what their targets are.

    A fit is read from top to bottom in `_fit`: parameters are checked, the data
    prepared, a request made for each network, all of them trained, and the results
    become the fitted attributes. Each step is a function of the parameters, which
    `self` holds, and of values; only the last one changes `self`.
    """

    _doc_link_module = "skreg"
    # The documentation lists an estimator where users import it from.
    _doc_link_template = (
        "https://skreg.readthedocs.io/generated/skreg.{estimator_name}.html"
    )

    _parameter_constraints = CONSTRAINTS

    # Whether targets are numbers rather than classes.
    _numeric_targets = False
    # What max_iter="auto" is where the schedule decides on the length of a fit.
    _n_scheduled_epochs = 10
    # The parameters that say how many layers there are.
    _layers_given_by = "hidden_layer_sizes"

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # A search reads the parameters several times a fit, which takes as long as a
        # tenth of the fit if the signature is worked out each time (PEP 362).
        if "__init__" in vars(cls):
            cls.__init__.__signature__ = signature(cls.__init__)

    @abstractmethod
    def _learn_targets(self, y, classes):
        """Check the targets of a first fit, and describe them.

        Parameters
        ----------
        y : ndarray
        classes : array-like or None
            All classes, for the first call of partial_fit.

        Returns
        -------
        y : ndarray
        targets : Labels or Numbers
        """

    @abstractmethod
    def _loss_of(self, targets):
        """Return the loss that the parameters ask for."""

    def _make_inputs(self):
        """Return the kind of the inputs that the parameters describe."""
        return Table()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not dense_only(self)
        return tags

    @property
    def penalty(self) -> Literal["l1", "l2"] | None:
        """The kind of the penalty: "l1" if it selects, else "l2" or None.

        scikit-learn's SelectFromModel asks for it: by default it keeps what has a
        weight at all if this is "l1", and what is above the mean otherwise.
        """
        l1, l2 = [self.l1, self.group_l1], [self.l2]
        if self.skip == "linear":
            l1.append(self.skip_l1 or 0)
            l2.append(self.skip_l2 or 0)
        if any(np.any(np.asarray(strength) != 0) for strength in l1):
            return "l1"
        return "l2" if any(np.any(np.asarray(s) != 0) for s in l2) else None

    def _fit(self, X, y, sample_weight, validation=(), incremental=False, classes=None):
        """Fit, or continue a fit, and return self.

        Parameters
        ----------
        X, y, sample_weight
            As the user gave them.
        validation : tuple, default=()
            ``X_val, y_val, sample_weight_val`` or nothing.
        incremental : bool, default=False
            Do one epoch from where the last call ended.
        classes : array-like, default=None
            All classes, for the first call of partial_fit.
        """
        goes_on = self.__sklearn_is_fitted__() and (incremental or self.warm_start)
        known, before = (self._layout, self._fits) if goes_on else (None, [])
        if goes_on and incremental:
            # scikit-learn checks the parameters in the first call only.
            self._validate_params()
        check_parameters(self)
        about = {"estimator": self, "X": X, "y": y}
        if sample_weight is not None:
            about["metadata"] = {"sample_weight": sample_weight}
        context = self._begin_callbacks(about)
        seed = self._draw_seed(before)
        with fit_kept_on_failure(self):
            prepared = prepare(
                self,
                X,
                y,
                sample_weight,
                validation,
                seed=seed,
                known=known,
                incremental=incremental,
                classes=classes,
            )
            score = validation_score(self, prepared, incremental)
            requests = member_requests(self, prepared, seed, before, incremental, score)
            self._watch(requests, prepared, context, about)
            results = train_fit(requests)
            fits, interrupted = fits_of(results, requests, prepared, before)
            self._become(prepared.layout, prepared.device, fits)
            if interrupted:
                raise KeyboardInterrupt
            if not incremental:
                self._warn_of_an_early_end([result.tracker for result in results])
        context.call_on_fit_task_end(**about, reconstruction_attributes={})
        return self

    def _draw_seed(self, before=()):
        """Return the seed of this call; only a RandomState instance is advanced.

        Parameters
        ----------
        before : list of Fit, default=()
            Fits of the networks that are continued.
        """
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        if before:
            return before[0].seed
        if self.random_state is None:
            return np.random.SeedSequence().entropy
        return int(self.random_state.randint(2**31 - 1))

    def _begin_callbacks(self, about):
        """Tell scikit-learn's callbacks that a fit begins; return their context."""
        is_known = self.max_iter != "auto"
        context = self._init_callback_context(
            max_subtasks=self.max_iter * n_trained(self) if is_known else None
        )
        context.call_on_fit_task_begin(**about)
        return context

    def _watch(self, requests, prepared, context, about):
        """Let scikit-learn's callbacks and `verbose` see each epoch."""
        if self.verbose or getattr(self, "_skl_callbacks", None):
            for number, request in enumerate(requests, start=1):
                label = f"Network {number}: " if len(requests) > 1 else ""
                request.on_epoch = self._epoch_hook(prepared, context, about, label)
        # Progress bars have read it, and a fit that is polished has more epochs.
        context.max_subtasks = None

    def _epoch_hook(self, prepared, context, about, label):
        """Return the hook that is called after each epoch of one network."""
        layout, device = prepared.layout, prepared.device

        def hook(tracker, state):
            if self.verbose:
                print(label + tracker.summary(), flush=True)
            epoch = context.subcontext(task_name="epoch")
            epoch.call_on_fit_task_begin(**about)
            return epoch.call_on_fit_task_end(
                **about,
                reconstruction_attributes=lambda: fitted_attributes(
                    layout, device, [Fit(state())]
                ),
            )

        return hook

    def _with_state(self, prepared, state):
        """Return this estimator as it would be fitted with a network's state."""
        estimator = self._with_networks(prepared.layout, prepared.device, [Fit(state)])
        # It predicts rows that are an array by now, which is no reason to warn.
        vars(estimator).pop("feature_names_in_", None)
        return estimator

    def _warn_of_an_early_end(self, trackers):
        """Warn that training did not converge, if that was to be expected of it."""
        messages = [
            early_end(tracker, fit.kkt_violation)
            for fit, tracker in zip(self._fits, trackers)
        ]
        message = next(filter(None, messages), None)
        if message is not None:
            # The caller of fit, above scikit-learn's wrapper.
            warnings.warn(message, ConvergenceWarning, stacklevel=5)
