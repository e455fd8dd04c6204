"""From an estimator and its data to the request to train a network."""

import copy
import math
from inspect import signature
from numbers import Real

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.metrics import get_scorer

from skreg.augmentation.parameter import batch_changes, table_strengths
from skreg.data.batches import count_batches
from skreg.data.quantiles import bin_edges, quantiles
from skreg.data.rows import Rows
from skreg.data.splitting import split_validation
from skreg.data.streams import SPLIT, Streams
from skreg.networks.architecture import Start, state_names
from skreg.parameters.checks import per_layer
from skreg.training.request import FitRequest
from skreg.training.schedules import SCHEDULES

# What "auto" stands for, chosen on public tables (docs/defaults.md).
BATCH_ROWS = 32
# Of fits that end when they no longer improve, or at an optimum.
MOST_EPOCHS = 200
# Of a scheduled fit: fewer move the weights of a network too little.
FEWEST_STEPS = 50


class RequestMixin:
    """What of an estimator says how its network is trained, and on which rows."""

    # The parameters that say how many layers there are.
    _layers_given_by = "hidden_layer_sizes"

    def _split(self, X, y, weight, validation, seed, incremental):
        """Return training and validation rows, the latter None without any.

        Rows of weight zero are left out: they are rows that were not given.
        """
        n_samples = X.shape[0]
        index = np.arange(n_samples) if weight is None else np.flatnonzero(weight)
        if any(part is not None for part in validation):
            return Rows(X, y, weight, index), self._given_validation(X, *validation)
        inside = self.early_stopping and self.validation_fraction is not None
        if not inside or incremental:
            return Rows(X, y, weight, index), None
        strata = self._strata(y)
        train_index, validation_index = split_validation(
            index,
            self.validation_fraction,
            None if strata is None else strata[index],
            int(Streams(seed)[SPLIT].integers(2**31)),
        )
        return Rows(X, y, weight, train_index), Rows(X, y, weight, validation_index)

    def _given_validation(self, X, X_val, y_val, sample_weight_val=None):
        """Return the rows that the user gave for validation, sparse if `X` is."""
        if X_val is None or y_val is None:
            parts = {"X_val": X_val, "y_val": y_val, "sample_weight_val": 0}
            given = [name for name, part in parts.items() if part is not None]
            raise ValueError(
                f"X_val and y_val must be given together, got {given[0]} only."
            )
        X_val, y_val = self._validate(X_val, y_val, reset=False)
        if sp.issparse(X) and not sp.issparse(X_val):
            X_val = sp.csr_array(X_val)
        elif sp.issparse(X_val) and not sp.issparse(X):
            X_val = X_val.toarray()
        y_val = self._check_targets(y_val, continuing=True, classes=None)
        weight = self._row_weights(X_val, y_val, sample_weight_val)
        index = np.arange(X_val.shape[0]) if weight is None else np.flatnonzero(weight)
        return Rows(X_val, y_val, weight, index)

    def _settings(self):
        """Return the regularisation and optimisation of the request."""
        architecture, inf = self._architecture, float("inf")
        n_hidden = architecture.n_hidden
        weights, hidden = "layers of weights", "hidden layers"
        max_norm = inf if self.max_norm is None else float(self.max_norm)
        given_by = self._layers_given_by
        l1 = per_layer("l1", self.l1, n_hidden + 1, weights, given_by)
        l2 = per_layer("l2", self.l2, n_hidden + 1, weights, given_by)
        group_l1 = [float(self.group_l1)] + [0.0] * n_hidden
        if architecture.skip == "linear":
            l1.append(l1[0] if self.skip_l1 is None else float(self.skip_l1))
            l2.append(l2[0] if self.skip_l2 is None else float(self.skip_l2))
            group_l1.append(float(self.group_l1))
        table = table_strengths(self)
        # The objective is the mean over the members, who have last layers of their own.
        l1[n_hidden] /= architecture.n_members
        l2[n_hidden] /= architecture.n_members
        return {
            "l1": l1,
            "l2": l2,
            "group_l1": group_l1,
            "max_norm": [max_norm] * len(l1),
            "positive": [float(self.positive)] * len(l1),
            "dropout": per_layer(
                "dropout", self.dropout, n_hidden, hidden, given_by, 1
            ),
            "input_dropout": self.input_dropout,
            "input_noise": table["input_noise"],
            "label_smoothing": getattr(self, "label_smoothing", 0.0),
            "mixup": table["mixup"],
            "stochastic_depth": self.stochastic_depth if architecture.n_paths else 0.0,
            "cutmix": table["cutmix"],
            "cutout": table["cutout"],
            "adversarial": self.adversarial,
            "pruning": float(self.pruning),
            "lr": float(self.learning_rate_init),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "momentum": self.momentum,
            "weight_decay": self.weight_decay,
            "clip_norm": inf if self.clip_norm is None else self.clip_norm,
        }

    def _request(self, train_rows, validation, seed, continuing, incremental):
        """Return the request that training this estimator comes down to."""
        watches = self.early_stopping and not incremental
        if watches and validation is None and self.monitor != "loss":
            raise ValueError(
                f"monitor={self.monitor!r} needs validation rows. Give X_val and y_val "
                "to fit, set validation_fraction to a number between 0 and 1, or use "
                "monitor='loss', which watches the training loss without them."
            )
        score = None
        if watches and validation is not None and self.monitor != "loss":
            score = self._validation_scorer(validation)
        dtype = self._compute_dtype(train_rows.X)
        return FitRequest(
            architecture=self._architecture,
            loss=self._loss,
            solver=self.solver,
            dtype=getattr(torch, dtype),
            device=self._device,
            train=self._encoded(train_rows, dtype),
            validation=None if validation is None else self._encoded(validation, dtype),
            scaling=(self.feature_offset_, self.feature_scale_)
            if self.feature_scale_ is not None
            else None,
            smooth_clip=self._smooth_clip,
            settings=self._settings()
            | self._pruned(self if continuing else None, incremental),
            batch_size=self._n_batch_rows(),
            max_iter=1 if incremental else self._n_epochs(len(train_rows.index)),
            max_polish=MOST_EPOCHS if self.max_iter == "auto" else self.max_iter,
            n_iter_no_change=self.n_iter_no_change,
            tol=self.tol,
            shuffle=self.shuffle,
            nesterov=self.nesterovs_momentum,
            stops_early=watches,
            watch_validation=watches and validation is not None,
            restore_best=watches and self.restore_best_weights,
            # A call of partial_fit does not know how many there will be.
            learning_rate="constant"
            if incremental and self.learning_rate in SCHEDULES
            else self.learning_rate,
            seed=seed,
            swa_fraction=0.0 if incremental else self.swa_fraction,
            ema_decay=0.0 if incremental else self.ema_decay,
            start=self._start(train_rows, dtype, continuing),
            n_snapshots=1 if incremental else self.n_snapshots,
            augment=self._batch_changes(),
            **self._course(self if continuing else None, incremental),
            keep_optimizer=incremental,
            score=score,
            callbacks=list(self.callbacks or ()),
            # An optimum of one network is none of several.
            may_polish=not (
                self.early_stopping
                or incremental
                or self.n_snapshots > 1
                or self._architecture.n_members > 1
            ),
            monitor=self._monitored(validation) if score else "loss",
        )

    def _batch_changes(self, image_shape=None):
        """Return what changes the rows of training batches.

        `image_shape` is that of the inputs, where the estimator takes images.
        """
        return batch_changes(self.augment, self.n_features_in_, image_shape)

    def _pruned(self, network, incremental):
        """Return the share of `pruning`, of a call that prunes no more if incremental.

        Such a call does not know how many there will be, and keeps the zeros of the
        network that goes on, if any.
        """
        if not (incremental and self.pruning):
            return {}
        return {"pruning": 0.0 if network is None else network.sparsity_}

    def _n_batch_rows(self):
        return BATCH_ROWS if self.batch_size == "auto" else self.batch_size

    def _n_epochs(self, n_rows):
        """Return the largest number of epochs, or of iterations of L-BFGS."""
        if self.max_iter != "auto":
            return self.max_iter
        is_scheduled = self.solver != "lbfgs" and self.learning_rate in SCHEDULES
        if self.early_stopping or not is_scheduled:
            return MOST_EPOCHS
        min_rows = 2 if self.batchnorm else 1
        n_batches = count_batches(n_rows, self._n_batch_rows(), min_rows)
        n_epochs = max(self._n_scheduled_epochs, math.ceil(FEWEST_STEPS / n_batches))
        return max(n_epochs, self.n_snapshots)

    def _start(self, rows, dtype, continuing):
        """Return where networks start; those of a continued fit keep its bins."""
        architecture, edges = self._architecture, None
        if architecture.embedding == "piecewise_linear" and continuing:
            # New members have the encoding of the others.
            edges = self._state[state_names(architecture).index("embedding_edges")]
        elif architecture.embedding == "piecewise_linear":
            levels = np.linspace(0, 1, architecture.embedding_size + 1)
            edges = rows.once(
                ("bins", len(levels)),
                lambda: quantiles(rows.X, rows.index, rows.weight, levels),
            )
            edges = torch.from_numpy(edges)
            edges = self._standardised(edges, *self._scaling_tensors())
            edges = bin_edges(edges.numpy().T.astype(dtype))
        return Start(self.init, float(self.embedding_scale), edges)

    def _monitored(self, validation):
        """Return what the validation scores depend on, besides what a request holds.

        That has the encoded targets, and scores are of those that the user gave.
        """
        if callable(self.monitor):
            return self.monitor
        if not type(self).__module__.startswith("skreg."):
            return self.monitor, type(self)  # which may predict as it likes
        classes = getattr(self, "classes_", None)
        return self.monitor, validation.y if classes is None else classes.tolist()

    def _compute_dtype(self, X):
        """Return the precision to train in: that of X on the CPU, single elsewhere."""
        if self.dtype is not None:
            return self.dtype
        return X.dtype.name if self._device.type == "cpu" else "float32"

    def _encoded(self, rows, dtype):
        # The scaling of targets depends on the loss, too.
        what = "encoded", dtype, self.standardize is False, self._loss
        encoded = rows.once(what, lambda: self._encode(rows.y, dtype))
        return Rows(rows.X, encoded, rows.weight, rows.index)

    def _snapshot(self, state):
        """Return this estimator as it would be fitted with a network's state."""
        estimator = copy.copy(self)
        estimator.__dict__.update(self._state_attributes(state))
        # It predicts rows that are an array by now, which is no reason to warn.
        estimator.__dict__.pop("feature_names_in_", None)
        return estimator

    def _validation_scorer(self, rows):
        """Return a function from a network's state to the monitored score."""
        scorer = get_scorer(self.monitor)
        X, y, options = rows.X[rows.index], rows.y[rows.index], {}
        # A scorer takes any keyword; what it can use is its metric's to say.
        metric = getattr(scorer, "_score_func", scorer)
        if rows.weight is not None and "sample_weight" in signature(metric).parameters:
            options["sample_weight"] = rows.weight[rows.index]
        prepared = copy.copy(self)

        def score(state):
            value = scorer(prepared._snapshot(state), X, y, **options)
            if not isinstance(value, Real) or math.isnan(value):
                raise ValueError(
                    f"monitor={self.monitor!r} must give a number for the validation "
                    f"rows, got {value!r}. Do they hold every class?"
                )
            return float(value)

        return score
