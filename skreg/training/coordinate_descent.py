"""Coordinate descent on wide linear models, from which Newton's method starts.

If there are more weights than rows, many groups enter and leave on the way to the
optimum, and each change costs Newton's method a system of all their weights. Coordinate
descent finds which of them are not zero, and Newton's method their exact values.
"""

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path

from skreg.penalties.kinds import L1, L2, GroupLasso, NonNegative

# It stops at this duality gap, relative to the squares of the target, or after so many
# passes over the inputs.
GAP, MOST_PASSES = 1e-6, 1000


def takes(loss, penalty, n_outputs):
    """Return whether a problem is scikit-learn's multi-task elastic net.

    Parameters
    ----------
    loss : Loss
    penalty : Sum
        Of those that a `Part` takes, equal for all inputs.
    n_outputs : int
    """
    kinds = {type(part) for part in penalty.penalties}
    has_groups = n_outputs > 1 and GroupLasso in kinds
    return loss.is_quadratic and has_groups and not kinds & {L1, NonNegative}


def approach(part, w):
    """Return weights and biases near the optimum.

    Parameters
    ----------
    part : Part
        Of a problem that is taken.
    w : Tensor of shape (1, n, n_outputs)
        The weights to start from.

    Returns
    -------
    w : Tensor of shape (1, n, n_outputs)
    bias : Tensor of shape (1, 1, n_outputs)
    """
    rows, target = part.weight[0], part.target[0]
    means, centre = part.x.T @ rows, rows.T @ target
    # In place, because the inputs may be large. The transpose is Fortran contiguous.
    root, x = (len(rows) * rows).sqrt(), part.x.T - means
    x, y = x.mul_(root.T).numpy().T, ((target - centre) * root).numpy()
    with warnings.catch_warnings():
        # Newton's method goes on from where it stands.
        warnings.simplefilter("ignore", ConvergenceWarning)
        _, coefs, _ = enet_path(
            x,
            np.asfortranarray(y),
            coef_init=np.asfortranarray(w[0].T.numpy()),
            tol=GAP,
            max_iter=MOST_PASSES,
            check_input=False,
            **_strengths(part),
        )
    new = torch.tensor(coefs[:, :, 0].T, dtype=w.dtype)
    return new[None], (centre - means.T @ new)[None]


def _strengths(part):
    """Return the arguments of `enet_path` for the penalties of a part."""
    strength = {type(kind): kind.strength.item() for kind in part.penalty.penalties}
    alpha = strength[GroupLasso] + 2 * strength.get(L2, 0.0)
    return {"alphas": [alpha], "l1_ratio": strength[GroupLasso] / alpha}
