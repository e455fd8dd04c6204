"""Epochs of a stack with the compiled library, one model after another."""

import time
from ctypes import c_double
from functools import partial

import numpy as np

from skreg.training.compiled_plan import NetworkPlan, takes_steps_together
from skreg.training.threads import (
    allowed_threads,
    in_threads,
    share_out,
    together,
)

# Multiplications in the largest product of a step from which on threads take it
# together. They wait for one another twice, which takes microseconds.
STEP_PRODUCTS = 2**22
# Seconds that a call of the library should take: an interrupt waits for its end.
CALL = 0.2


class CompiledEpochs:
    """The epochs of a stack that `covers_steps` accepts.

    Parameters
    ----------
    library : Library
    stack : Stack
        Its tensors must stay where they are.

    Attributes
    ----------
    products_of_torch : int
        Zero: after an operation of torch in several threads, they go on for a while in
        a loop, waiting for the next, and would take the cores from the library.
    """

    products_of_torch = 0

    def __init__(self, library, stack):
        self._library, self.stack = library, stack
        self._plan = NetworkPlan(stack.module, stack.loss)
        self._plan.set_batches(stack.batches)
        self._plan.set_noise(stack.noise)
        self._plan.set_optimizer(stack)
        self._validation, self._steps_per_call = None, 1
        if stack.validation is not None:
            self._validation = NetworkPlan(stack.network, stack.loss)
            self._validation.set_batches(stack.validation)

    def train(self):
        """Train for an epoch and return the mean objective of each model.

        Returns
        -------
        list of float
        """
        stack, models = self.stack, self._plan.models
        optimizer, averages = stack.optimizer, stack.averages
        steps = optimizer.steps.flatten()
        models["lr"], models["n_steps"] = optimizer.lr, steps.numpy()
        self._plan.set_streams(stack.streams)
        if averages:
            models["n_averaged"] = averages.steps
        n_threads = self._threads_of_a_step()
        losses = self._together(n_threads) if n_threads > 1 else self._one_by_one()
        n_batches = models["n_batches"].tolist()
        optimizer.steps += steps.new_tensor(n_batches).view(-1, 1, 1)
        if averages and any(averages.decays):
            averages.steps = [n + more for n, more in zip(averages.steps, n_batches)]
        return losses

    def validation_losses(self):
        """Return the mean loss of each model over its validation rows.

        Returns
        -------
        list of float
        """
        plan, evaluate = self._validation, self._library.evaluate
        return share_out(
            lambda model: evaluate(plan.address, model),
            plan.models["n_rows"] * self.stack.module.architecture.largest_product,
        )

    def _products(self):
        """Return the number of multiplications in the largest product of a step."""
        return self.stack.largest_product() // self.stack.module.n_models

    def _one_by_one(self):
        """Train the models for an epoch, shared out to threads; return their losses."""
        n_models = self.stack.module.n_models
        next_model, losses = np.zeros(1, np.int64), np.zeros(n_models)

        def work(thread, stopped):
            mine = np.array([-1, 0])
            arguments = self._plan.address, next_model, mine, CALL, losses
            while not stopped.is_set() and self._library.epoch(*arguments):
                pass

        products = self._plan.models["n_batches"].sum() * self._products()
        in_threads(work, n_models, products)
        return losses.tolist()

    def _together(self, n_threads):
        """Train the only model, whose steps threads take together."""
        library, loss, first = self._library, c_double(), 0
        n_batches = int(self._plan.models["n_batches"][0])
        with library.training(self._plan.address, n_threads, loss) as training:
            while first < n_batches:
                last = min(first + self._steps_per_call, n_batches)
                start = time.perf_counter()
                work = partial(library.work, training, first, last, loss)
                together(work, n_threads, partial(library.abandon, training))
                seconds = time.perf_counter() - start
                self._steps_per_call = max(1, int((last - first) * CALL / seconds))
                first = last
        return [loss.value]

    def _threads_of_a_step(self):
        """Return the number of threads that take each step of a model together."""
        if self.stack.module.n_models > 1 or self._products() < STEP_PRODUCTS:
            return 1
        return allowed_threads() if takes_steps_together(self.stack) else 1
