"""The forward and the backward pass of a training batch."""

from skreg.training.adversarial import with_adversaries


def differentiate(module, loss, seen, with_value=False):
    """Write the gradients of the mean loss of a batch into the network.

    Parameters
    ----------
    module : StackedNetwork
        With gradients allocated.
    loss : Loss
    seen : Drawn
        A batch and what was drawn for it.
    with_value : bool, default=False
        Whether the loss is wanted, too. It costs a sixth of a small step, and that of
        several batches together costs less: see `LossMeter`.

    Returns
    -------
    score : Tensor of shape (k, n_rows, n_outputs)
        Raw outputs.
    batch : Batch
        The rows that they belong to, adversarial ones among them.
    value : Tensor of shape (k,) or None
        The mean loss of each model.
    """
    if seen.epsilon is not None:
        seen = with_adversaries(seen, module, loss)
    batch, value = seen.batch, None
    score, tape = module.forward_training(batch.x, batch.weight, seen.masks, seen.paths)
    if with_value:
        value, gradient = loss.value_and_gradient(score, batch.target, batch.weight)
    else:
        gradient = loss.gradient(score, batch.target, batch.weight)
    module.backward(gradient, tape)
    return score, batch, value
