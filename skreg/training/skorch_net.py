"""A skorch net that wraps a stack, for skorch callbacks and the `net_` attribute."""

import torch
from skorch import NeuralNet


class StackedNet(NeuralNet):
    """A skorch net that wraps a stack of models, which skreg trains.

    The net has the attributes that callbacks use (module, optimiser, history) and calls
    the callbacks. The training loop of skorch is not used, because loading data sample
    by sample and bookkeeping in every batch cost more than a step of a small network.

    Parameters
    ----------
    module : StackedNetwork
    criterion : Loss
    trained_by : ProximalOptimizer or None, default=None
        The optimiser. None is for inference and for the full-batch solver.
    callbacks : list, default=None
        The user's skorch callbacks.
    """

    def __init__(self, module, criterion, trained_by=None, callbacks=None, **kwargs):
        self.trained_by = trained_by
        kwargs.setdefault("optimizer", torch.optim.Optimizer)
        kwargs.setdefault("train_split", None)
        # skorch moves a network to the device of the net, by default to the CPU.
        kwargs.setdefault("device", module.weights[0].device)
        super().__init__(module, criterion, callbacks=callbacks, **kwargs)

    def get_default_callbacks(self):
        return []

    def initialize_module(self):
        self.module_ = self.module
        return self

    def initialize_criterion(self):
        self.criterion_ = self.criterion
        return self

    def initialize_optimizer(self, *args, **kwargs):
        self.optimizer_ = self.trained_by
        return self

    def fit_loop(self, X, y=None, epochs=None, **fit_params):
        """Raise an error, because skorch cannot train a stack."""
        raise NotImplementedError(
            "This net wraps a network trained by skreg, which skorch cannot train "
            "further. Call fit or partial_fit of the estimator."
        )

    def follow(self, module, optimizer):
        """Set the network and the optimiser of the remaining models."""
        # Setting attributes of a skorch net is slow, so set them only if they change.
        if self.module_ is not module:
            self.module_, self.optimizer_ = module, optimizer


def inference_net(module, loss, history):
    """Return an initialised net around a trained module.

    Parameters
    ----------
    module : StackedNetwork
    loss : Loss
    history : list of dict
        One entry for each epoch.
    """
    net = StackedNet(module, loss).initialize()
    for row in history:
        net.history.append(row)
    return net
