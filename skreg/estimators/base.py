"""The abstract estimator: validate, encode, request, and keep the result."""

import math
import warnings
from abc import ABC, abstractmethod
from inspect import signature
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import validate_data

from skreg.augmentation.parameter import check_augment, n_channels
from skreg.data.moments import channel_standardisation, standardisation
from skreg.data.quantiles import has_two_values, robust_scaling
from skreg.estimators.constraints import CONSTRAINTS
from skreg.estimators.fitted import FittedNetworkMixin
from skreg.estimators.members import MembersMixin, check_members, draws_rows
from skreg.estimators.preparation import RequestMixin
from skreg.estimators.rollback import fit_kept_on_failure
from skreg.fusion.scheduler import train_fit
from skreg.networks.architecture import architecture_of, difference
from skreg.parameters.checks import (
    check_callbacks,
    check_course,
    check_device,
    check_full_batch,
    check_hidden_layer_sizes,
    check_weights,
)

# What weights and losses of networks that have not diverged seldom reach.
USUAL = 100
# Rows whose predictions are looked at where they do.
JUDGED_ROWS = 200


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


class BaseNetwork(
    RequestMixin,
    MembersMixin,
    FittedNetworkMixin,
    CallbackSupportMixin,
    BaseEstimator,
    ABC,
):
    """What every skreg estimator shares; subclasses add targets and a loss."""

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

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # A search reads the parameters several times a fit, which takes as long as a
        # tenth of the fit if the signature is worked out each time (PEP 362).
        if "__init__" in vars(cls):
            cls.__init__.__signature__ = signature(cls.__init__)

    @abstractmethod
    def _check_targets(self, y, continuing, classes):
        """Return `y` checked, after setting what the estimator must know of it."""

    @abstractmethod
    def _fit_encoding(self, rows):
        """Learn from the training rows what `_encode` needs."""

    @abstractmethod
    def _encode(self, y, dtype):
        """Return the targets of the loss, an array of shape (n_samples, n_outputs)."""

    @abstractmethod
    def _make_loss(self):
        """Return the loss."""

    def _strata(self, y):
        """Return the classes whose shares a validation split keeps, or None."""
        return None

    def _learn_class_weights(self, y, sample_weight, incremental):
        """Set what the classes count; numbers have none."""

    def _row_weights(self, X, y, sample_weight):
        """Return what each row counts, or None if all count the same."""
        return check_weights(sample_weight, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = not self._dense_only()
        return tags

    def _validate(self, X, y, reset):
        """Check `X` and `y` as scikit-learn does."""
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csr",
            multi_output=True,
            y_numeric=self._numeric_targets,
            dtype=(np.float64, np.float32),
            order="C",
            reset=reset,
        )
        # Targets of several columns may come sparse.
        return X, y.toarray() if sp.issparse(y) else y

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
        continuing = hasattr(self, "coefs_") and (incremental or self.warm_start)
        if continuing and incremental:
            # scikit-learn checks the parameters in the first call only.
            self._validate_params()
        self._check_parameters()
        ctx = self._init_callback_context(
            max_subtasks=None
            if self.max_iter == "auto"
            else self.max_iter * (1 if self._is_shared else self.n_estimators)
        )
        about = {"estimator": self, "X": X, "y": y}
        if sample_weight is not None:
            about["metadata"] = {"sample_weight": sample_weight}
        ctx.call_on_fit_task_begin(**about)
        seed = self._draw_seed(continuing)
        with fit_kept_on_failure(self):
            request = self._prepared_request(
                X, y, sample_weight, validation, seed, continuing, incremental, classes
            )
            requests = self._member_requests(request, incremental)
            for number, own in enumerate(requests, start=1):
                label = f"Network {number}: " if len(requests) > 1 else ""
                own.on_epoch = self._epoch_hook(ctx, about, label)
            # Progress bars have read it, and a fit that is polished has more epochs.
            ctx.max_subtasks = None
            results = train_fit(requests)
            if len(requests) == 1:
                self._keep(results[0], requests[0], continuing)
            else:
                self._keep_members(results, requests, continuing)
            if not incremental:
                self._warn_of_an_early_end([result.tracker for result in results])
        ctx.call_on_fit_task_end(**about, reconstruction_attributes={})
        return self

    def _prepared_request(
        self,
        X,
        y,
        sample_weight=None,
        validation=(),
        seed=0,
        continuing=False,
        incremental=False,
        classes=None,
    ):
        """Learn all but the weights from the data, and return the request for these.

        Parameters are those of `_fit`; `seed` and `continuing` are what it found.
        """
        X, y = self._validate(X, y, reset=not continuing)
        y = self._check_targets(y, continuing, classes)
        self._learn_class_weights(y, check_weights(sample_weight, X), incremental)
        weight = self._row_weights(X, y, sample_weight)
        data = self._split(X, y, weight, validation, seed, incremental)
        self._prepare(data[0], continuing)
        return self._request(*data, seed, continuing, incremental)

    @property
    def penalty(self):
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

    def _check_parameters(self):
        """Check what depends on several parameters."""
        sizes = check_hidden_layer_sizes(self.hidden_layer_sizes)
        if self.stochastic_depth > 0 and self.skip is None:
            raise ValueError(
                "stochastic_depth drops what a connection skips, and with skip=None "
                f"there is nothing to drop, got stochastic_depth="
                f"{self.stochastic_depth!r}. Set skip='residual' or 'linear'."
            )
        if self.numeric_embedding == "periodic" and self.embedding_size == 1:
            raise ValueError(
                "numeric_embedding='periodic' turns an input into itself and "
                "embedding_size - 1 numbers more, so embedding_size must be 2 at "
                "least, got embedding_size=1."
            )
        check_members(self, sizes)
        if self.solver == "lbfgs":
            check_full_batch(self)
        check_augment(self)
        check_course(self)
        check_callbacks(self.callbacks or (), self.solver)

    def _draw_seed(self, continuing):
        """Return the seed of this call; only a RandomState instance is advanced."""
        if isinstance(self.random_state, Integral):
            return int(self.random_state)
        if continuing:
            return self._seed
        if self.random_state is None:
            return np.random.SeedSequence().entropy
        return int(self.random_state.randint(2**31 - 1))

    def _prepare(self, rows, continuing):
        """Learn the standardising and the layout; a continued fit keeps its own."""
        dense_only = self._dense_only()
        if dense_only and sp.issparse(rows.X):
            raise ValueError(
                f"{dense_only} looks at the quantiles of each input and takes no "
                "sparse X. Give X.toarray(), or leave the parameter out."
            )
        architecture = architecture_of(
            rows.X.shape[1],
            check_hidden_layer_sizes(self.hidden_layer_sizes),
            self.n_outputs_,
            self.activation,
            self.batchnorm,
            self.skip,
            self.numeric_embedding,
            self._embedding_sizes(rows, continuing),
            self._convolutions(),
            self.n_estimators if self._is_shared else 1,
        )
        if continuing and architecture != self._architecture:
            raise ValueError(
                f"The layers changed: {difference(self._architecture, architecture)}. "
                "A fit can be continued only with the same. Set warm_start=False."
            )
        loss = self._make_loss()
        if continuing and loss != self._loss:
            raise ValueError(
                f"The loss changed from {self._loss} to {loss}; a fit can be continued "
                "only with the same. Set warm_start=False."
            )
        if architecture.batchnorm and len(rows.index) < 2:
            raise ValueError(
                f"batchnorm={self.batchnorm!r} needs two training rows at least, got "
                f"n_samples={len(rows.index)}."
            )
        if architecture.batchnorm and self.batch_size == 1:
            raise ValueError(
                f"batchnorm={self.batchnorm!r} normalises over the rows of a batch and "
                "needs batch_size=2 at least, got batch_size=1."
            )
        self._device = check_device(self.device)
        if continuing:
            return
        self._architecture, self._loss = architecture, loss
        self._smooth_clip = self.standardize == "robust"
        self.feature_offset_, self.feature_scale_ = self._scaling(rows)
        self._fit_encoding(rows)

    def _convolutions(self):
        """Return the `ConvolutionShape` of each convolution before the dense layers."""
        return ()

    def _n_channels(self):
        """Return how many channels share one scale among their pixels, or None."""
        return n_channels(self._batch_changes())

    def _scaling(self, rows):
        """Return what the inputs are centred and divided by, or None.

        Of images, that of a channel: what moves from pixel to pixel is on one scale.
        """
        if not self.standardize:
            return None, None
        channels, data = self._n_channels(), (rows.X, rows.index, rows.weight)
        if self._smooth_clip:
            return rows.once(
                ("robust", channels), lambda: robust_scaling(*data, channels)
            )
        with_mean = not sp.issparse(rows.X)
        return rows.once(
            ("standard", channels),
            lambda: (
                channel_standardisation(*data, channels, with_mean)
                if channels
                else standardisation(*data, with_mean)
            ),
        )

    def _embedding_sizes(self, rows, continuing):
        """Return how many numbers become of each input.

        Bins tell nothing of an input with two values, which stays one number; unless
        all are groups of weights, which are of one size.
        """
        if self.numeric_embedding is None:
            return ()
        sizes = np.full(rows.X.shape[1], self.embedding_size)
        if continuing and self._architecture.embedding:
            sizes[np.equal(self._architecture.embedding_sizes, 1)] = 1
        elif self.numeric_embedding == "piecewise_linear" and self.group_l1 == 0:
            has_two = rows.once("two", lambda: has_two_values(rows.X, rows.index))
            sizes[has_two] = 1
        return tuple(sizes.tolist())

    def _dense_only(self):
        """Return the parameter that takes no sparse inputs, with its value, or None."""
        if self.standardize == "robust":
            return "standardize='robust'"
        if self.numeric_embedding == "piecewise_linear":
            return "numeric_embedding='piecewise_linear'"
        return None

    def _epoch_hook(self, ctx, about, label):
        """Return what follows each epoch: scikit-learn's callbacks and verbose.

        `label` says of which network an epoch is.
        """
        if not self.verbose and not getattr(self, "_skl_callbacks", None):
            return None

        def hook(tracker, state):
            if self.verbose:
                print(label + tracker.summary(), flush=True)
            epoch = ctx.subcontext(task_name="epoch")
            epoch.call_on_fit_task_begin(**about)
            return epoch.call_on_fit_task_end(
                **about,
                reconstruction_attributes=lambda: self._state_attributes(state()),
            )

        return hook

    def _is_usable(self, result, rows):
        """Tell whether the predictions are finite, at some training rows at least.

        The losses are those before each step, so the last step is yet to be judged.
        Numbers of the usual size, on centred inputs, do not overflow in one step,
        unless by the exponential function.
        """
        numbers = [np.abs(array).max() for array in result.state]
        numbers += result.tracker.loss_curve[-1:]
        centred = self.feature_offset_ is not None
        if centred and max(numbers) < USUAL and self._loss.out_activation != "exp":
            return True
        estimator = self._snapshot(result.state)
        numeric = self._numeric_targets
        predict = estimator.predict if numeric else estimator.predict_proba
        return bool(np.isfinite(predict(rows.X[rows.index[:JUDGED_ROWS]])).all())

    def _keep(self, result, request, continuing=False):
        """Set the fitted attributes, or raise what went wrong."""
        tracker = result.tracker
        if tracker.error is None and not self._is_usable(result, request.train):
            tracker.diverged(math.nan)
        if tracker.error is not None:
            raise KeyboardInterrupt if result.interrupted else tracker.error
        snapshots = tracker.snapshots or None
        if snapshots and tracker.n_iter == request.max_iter:
            snapshots = [*snapshots[:-1], result.state]  # the same numbers
        self.__dict__.update(self._state_attributes(result.state, snapshots))
        self._seed, self._optimizer_state = request.seed, result.optimizer_state
        self._history = result.history
        self._keep_curves(tracker, continuing)
        n_seen = tracker.n_iter * len(request.train.index)
        self.t_ = request.samples_seen + n_seen
        self._epochs_seen = request.epochs_seen + tracker.n_iter
        self.n_iter_, self.kkt_violation_ = tracker.n_iter, result.kkt_violation
        self.n_layers_ = self._architecture.n_hidden + 2
        self.out_activation_ = self._loss.out_activation
        if result.interrupted:
            raise KeyboardInterrupt

    def _warn_of_an_early_end(self, trackers):
        """Warn that training did not converge, if that was to be expected of it."""
        messages = [
            net._early_end(tracker) for net, tracker in zip(self._networks, trackers)
        ]
        message = next(filter(None, messages), None)
        if message is not None:
            # The caller of fit, above scikit-learn's wrapper.
            warnings.warn(message, ConvergenceWarning, stacklevel=5)

    def _early_end(self, tracker):
        """Return what to say of a network that did not converge, or None."""
        request = tracker.request
        if tracker.converged or tracker.halted:
            return None
        if request.solver == "lbfgs" or request.is_certified:
            return (
                f"The optimality conditions are violated by {self.kkt_violation_:.1e}, "
                f"more than {request.accuracy:.1e}, where the solver stopped. Increase "
                f"max_iter (got {request.max_polish}), standardise the inputs, or give "
                "a network a smooth activation, such as 'tanh' or 'silu'."
            )
        if self.n_iter_ == request.max_iter and not request.has_fixed_length:
            return (
                f"Training stopped at max_iter={request.max_iter} before it converged. "
                "Increase max_iter or learning_rate_init, or use early_stopping=True."
            )
        return None

    def _keep_curves(self, tracker, continuing):
        """Set the curves, a continued fit's after those of the calls before.

        Epochs without validation rows are nan in a curve that others have.
        """
        before = len(self.loss_curve_ or ()) if continuing else 0
        curves = {
            "loss_curve_": tracker.loss_curve,
            "validation_loss_curve_": tracker.validation_loss_curve,
            "validation_scores_": tracker.validation_scores,
        }
        for name, curve in curves.items():
            earlier = getattr(self, name) if continuing else None
            if earlier or curve:
                earlier = earlier or [math.nan] * before
                curve = [*earlier, *(curve or [math.nan] * tracker.n_iter)]
            setattr(self, name, curve or None)
        watched = tracker.request.watch_validation
        self.loss_ = tracker.loss_curve[-1] if tracker.loss_curve else math.nan
        self.best_loss_ = None if watched else min(tracker.loss_curve, default=math.nan)
        self.best_validation_score_ = tracker.best_score if watched else None
        self.best_iter_ = before + tracker.best_iter
