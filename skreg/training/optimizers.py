"""Stacked Adam and SGD with proximal steps.

Each setting is a vector with one element per model. The fused kernels of torch take a
single number for each setting. Therefore neighbouring models with equal settings form
a *run*, which is updated in one call. Where different learning rates would make runs
short, the rates are applied separately.

l1 and group_l1 never enter the gradient. After each step, the proximal operator is
applied to the weights in the metric of the optimiser (ProxGen: Yun, Lozano and Yang
2021, "Adaptive Proximal Gradient Methods for Structured Neural Networks").
"""

import inspect
import math
from dataclasses import dataclass, fields

import torch

from skreg.compatibility import foreach_addcmul_, foreach_zero_, fused_adam_, fused_sgd_
from skreg.networks.first_models import first_models
from skreg.penalties.kinds import GroupLasso

# Number of elements that two additional passes can process in the time of one call of a
# fused kernel.
NUMBERS_PER_CALL = 2**14


@dataclass
class StepSettings:
    """Settings of the optimiser, with one number per model.

    Parameters
    ----------
    lr, beta_1, beta_2, epsilon, momentum, weight_decay : Tensor of shape (n_models,)
    clip_norm : Tensor of shape (n_models,)
        Infinity turns gradient clipping off.
    """

    lr: torch.Tensor
    beta_1: torch.Tensor
    beta_2: torch.Tensor
    epsilon: torch.Tensor
    momentum: torch.Tensor
    weight_decay: torch.Tensor
    clip_norm: torch.Tensor

    def select(self, models):
        """Return the settings of the models in the index `models`."""
        return StepSettings(*(getattr(self, f.name)[models] for f in fields(self)))


