"""Epochs of a stack with the compiled library, one model after another."""

from skreg.training.compiled_passes import Passes
from skreg.training.compiled_plan import NetworkPlan


class CompiledEpochs:
    """The epochs of a stack that `covers_steps` accepts, or `covers_gradient`.

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
        self.stack = stack
        if stack.optimizer is not None:
            self._plan = NetworkPlan(stack.module, stack.loss)
            self._plan.set_batches(stack.batches)
            self._plan.set_noise(stack.noise)
            self._plan.set_optimizer(stack)
            self._training = Passes(library, self._plan, "train")
        if stack.validation is not None:
            validation = NetworkPlan(stack.network, stack.loss)
            validation.set_batches(stack.validation)
            self._validation = Passes(library, validation, "evaluate")

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
        losses = self._training.run()
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
        return self._validation.run()
