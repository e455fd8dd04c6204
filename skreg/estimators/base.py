"""The abstract estimator: a fit from the data to the fitted attributes."""

import warnings
from abc import ABC, abstractmethod
from numbers import Integral
from typing import Literal, Self

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skreg.compatibility import (
    CallbackSupportMixin,
    check_constraints,
    fit_context,
)
from skreg.data.random_streams import seed_of
from skreg.estimators.callbacks import begin_callbacks, watched
from skreg.estimators.conflicts import check_conflicts
from skreg.estimators.constraints import CONSTRAINTS
from skreg.estimators.continuation import Continuation
from skreg.estimators.convergence import early_end, needless_epochs
from skreg.estimators.fits import fits_of
from skreg.estimators.fitted import FittedNetwork
from skreg.estimators.inputs import Table
from skreg.estimators.layout import dense_only
from skreg.estimators.members import draws_rows
from skreg.estimators.preparation import prepare
from skreg.estimators.request import member_requests
from skreg.estimators.rollback import fit_kept_on_failure
from skreg.fusion.scheduler import train_fit
from skreg.parameters.regularisers import regularisers_on
from skreg.training.schedules import SCHEDULES
from skreg.typing import ArrayLike, MatrixLike


def takes_steps(estimator):
    """Return True if `partial_fit` is available, else raise an AttributeError."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit continues from the last step, but solver='lbfgs' keeps no "
            "state between calls. Use solver='adam' or 'sgd'."
        )
    if estimator.early_stopping:
        raise AttributeError(
            "partial_fit trains for one epoch and cannot stop early, got "
            "early_stopping=True. Set early_stopping=False, or use fit, with "
            "warm_start=True to continue."
        )
    if draws_rows(estimator):
        raise AttributeError(
            "partial_fit cannot draw rows, because it sees the rows of one call only, "
            f"got bootstrap={estimator.bootstrap!r} and "
            f"max_samples={estimator.max_samples!r}. Set bootstrap=False and "
            "max_samples=1.0."
        )
    if getattr(estimator, "class_weight", None) == "balanced":
        raise AttributeError(
            "partial_fit cannot balance classes, because it sees the rows of one call "
            "only, got class_weight='balanced'. Give a dict of weights instead, or a "
            "list of dicts for several labels."
        )
    return True


def store_parameters(estimator, given):
    """Store the arguments of `__init__` under their names, as they are.

    Parameters
    ----------
    estimator : BaseEstimator
    given : dict
        ``locals()`` at the beginning of `__init__`.
    """
    for name, value in given.items():
        if name != "self":
            setattr(estimator, name, value)


class BaseNetwork(CallbackSupportMixin, FittedNetwork, ABC):
    """The fit that all networks share. Subclasses define the targets.

    `_fit` shows all steps of a fit from top to bottom: it checks the parameters,
    prepares the data, makes a request for each network, trains them, and sets the
    fitted attributes from the results. Each step is a function of the parameters, which
    `self` holds, and of values. The last step sets the fitted attributes. Before it,
    only scikit-learn's `n_features_in_`, `feature_names_in_` and callbacks are set.
    """

    _doc_link_module = "skreg"
    # The documentation lists an estimator where users import it from.
    _doc_link_template = (
        "https://skreg.readthedocs.io/en/stable/generated/skreg.{estimator_name}.html"
    )

    _parameter_constraints = CONSTRAINTS
    # As of scikit-learn's splitters for groups.
    __metadata_request__fit = {"groups": True}

    # Whether targets are numbers rather than classes.
    _numeric_targets = False
    # The number of epochs for max_iter="auto" under a schedule.
    _n_scheduled_epochs = 10
    # The parameters that define the number of layers.
    _layers_given_by = "hidden_layer_sizes"

    @abstractmethod
    def _learn_targets(self, y, classes, owner):
        """Check the targets of a first fit, and describe them.

        Parameters
        ----------
        y : ndarray
        classes : array-like or None
            All classes, for the first call of partial_fit.
        owner : str
            The name of the estimator, for messages.

        Returns
        -------
        y : ndarray
        targets : Labels or Numbers
        """

    @abstractmethod
    def _loss_of(self, targets):
        """Return the loss of the parameters."""

    def _make_inputs(self):
        """Return the kind of the inputs, which depends on the parameters."""
        return Table(self.categorical_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not dense_only(self)
        tags.input_tags.allow_nan = tags.input_tags.categorical = True
        return tags

    @property
    def penalty(self) -> Literal["l1", "l2"] | None:
        """The kind of the penalty: "l1" if it selects, else "l2" or None.

        scikit-learn's SelectFromModel reads it. If it is "l1", all features with
        non-zero weights are kept by default, and otherwise those above the mean.
        """
        l1, l2 = [self.l1, self.group_l1], [self.l2]
        if self.skip == "linear":
            l1.append(self.skip_l1 or 0)
            l2.append(self.skip_l2 or 0)
        if any(np.any(np.asarray(strength) != 0) for strength in l1):
            return "l1"
        return "l2" if any(np.any(np.asarray(s) != 0) for s in l2) else None

    @fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: MatrixLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: MatrixLike | None = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs. The columns of a table are numbers, of which some may be
            missing, or categories (see `categorical_features`). Convolutional networks
            also take images in all methods: dense arrays of shape (n_samples, height,
            width), (n_samples, height, width, channels) or, with
            ``data_format="channels_first"``, (n_samples, channels, height, width).
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. A weight of 2 equals a row given twice, and a weight
            of 0 a row left out.
        X_val, y_val : array-like, default=None
            Validation rows for early stopping, instead of a share of X. Without
            early stopping, they only give `validation_loss_curve_`.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.
        groups : array-like of shape (n_samples,), default=None
            Groups of rows, such as those of one patient. The rows that early stopping
            sets aside are whole groups, of about `validation_fraction` of the rows.
            With metadata routing, searches pass the groups that their folds get.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        validation = X_val, y_val, sample_weight_val
        return self._fit(X, y, sample_weight, validation, groups=groups)

    def _fit(
        self,
        X,
        y,
        sample_weight,
        validation=(),
        groups=None,
        is_step=False,
        classes=None,
    ):
        """Fit, or continue a fit, and return self.

        Parameters
        ----------
        X, y, sample_weight
            As the user gave them.
        validation : tuple, default=()
            ``X_val, y_val, sample_weight_val`` or nothing.
        groups : array-like, default=None
            Groups of rows that the validation split keeps together.
        is_step : bool, default=False
            Whether this is a call of partial_fit: one epoch, continuing the last call.
        classes : array-like, default=None
            All classes, for the first call of partial_fit.
        """
        earlier = self._earlier(is_step, classes)
        if is_step and earlier.fits:
            # scikit-learn checks the parameters in the first call only.
            check_constraints(self)
        check_conflicts(self)
        about = {"estimator": self, "X": X, "y": y}
        if sample_weight is not None:
            about["metadata"] = {"sample_weight": sample_weight}
        context = begin_callbacks(self, about)
        seed = self._draw_seed(earlier.fits)
        with fit_kept_on_failure(self):
            prepared = prepare(
                self,
                X,
                y,
                sample_weight,
                validation,
                groups=groups,
                seed=seed,
                earlier=earlier,
            )
            requests = member_requests(self, prepared, seed, earlier)
            requests = watched(self, requests, prepared, context, about)
            results = train_fit(requests)
            fits, interrupted = fits_of(results, requests, prepared, earlier.fits)
            self._become(prepared.layout, prepared.device, fits)
            if interrupted:
                raise KeyboardInterrupt
            if not is_step:
                self._warn_of_an_early_end([result.tracker for result in results])
        context.call_on_fit_task_end(**about, reconstruction_attributes={})
        return self

    def _earlier(self, is_step, classes):
        """Return the `Continuation` of this call."""
        if self.__sklearn_is_fitted__() and (is_step or self.warm_start):
            return Continuation(is_step, classes, self._layout, self._fits)
        return Continuation(is_step, classes)

    def _draw_seed(self, before=()):
        """Return the seed of this call; only a RandomState instance is advanced.

        Parameters
        ----------
        before : list of Fit, default=()
            Fits of the networks that are continued.
        """
        if before and not isinstance(self.random_state, Integral):
            return before[0].seed
        return seed_of(self.random_state)

    def _needless_epochs(self, trackers):
        """Return warnings if the length of the fit alone decided on its weights."""
        is_given = self.max_iter != "auto" and self.learning_rate in SCHEDULES
        if not is_given or self.early_stopping or self.solver == "lbfgs":
            return []
        messages = list(filter(None, map(needless_epochs, trackers)))
        return [] if messages and regularisers_on(self) else messages

    def _warn_of_an_early_end(self, trackers):
        """Warn if training ended before it converged, or long after."""
        messages = [
            early_end(tracker, fit.kkt_violation)
            for fit, tracker in zip(self._fits, trackers)
        ]
        messages += self._needless_epochs(trackers)
        message = next(filter(None, messages), None)
        if message is not None:
            # The caller of fit, above scikit-learn's wrapper.
            warnings.warn(message, ConvergenceWarning, stacklevel=5)