class ProximalOptimizer(torch.optim.Optimizer):
    """Base class of the stacked optimisers. Subclasses implement the update formula.

    Parameters
    ----------
    module : StackedNetwork
        Its gradients must be allocated.
    penalties : Penalties
    settings : StepSettings
    n_batches : list of int
        Number of steps per epoch of each model, in descending order. So the models that
        have a batch in a given step are the first models of the stack.
    nesterov : bool, default=True
    buffers : list of list of Tensor, default=None
        Moving averages to continue from, one list for each kind, with one tensor for
        each parameter. None starts from zero.
    steps : list of float, default=None
        Number of earlier steps of each model. None is zero.
    """

    # The method is wrapped by torch. The wrapper imports torch's compiler, which takes
    # a second.
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)

    # Settings that the kernel takes as a single number for each run.
    run_settings = ()
    n_buffers = 1

    def __init__(
        self,
        module,
        penalties,
        settings,
        n_batches,
        nesterov=True,
        buffers=None,
        steps=None,
    ):
        self.module, self.penalties, self.settings = module, penalties, settings
        self.n_batches, self.nesterov = n_batches, nesterov
        # The weights come first, so that parameter i is the weight of layer i.
        self._parameters = parameters = [*module.weights, *module.free_parameters]
        super().__init__(parameters, {"lr": None})
        self.lr = settings.lr.tolist()
        self.buffers = buffers or [
            [torch.zeros_like(p) for p in parameters] for _ in range(self.n_buffers)
        ]
        device = parameters[0].device
        self.steps = torch.tensor(
            steps or [0.0] * module.n_models, dtype=torch.float32, device=device
        ).view(-1, 1, 1)
        self._groups, self._spare = penalties.of_layers(GroupLasso), None
        self._lr_of_runs = None  # the runs are made for the first step
        self._decays = any(settings.weight_decay.tolist())
        self._clips = any(map(math.isfinite, settings.clip_norm.tolist()))
        self._shrinks, self._bends = any(penalties.nonsmooth), any(penalties.smooth)
        # Whether anything other than the update formula changes the weights.
        self._acts = self._bends or self._shrinks or self._decays

    def _spare_memory(self):
        """Return two scratch tensors for each parameter, reused in every step."""
        if self._spare is None:
            self._spare = [
                [torch.empty_like(p) for _ in range(2)] for p in self._parameters
            ]
        return self._spare

    @property
    def lr(self):
        """The learning rate of each model, as a list.

        For a stack of one model, it is stored as a number, so that the schedulers of
        torch and skorch can read and change it.
        """
        lr = self.param_groups[0]["lr"]
        return lr if isinstance(lr, list) else [float(lr)]

    @lr.setter
    def lr(self, values):
        self.param_groups[0]["lr"] = values[0] if len(values) == 1 else values

    def select(self, module, models):
        """Return the optimiser of the models in the index `models`, for `module`."""
        settings = self.settings.select(models)
        other = type(self)(
            module,
            self.penalties.select(models),
            settings,
            [self.n_batches[m] for m in models.tolist()],
            self.nesterov,
            [[b[models].contiguous() for b in kind] for kind in self.buffers],
            self.steps[models].flatten().tolist(),
        )
        other.lr = [self.lr[m] for m in models.tolist()]
        return other

    def _make_runs(self):
        """Find the runs: neighbours with equal settings, steps and learning rate.

        If different learning rates alone would make many short runs, the kernel
        computes the updates of longer runs with a learning rate of 1, into zeros. The
        updates are then added to the parameters with the rate of each model.
        """
        lr = self.lr
        columns = [getattr(self.settings, name).tolist() for name in self.run_settings]
        keys = list(zip(self.n_batches, self.steps.flatten().tolist(), *columns))
        bounds, short = _bounds(keys), _bounds(list(zip(lr, keys)))
        parameters = self._in_runs(self._parameters)
        n_numbers = sum(p.numel() for p in parameters)
        # Separate updates need extra calls, which cost as much as two runs.
        self._moves_apart = (
            NUMBERS_PER_CALL * (len(short) - len(bounds) - 2) > n_numbers
        )
        if self._moves_apart:
            rates, moved = [1.0] * len(lr), self._moves()
        else:
            rates, moved, bounds = lr, parameters, short
        kinds = (moved, [p.grad for p in parameters])
        kinds += tuple(self._in_runs(kind) for kind in self.buffers)
        self._runs = []
        for start, stop in zip(bounds, [*bounds[1:], len(keys)]):
            part = kinds
            if stop - start < len(keys):
                part = [[tensor[start:stop] for tensor in kind] for kind in kinds]
            options = dict(zip(self.run_settings, keys[start][2:]))
            count = self.steps[start, 0, 0]
            self._runs.append((stop, rates[start], options, count, part))
        like = self.settings.lr
        self._rates = torch.tensor(lr, dtype=like.dtype, device=like.device)
        self._rates = self._rates.view(-1, 1, 1)
        self._lr_of_runs = self.param_groups[0]["lr"]

    def _in_runs(self, parts):
        """Return the elements of `parts` whose parameters the kernel updates.

        `parts` has one element for each parameter.
        """
        return parts

    def _moves(self):
        """Return the scratch memory for the updates of the parameters in runs."""
        return [spare[0] for spare in self._in_runs(self._spare_memory())]

    @torch.no_grad()
    def step(self, closure=None):
        """Update all models.

        Parameters
        ----------
        closure : callable, default=None
            Called first, to compute the gradients. Its result is returned.
        """
        loss = None if closure is None else closure()
        self.update(self.module.n_models)
        return loss

    def update(self, k):
        """Update the first `k` models, whose gradients were computed.

        The training loop calls this method instead of `step`, because torch wraps
        `step` in a profiling record that costs more than the arithmetic of a small
        network.
        """
        # A list of rates is replaced and never modified, so identity is enough.
        if self.param_groups[0]["lr"] is not self._lr_of_runs:
            self._make_runs()
        weights = ()
        if self._acts:
            weights = [first_models(w, k) for w in self.module.weights]
        if self._bends:
            gradients = [first_models(w.grad, k) for w in self.module.weights]
            self.penalties.add_smooth_gradient(weights, gradients)
        if self._clips:
            self._clip(k)
        if self._decays:
            for weight in weights:
                weight.mul_(1 - self._column("weight_decay", k) * self._rates[:k])
        self._move(k)
        if self._shrinks:
            self._shrink(weights, k)

    def _move(self, k):
        """Apply the update formula to the first `k` models, one run at a time."""
        first_models(self.steps, k).add_(1)
        if self._moves_apart:
            moves = self._moves()
            foreach_zero_(moves)
        for stop, lr, options, count, part in self._runs:
            if stop > k:
                break
            self._move_run(lr, options, count, *part)
        if self._moves_apart:
            moved = [first_models(p, k) for p in self._in_runs(self._parameters)]
            moves = [first_models(move, k) for move in moves]
            foreach_addcmul_(moved, moves, [first_models(self._rates, k)] * len(moved))

    def _move_run(self, lr, options, count, parameters, gradients, *buffers):
        raise NotImplementedError

    def _step_factors(self, k):
        """Return the factors of the step size that all layers share."""
        raise NotImplementedError

    def _step_size(self, layer, k, factors):
        """Return the step size of a layer as a rate and a metric.

        The step size is ``rate / metric``.

        Parameters
        ----------
        layer, k : int
        factors : object
            The result of `_step_factors`.

        Returns
        -------
        rate : Tensor of shape (k, 1, 1)
        metric : Tensor
            Broadcastable with the weights.
        """
        raise NotImplementedError

    def _column(self, name, k):
        return first_models(getattr(self.settings, name), k).view(-1, 1, 1)

    def _clip(self, k):
        """Scale the gradient of each model to a norm of at most `clip_norm`."""
        gradients = [first_models(p.grad, k) for p in self._parameters]
        squares = [(g * g).sum((1, 2), keepdim=True) for g in gradients]
        norm = torch.stack(squares).sum(0).sqrt()
        factor = (self._column("clip_norm", k) / (norm + 1e-6)).clamp(max=1)
        for gradient in gradients:
            gradient.mul_(factor)

    def _shrink(self, weights, k):
        """Apply the proximal operators of all penalties in the metric of the update.

        Constraints are projections in the Euclidean metric.
        """
        factors, spare = self._step_factors(k), self._spare_memory()
        for layer, (weight, parts) in enumerate(zip(weights, self.penalties.nonsmooth)):
            rate = metric = None
            if not all(penalty.is_constraint for penalty in parts):
                rate, metric = self._step_size(layer, k, factors)
            own = [first_models(tensor, k) for tensor in spare[layer]]
            for penalty in parts:
                penalty.prox_(weight, rate, metric, own)


