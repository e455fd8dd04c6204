"""The contract of the layers that form a stacked network."""

from abc import ABC, abstractmethod


class Layer(ABC):
    """One step of the networks of a stack, with its derivative.

    A layer works on all models of a stack at once: the first axis of every tensor is
    the model. A batch may hold the first `k` models of the stack only. The layer then
    uses the first `k` of its parameters, which are contiguous views.

    The derivatives are written by hand, because automatic differentiation costs several
    times the arithmetic of networks of this size. For the same reason, training may
    overwrite memory: `forward` may overwrite its input, and `backward` its gradient and
    the tensors that `forward` saved. So each tape is good for one backward pass only.

    Attributes
    ----------
    takes : tuple of {"mask", "path"}, default=()
        The random tensors that `forward` takes after the rows and their weights, in
        this order. A "mask" multiplies the units that a dropout layer sees, and a
        "path" multiplies what a skip connection skips.
    is_trained : bool, default=False
        Whether the layer has parameters, whose gradients `backward` writes.
    """

    takes = ()
    is_trained = False

    @abstractmethod
    def predict(self, x):
        """Return the output at prediction. The input is left as it is.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_in)

        Returns
        -------
        Tensor of shape (k, n_rows, n_out)
        """

    @abstractmethod
    def forward(self, x, row_weight, drawn):
        """Return the output in training, and what `backward` needs.

        Parameters
        ----------
        x : Tensor of shape (k, n_rows, n_in)
        row_weight : Tensor of shape (k, n_rows, 1) or None
            The weights of the rows, for the statistics of batch normalisation. None
            weighs all rows alike.
        drawn : sequence of Tensor or None
            One for each name in `takes`: a mask of shape (k, n_rows, n_units), or a
            path of shape (k, n_rows, 1). None drops nothing.

        Returns
        -------
        output : Tensor of shape (k, n_rows, n_out)
        saved : object
        """

    @abstractmethod
    def backward(self, gradient, saved, needs_input):
        """Write the gradients of the parameters, and return that of the input.

        Parameters
        ----------
        gradient : Tensor of shape (k, n_rows, n_out)
            The gradient of the output.
        saved : object
            From `forward`.
        needs_input : bool
            Whether the gradient of the input is used. If not, a layer that would have
            to compute it returns None.

        Returns
        -------
        Tensor of shape (k, n_rows, n_in) or None
        """
