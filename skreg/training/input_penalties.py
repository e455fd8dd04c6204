"""The factors and groups of inputs, and those of the rows of each layer's weights."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from skreg.penalties.combined import InputTerms


@dataclass(frozen=True, eq=False)
class InputPenalties:
    """How the inputs of a network are penalised, where they differ.

    Parameters
    ----------
    factors : ndarray of float of shape (n_columns,) or None
        What to multiply the strengths of l1, l2 and group_l1 by. An infinite factor
        leaves a column out. None is 1 for all columns.
    groups : ndarray of int64 of shape (n_columns,) or None
        The number of each column's group, from 0 on. None is a group for each column.
    """

    factors: np.ndarray | None
    groups: np.ndarray | None

    def group_factors(self):
        """Return what to multiply the strength of group_l1 by, for each group.

        This is the factor of its columns, which are equal, times the square root of
        their number (Yuan and Lin 2006). Columns that are left out do not count.
        """
        if self.groups is None:
            return None if self.factors is None else _finite(self.factors)
        factors = np.ones(len(self.groups)) if self.factors is None else self.factors
        n_kept = np.bincount(self.groups, np.isfinite(factors))
        total = np.bincount(self.groups, _finite(factors))
        return total / np.sqrt(np.maximum(n_kept, 1))

    def leave_out(self, architecture, state):
        """Set the weights of columns that are left out to zero, in place.

        Other initial weights would make the first loss infinite.
        """
        if self.factors is None or np.isfinite(self.factors).all():
            return
        for layer, columns in columns_of_rows(architecture).items():
            state[layer][np.isinf(self.factors[columns])] = 0

    @property
    def key(self):
        """What networks of a stack must share, to be compared by value."""
        return None if self.groups is None else self.groups.tobytes()


def _finite(factors):
    return np.where(np.isfinite(factors), factors, 0.0)


def columns_of_rows(architecture):
    """Return the column of each row, for the layers of weights that read the inputs.

    Parameters
    ----------
    architecture : Architecture
        Without convolutions.

    Returns
    -------
    dict of {int: ndarray of int of shape (n_rows,)}
        By the position of the layer.
    """
    of_inputs = architecture.input_columns()
    layers = {0: of_inputs[np.nonzero(architecture.embedding_columns())[0]]}
    if architecture.skip == "linear":
        layers[architecture.n_hidden + 1] = of_inputs
    return layers


def stacked_input_terms(requests, like):
    """Return the `InputTerms` of the requests by layer, None if all inputs are alike.

    Columns may have different numbers of inputs, which group_l1 must be told.

    Parameters
    ----------
    requests : list of FitRequest
    like : dict
        The `dtype` and `device` of the tensors.
    """
    parts, architecture = [r.inputs for r in requests], requests[0].architecture
    groups = next((part.groups for part in parts if part), None)
    is_grouped = any(any(r.settings["group_l1"]) for r in requests)
    if groups is None and is_grouped and architecture.columns is not None:
        groups = np.arange(architecture.n_columns)
    if groups is None and not any(parts):
        return None
    parts = [part or InputPenalties(None, None) for part in parts]
    parts = [replace(part, groups=groups) for part in parts]
    factors = _stacked([part.factors for part in parts], architecture.n_columns)
    group_factors = [part.group_factors() for part in parts]
    n_groups = max((len(f) for f in group_factors if f is not None), default=0)
    group_factors, terms = _stacked(group_factors, n_groups), {}
    for layer, columns in columns_of_rows(architecture).items():
        of_rows = None if factors is None else torch.tensor(factors[:, columns], **like)
        rows = None
        if groups is not None:
            rows = torch.tensor(groups[columns], device=like["device"])
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