def _bounds(keys):
    """Return the positions of the keys that differ from the previous key."""
    return [m for m in range(len(keys)) if m == 0 or keys[m] != keys[m - 1]]


class ProximalAdam(ProximalOptimizer):
    """Adam (Kingma and Ba 2015) with proximal steps.

    The update is ``W <- prox(W - lr * m_hat / D)`` with ``D = sqrt(v_hat) + epsilon``.
    With group_l1, the second moment is averaged over the outgoing weights of each
    input, or of each group of inputs. The metric is then constant within each group and
    the proximal step is exact.
    """

    run_settings = ("beta_1", "beta_2", "epsilon")
    n_buffers = 2

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for layer, penalty in self._groups.items():
            # Buffers from an earlier fit without group_l1 vary within each group.
            second_m = self.buffers[1][layer]
            second_m.copy_(penalty.per_row(penalty.groups.largest(second_m)))

    def _in_runs(self, parts):
        if not self._groups:
            return parts
        return [part for i, part in enumerate(parts) if i not in self._groups]

    def _move(self, k):
        super()._move(k)
        for layer, penalty in self._groups.items():
            self._move_groups(layer, penalty, k)

    def _move_groups(self, layer, penalty, k):
        """Update the weights of a layer with one metric for each group."""
        weight = self.module.weights[layer]
        gradient, weight = weight.grad[:k], weight[:k]
        first_m, second_m = (buffers[layer][:k] for buffers in self.buffers)
        beta_1, beta_2 = self._column("beta_1", k), self._column("beta_2", k)
        first_m.lerp_(gradient, (1 - beta_1).expand_as(gradient))
        mean_square = penalty.per_row(penalty.groups.means(gradient * gradient))
        second_m.copy_(beta_2 * second_m[:, :, :1] + (1 - beta_2) * mean_square)
        rate, metric = self._step_size(layer, k, self._step_factors(k))
        rate = rate / (1 - beta_1 ** self.steps[:k])
        weight.addcmul_(first_m, rate / metric, value=-1)

    def _move_run(self, lr, options, count, parameters, gradients, first_m, second_m):
        # This is the kernel of torch.optim.Adam(fused=True). The class spends several
        # times the time of the kernel on bookkeeping.
        fused_adam_(
            parameters,
            gradients,
            first_m,
            second_m,
            [],
            [count] * len(parameters),
            lr=lr,
            beta1=options["beta_1"],
            beta2=options["beta_2"],
            eps=options["epsilon"],
            weight_decay=0.0,
            amsgrad=False,
            maximize=False,
        )

    def _step_factors(self, k):
        # sqrt(v / c) + epsilon is computed as (sqrt(v) + epsilon * sqrt(c)) / sqrt(c),
        # which saves a pass over the weights.
        root = (1 - self._column("beta_2", k) ** first_models(self.steps, k)).sqrt_()
        return first_models(self._rates, k) * root, self._column("epsilon", k) * root

    def _step_size(self, layer, k, factors):
        rate, epsilon = factors
        second_m = first_models(self.buffers[1][layer], k)
        if layer in self._groups:
            return rate, second_m[:, :, :1].sqrt().add_(epsilon)
        metric = first_models(self._spare_memory()[layer][0], k)
        # Not sqrt, which is several times slower for zeros.
        return rate, torch.rsqrt(second_m, out=metric).reciprocal_().add_(epsilon)


class ProximalSGD(ProximalOptimizer):
    """Stochastic gradient descent with (Nesterov) momentum and proximal steps.

    The update is ``V <- momentum * V + G`` and ``W <- prox(W - lr * V)``, or, with
    Nesterov momentum, ``W <- prox(W - lr * (G + momentum * V))``. For a constant
    gradient, step t is ``(1 - momentum^t) / (1 - momentum)`` times as long as without
    momentum (with t + 1 instead of t for Nesterov momentum). The proximal operator uses
    the same step length, so the metric is the inverse of this factor. With a metric of
    1, a penalty would have ``1 - momentum`` times its strength.
    """

    run_settings = ("momentum",)

    def _move_run(self, lr, options, count, parameters, gradients, velocity):
        momentum = options["momentum"]
        fused_sgd_(
            parameters,
            gradients,
            velocity if momentum else [],
            weight_decay=0.0,
            momentum=momentum,
            lr=lr,
            dampening=0.0,
            nesterov=self.nesterov and momentum > 0,
            maximize=False,
            # The velocity starts at zero, so the first step is no special case.
            is_first_step=False,
        )

    def _step_factors(self, k):
        momentum = self._column("momentum", k)
        ahead = 1 if self.nesterov else 0
        metric = (1 - momentum) / (1 - momentum ** (self.steps[:k] + ahead))
        return self._rates[:k], metric

    def _step_size(self, layer, k, factors):
        return factors


OPTIMIZERS = {"adam": ProximalAdam, "sgd": ProximalSGD}
