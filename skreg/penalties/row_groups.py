"""Groups of the rows of weight matrices, and sums over them."""

import torch


class NeighbouringRows:
    """Groups of equally many neighbouring rows.

    Parameters
    ----------
    n_rows : int
        Number of rows of each group.
    """

    def __init__(self, n_rows):
        self.n_rows = n_rows

    def norms(self, tensor):
        """Return the Euclidean norm of each group's numbers.

        Parameters
        ----------
        tensor : Tensor of shape (k, n_in, n_out)

        Returns
        -------
        Tensor of shape (k, n_groups, 1)
        """
        return torch.linalg.vector_norm(self._grouped(tensor), dim=2, keepdim=True)

    def sums(self, tensor):
        """Return the sum of each group's numbers, in the shape of `norms`."""
        return self._grouped(tensor).sum(2, keepdim=True)

    def means(self, tensor):
        """Return the mean of each group's numbers, in the shape of `norms`."""
        return self._grouped(tensor).mean(2, keepdim=True)

    def largest(self, tensor):
        """Return the largest of each group's numbers, in the shape of `norms`.

        They must not be negative.
        """
        return self._grouped(tensor).amax(2, keepdim=True)

    def per_row(self, column):
        """Repeat the number of each group for each of its rows.

        Parameters
        ----------
        column : Tensor of shape (k, n_groups, 1)

        Returns
        -------
        Tensor of shape (k, n_in, 1)
        """
        return column.repeat_interleave(self.n_rows, 1) if self.n_rows > 1 else column

    def per_group(self, column):
        """Return one number for each group, given those of its rows, which are equal.

        This undoes `per_row`.
        """
        return column[:, :: self.n_rows]

    def _grouped(self, tensor):
        if self.n_rows == 1:
            return tensor
        return tensor.reshape(tensor.size(0), -1, self.n_rows * tensor.size(2))


class LabelledRows:
    """Groups of any rows, of any sizes. The methods are those of `NeighbouringRows`.

    Parameters
    ----------
    labels : Tensor of int64 of shape (n_in,)
        The number of each row's group, from 0 on. Each group has at least one row.
    """

    def __init__(self, labels):
        self.labels = labels
        self.n_groups = int(labels.max()) + 1
        self._sizes = torch.bincount(labels, minlength=self.n_groups).view(1, -1, 1)
        order = torch.argsort(labels, stable=True)
        self._first = order[self._sizes.flatten().cumsum(0) - self._sizes.flatten()]

    def norms(self, tensor):
        rows = torch.linalg.vector_norm(tensor, dim=2, keepdim=True)
        # Scaled, so that the squares of small or large numbers do not vanish or
        # overflow.
        largest = self._largest(rows)
        scale = torch.where(largest > 0, largest, 1.0)
        shares = rows / self.per_row(scale)
        return self._sums(shares * shares).sqrt_().mul_(largest)

    def sums(self, tensor):
        return self._sums(tensor.sum(2, keepdim=True))

    def means(self, tensor):
        return self.sums(tensor) / (self._sizes * tensor.size(2))

    def largest(self, tensor):
        return self._largest(tensor.amax(2, keepdim=True))

    def per_row(self, column):
        return column.index_select(1, self.labels)

    def per_group(self, column):
        return column.index_select(1, self._first)

    def _sums(self, column):
        zero = column.new_zeros(column.size(0), self.n_groups, 1)
        return zero.index_add_(1, self.labels, column)

    def _largest(self, column):
        zero = column.new_zeros(column.size(0), self.n_groups, 1)
        index = self.labels.view(1, -1, 1).expand_as(column)
        return zero.scatter_reduce_(1, index, column, "amax")
