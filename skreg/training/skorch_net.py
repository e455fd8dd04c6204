"""A skorch net around a stack, for skorch's callbacks and for users of `net_`."""

import torch
from skorch import NeuralNet


class StackedNet(NeuralNet):
    """A skorch net over a stack of models, which skreg trains.

    It has what callbacks look at (module, optimiser, history) and calls them. Its own
    training loop is not used: data loading sample by sample and bookkeeping in every
    batch cost more than a step of a small network.

    Parameters
    ----------
    module : StackedNetwork
    criterion : Loss
    trained_by : ProximalOptimizer or None, default=None
        None is a net for inference, or for the full-batch solver.
    callbacks : list, default=None
        The user's skorch callbacks.
    """

    def __init__(self, module, criterion, trained_by=None, callbacks=None, **kwargs):
        self.trained_by = trained_by
        kwargs.setdefault("optimizer", torch.optim.Optimizer)
        kwargs.setdefault("train_split", None)
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
        """Raise, as skorch cannot train a stack."""
        raise NotImplementedError(
            "This net shows a network that skreg has trained, and skorch cannot train "
            "it further. Call fit or partial_fit of the estimator."
        )

    def follow(self, module, optimizer):
        """Take up the network and the optimiser of the models that are left."""
        # skorch's attributes are slow to set, so only where they change.
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
