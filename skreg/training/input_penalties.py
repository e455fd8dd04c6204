"""The factors and groups of inputs, and those of the rows of each layer's weights."""

from dataclasses import dataclass

import numpy as np
import torch

from skreg.penalties.combined import InputTerms


@dataclass(frozen=True, eq=False)
class InputPenalties:
    """How the inputs of a network are penalised, where they differ.

    Parameters
    ----------
    factors : ndarray of float of shape (n_inputs,) or None
        What to multiply the strengths of l1, l2 and group_l1 by. An infinite factor
        leaves an input out. None is 1 for all inputs.
    groups : ndarray of int64 of shape (n_inputs,) or None
        The number of each input's group, from 0 on. None is a group for each input.
    """

    factors: np.ndarray | None
    groups: np.ndarray | None

    def group_factors(self):
        """Return what to multiply the strength of group_l1 by, for each group.

        This is the factor of its inputs, which are equal, times the square root of
        their number (Yuan and Lin 2006). Inputs that are left out do not count.
        """
        if self.groups is None:
            return None if self.factors is None else _finite(self.factors)
        factors = np.ones(len(self.groups)) if self.factors is None else self.factors
        n_kept = np.bincount(self.groups, np.isfinite(factors))
        total = np.bincount(self.groups, _finite(factors))
        return total / np.sqrt(np.maximum(n_kept, 1))

    def leave_out(self, architecture, state):
        """Set the weights of inputs that are left out to zero, in place.

        Other initial weights would make the first loss infinite.
        """
        if self.factors is None or np.isfinite(self.factors).all():
            return
        for layer, inputs in rows_of_inputs(architecture).items():
            state[layer][np.isinf(self.factors[inputs])] = 0

    @property
    def key(self):
        """What networks of a stack must share, to be compared by value."""
        return None if self.groups is None else self.groups.tobytes()


def _finite(factors):
    return np.where(np.isfinite(factors), factors, 0.0)


def rows_of_inputs(architecture):
    """Return the input of each row, for the layers of weights that read the inputs.

    Parameters
    ----------
    architecture : Architecture
        Without convolutions.

    Returns
    -------
    dict of {int: ndarray of int of shape (n_rows,)}
        By the position of the layer.
    """
    layers = {0: np.nonzero(architecture.embedding_columns())[0]}
    if architecture.skip == "linear":
        layers[architecture.n_hidden + 1] = np.arange(architecture.n_inputs)
    return layers


def stacked_input_terms(requests, like):
    """Return the `InputTerms` of the requests by layer, None if all inputs are alike.

    Parameters
    ----------
    requests : list of FitRequest
    like : dict
        The `dtype` and `device` of the tensors.
    """
    parts = [request.inputs for request in requests]
    if not any(parts):
        return None
    architecture = requests[0].architecture
    alike = InputPenalties(None, next(part for part in parts if part).groups)
    parts = [part or alike for part in parts]
    factors = _stacked([part.factors for part in parts], architecture.n_inputs)
    group_factors = [part.group_factors() for part in parts]
    n_groups = max((len(f) for f in group_factors if f is not None), default=0)
    group_factors = _stacked(group_factors, n_groups)
    labels, terms = alike.groups, {}
    for layer, inputs in rows_of_inputs(architecture).items():
        of_rows = None if factors is None else torch.tensor(factors[:, inputs], **like)
        rows = None
        if labels is not None:
            rows = torch.tensor(labels[inputs], device=like["device"])
        of_groups = (
            None if group_factors is None else torch.tensor(group_factors, **like)
        )
        terms[layer] = InputTerms(of_rows, rows, of_groups)
    return terms


def _stacked(parts, n):
    """Stack factors, which are 1 where there are none. None if none has any."""
    if all(part is None for part in parts):
        return None
    return np.stack([np.ones(n) if part is None else part for part in parts])
