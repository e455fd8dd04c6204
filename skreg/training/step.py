"""The forward and backward pass of a training batch."""

from skreg.training.adversarial import with_adversaries


def differentiate(module, loss, seen, with_value=False):
    """Write the gradients of the mean loss of a batch into the network.

    Parameters
    ----------
    module : StackedNetwork
        Its gradients must be allocated.
    loss : Loss
    seen : Drawn
        The batch and its random draws.
    with_value : bool, default=False
        Whether to compute the loss, which takes a sixth of the time of a small step.
        `LossMeter` computes the loss of several batches together, which costs less.

    Returns
    -------
    score : Tensor of shape (k, n_rows, n_outputs)
        The raw outputs.
    batch : Batch
        The rows of these outputs, including adversarial ones.
    value : Tensor of shape (k,) or None
        The mean loss of each model, None unless `with_value`.
    """
    if seen.epsilon is not None:
        seen = with_adversaries(seen, module, loss)
    batch, value = seen.batch, None
    score, tape = module.forward_training(
        batch.x, batch.row_weight, seen.masks, seen.paths
    )
    if with_value:
        value, gradient = loss.value_and_gradient(score, batch.target, batch.weight)
    else:
        gradient = loss.gradient(score, batch.target, batch.weight)
    module.backward(gradient, tape)
    return score, batch, value
