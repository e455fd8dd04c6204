"""Convolutional networks: the public estimators."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from skreg.augmentation.parameter import Augment
from skreg.estimators.base import store_parameters
from skreg.estimators.classifier import BaseClassifierNetwork
from skreg.estimators.convolutional import ConvolutionalMixin, image_constraints
from skreg.estimators.documentation import fill_docstring
from skreg.estimators.regressor import BaseRegressorNetwork
from skreg.losses.contract import Loss
from skreg.typing import (
    ClassWeight,
    PerLayer,
    RandomState,
    Sizes,
)


@fill_docstring
class CNNClassifier(ConvolutionalMixin, BaseClassifierNetwork):
    """Convolutional classifier of images in which every regulariser is a parameter.

    Convolutions, each followed by activation and maximum pooling, then dense layers.
    Minimises the weighted mean of the log loss plus the penalties, as `MLPClassifier`,
    with the same parameters; see there for the formula. Images are flat rows, as
    everywhere in scikit-learn, or arrays of images.

    Parameters
    ----------
    {convolutions}
    {penalties}
    {regularisation}
    {label_smoothing}
    {mixup}
    {skips}
    {init}
    {independent_members}
    {training}
    {class_weight}
    {run}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    {attributes}
    {image_attributes}

    See Also
    --------
    CNNRegressor : The same for numbers.
    MLPClassifier : The same for tables.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skreg import CNNClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = CNNClassifier((8, 16), image_shape=(8, 8), dropout=0.1, random_state=0)
    >>> bool(clf.fit(X_train, y_train).score(X_test, y_test) > 0.95)
    True
    """

    _parameter_constraints = image_constraints(
        BaseClassifierNetwork._parameter_constraints
    )

    def __init__(
        self,
        channels: Sizes = (32, 64),
        hidden_layer_sizes: Sizes = (100,),
        activation: str = "relu",
        *,
        image_shape: Sequence[int] | None = None,
        data_format: Literal["channels_last", "channels_first"] = "channels_last",
        kernel_size: Sizes = 3,
        pool: Sizes = 2,
        l1: PerLayer = 0.0,
        l2: PerLayer = 0.0,
        group_l1: float = 0.0,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
        positive: bool = False,
        dropout: PerLayer = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        batchnorm: bool | Literal["before", "after"] = False,
        label_smoothing: float = 0.0,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        cutout: float = 0.0,
        adversarial: float = 0.0,
        augment: Augment = None,
        pruning: float = 0.0,
        skip: Literal["linear", "residual"] | None = None,
        skip_l1: float | None = None,
        skip_l2: float | None = None,
        stochastic_depth: float = 0.0,
        init: Literal["glorot", "scaled"] = "glorot",
        n_estimators: int = 1,
        bootstrap: bool = False,
        max_samples: float = 1.0,
        early_stopping: bool = False,
        monitor: str | Callable[..., float] | Loss = "loss",
        validation_fraction: float | None = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        restore_best_weights: bool = True,
        solver: Literal["adam", "sgd", "lbfgs"] = "adam",
        learning_rate: str = "flat_cosine",
        learning_rate_init: float = 0.003,
        swa_fraction: float = 0.0,
        ema_decay: float = 0.0,
        n_snapshots: int = 1,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        clip_norm: float | None = None,
        fit_intercept: bool = True,
        standardize: bool | Literal["robust"] = True,
        class_weight: ClassWeight = None,
        warm_start: bool = False,
        random_state: RandomState = None,
        device: str | torch.device = "cpu",
        dtype: Literal["float32", "float64"] | None = None,
        callbacks: Sequence[Any] | None = None,
        verbose: bool | int = False,
    ) -> None:
        store_parameters(self, locals())


@fill_docstring
class CNNRegressor(ConvolutionalMixin, BaseRegressorNetwork):
    """Convolutional regressor on images in which every regulariser is a parameter.

    Convolutions, each followed by activation and maximum pooling, then dense layers.
    Minimises the weighted mean of the loss, summed over outputs, plus the penalties, as
    `MLPRegressor`, with the same parameters; see there for the formula. Images are flat
    rows, as everywhere in scikit-learn, or arrays of images.

    Parameters
    ----------
    {convolutions}
    {losses}
    {penalties}
    {regularisation}
    {mixup}
    {skips}
    {init}
    {independent_members}
    {training}
        {scaled_targets}
    {run}

    Attributes
    ----------
    {attributes}
    {image_attributes}
    target_offset_, target_scale_ : ndarray of shape (`n_outputs_`,) or None
        The numbers that are subtracted from targets, and by which they are divided.

    See Also
    --------
    CNNClassifier : The same for classes.
    MLPRegressor : The same for tables.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skreg import CNNRegressor
    >>> X, y = load_digits(return_X_y=True)
    >>> ink = X.reshape(-1, 8, 8)[:, :, :4].sum((1, 2))
    >>> reg = CNNRegressor((8,), image_shape=(8, 8), random_state=0)
    >>> bool(reg.fit(X[:500], ink[:500]).score(X[500:], ink[500:]) > 0.9)
    True
    """

    _parameter_constraints = image_constraints(
        BaseRegressorNetwork._parameter_constraints
    )

    def __init__(
        self,
        channels: Sizes = (32, 64),
        hidden_layer_sizes: Sizes = (100,),
        activation: str = "relu",
        *,
        image_shape: Sequence[int] | None = None,
        data_format: Literal["channels_last", "channels_first"] = "channels_last",
        kernel_size: Sizes = 3,
        pool: Sizes = 2,
        loss: str | Loss = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        l1: PerLayer = 0.0,
        l2: PerLayer = 0.0,
        group_l1: float = 0.0,
        weight_decay: float = 0.0,
        max_norm: float | None = None,
        positive: bool = False,
        dropout: PerLayer = 0.0,
        input_dropout: float = 0.0,
        input_noise: float = 0.0,
        batchnorm: bool | Literal["before", "after"] = False,
        mixup: float = 0.0,
        cutmix: float = 0.0,
        cutout: float = 0.0,
        adversarial: float = 0.0,
        augment: Augment = None,
        pruning: float = 0.0,
        skip: Literal["linear", "residual"] | None = None,
        skip_l1: float | None = None,
        skip_l2: float | None = None,
        stochastic_depth: float = 0.0,
        init: Literal["glorot", "scaled"] = "glorot",
        n_estimators: int = 1,
        bootstrap: bool = False,
        max_samples: float = 1.0,
        early_stopping: bool = False,
        monitor: str | Callable[..., float] | Loss = "loss",
        validation_fraction: float | None = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 1e-4,
        restore_best_weights: bool = True,
        solver: Literal["adam", "sgd", "lbfgs"] = "adam",
        learning_rate: str = "flat_cosine",
        learning_rate_init: float = 0.003,
        swa_fraction: float = 0.0,
        ema_decay: float = 0.0,
        n_snapshots: int = 1,
        batch_size: int | Literal["auto"] = "auto",
        max_iter: int | Literal["auto"] = "auto",
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        clip_norm: float | None = 0.5,
        fit_intercept: bool = True,
        standardize: bool | Literal["robust"] = True,
        warm_start: bool = False,
        random_state: RandomState = None,
        device: str | torch.device = "cpu",
        dtype: Literal["float32", "float64"] | None = None,
        callbacks: Sequence[Any] | None = None,
        verbose: bool | int = False,
    ) -> None:
        store_parameters(self, locals())
