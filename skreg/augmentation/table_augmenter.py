"""Random changes of the rows of training batches of tables."""

from sklearn.base import BaseEstimator

from skreg.compatibility import check_constraints
from skreg.parameters.intervals import NON_NEGATIVE, SHARE

# The parameter of the networks with the same effect as each strength.
STRENGTHS = {
    "mixup": "mixup",
    "cutmix": "cutmix",
    "cutout": "cutout",
    "noise": "input_noise",
}


class TableAugmenter(BaseEstimator):
    """Change training rows at random: ``augment=TableAugmenter(...)`` of a network.

    The parameters have the same effect as `mixup`, `cutmix`, `cutout` and `input_noise`
    of the networks. Each may be set in only one of the two places. An augmenter can be
    replaced as a whole in a search, or combined with an `ImageAugmenter` in a list. The
    changes apply to standardised inputs, after all changes of images.

    Parameters
    ----------
    mixup : float, default=0.0
        Mix each row of a batch with another one, with a weight drawn from
        Beta(mixup, mixup) [1]_.
    cutmix : float, default=0.0
        Replace some columns of each row of a batch by those of another row. The share
        of columns that are replaced is drawn from Beta(cutmix, cutmix) [2]_.
    cutout : float, default=0.0
        Set a random choice of this share of the columns of each row to zero [3]_.
    noise : float, default=0.0
        Standard deviation of Gaussian noise that is added to the standardised inputs.

    See Also
    --------
    ImageAugmenter : Rotation, shifts, flips and more.

    References
    ----------
    .. [1] Zhang, Cisse, Dauphin and Lopez-Paz (2018), "mixup: Beyond Empirical Risk
       Minimization".
    .. [2] Yun, Han, Oh, Chun, Choe and Yoo (2019), "CutMix: Regularization Strategy to
       Train Strong Classifiers with Localizable Features".
    .. [3] DeVries and Taylor (2017), "Improved Regularization of Convolutional Neural
       Networks with Cutout".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skreg import MLPClassifier, TableAugmenter
    >>> X, y = load_iris(return_X_y=True)
    >>> augment = TableAugmenter(mixup=0.2, noise=0.1)
    >>> clf = MLPClassifier(augment=augment, random_state=0).fit(X, y)
    >>> bool(clf.score(X, y) > 0.9)
    True
    """

    _parameter_constraints = {
        "mixup": [NON_NEGATIVE],
        "cutmix": [NON_NEGATIVE],
        "cutout": [SHARE],
        "noise": [NON_NEGATIVE],
    }

    def __init__(
        self,
        *,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        cutout: float = 0.0,
        noise: float = 0.0,
    ) -> None:
        self.mixup = mixup
        self.cutmix = cutmix
        self.cutout = cutout
        self.noise = noise

    def _check(self):
        """Check the parameters, and raise an error for the first invalid one."""
        check_constraints(self)
