"""Multilayer perceptrons: the public estimators."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch

from skreg.augmentation.parameter import Augment
from skreg.estimators.base import store_parameters
from skreg.estimators.classifier import BaseClassifierNetwork
from skreg.estimators.documentation import fill_docstring
from skreg.estimators.regressor import BaseRegressorNetwork
from skreg.losses.contract import Loss
from skreg.typing import (
    CategoricalFeatures,
    ClassWeight,
    FeatureGroups,
    FeaturePenalties,
    PerLayer,
    RandomState,
    Sizes,
)


@fill_docstring
class MLPClassifier(BaseClassifierNetwork):
    """Multilayer perceptron classifier in which every regulariser is a parameter.

    Minimises the weighted mean of the log loss plus the penalties ::

        sum_i s_i * loss_i / sum_i s_i  +  group_l1 * sum_j ||W_1[j, :]||_2
            + sum_layers (l1 * ||W||_1 + l2 * ||W||_F^2)

    over weights `W` and biases, of which only the weights are penalised. l1 and
    group_l1 act through proximal steps in the optimiser's metric [5]_, never as
    subgradients. With ``hidden_layer_sizes=()`` and ``standardize=False`` this is
    scikit-learn's LogisticRegression with ``l2 = 1 / (2 * C * n)`` and
    ``l1 = 1 / (C * n)``.

    Parameters
    ----------
    {dense_layers}
    {penalties}
    {feature_penalties}
    {regularisation}
    {label_smoothing}
    {mixup}
    {structure}
    {members}
    {training}
    {class_weight}
    {run}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    {attributes}

    See Also
    --------
    MLPRegressor : The same for numbers.
    sklearn.neural_network.MLPClassifier : Without these regularisers.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from sklearn.model_selection import train_test_split
    >>> from skreg import MLPClassifier
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> clf = MLPClassifier(
    ...     l2=1e-3, dropout=0.2, early_stopping=True, random_state=0
    ... ).fit(X_train, y_train)
    >>> bool(clf.score(X_test, y_test) > 0.9)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Sizes = (100,),
        activation: str = "relu",
        *,
        l1: PerLayer = 0.0,
        l2: PerLayer = 0.0,
        group_l1: float = 0.0,
        categorical_features: CategoricalFeatures = "from_dtype",
        feature_groups: FeatureGroups = None,
        feature_penalties: FeaturePenalties = None,
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
        numeric_embedding: Literal["piecewise_linear", "periodic"] | None = None,
        embedding_size: int = 8,
        embedding_scale: float = 0.1,
        init: Literal["glorot", "scaled"] = "glorot",
        n_estimators: int = 1,
        ensemble: Literal["independent", "shared"] = "independent",
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
        learning_rate_init: float = 0.01,
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
class MLPRegressor(BaseRegressorNetwork):
    """Multilayer perceptron regressor in which every regulariser is a parameter.

    Minimises the weighted mean of the loss, summed over outputs, plus the penalties ::

        sum_i s_i * loss_i / sum_i s_i  +  group_l1 * sum_j ||W_1[j, :]||_2
            + sum_layers (l1 * ||W||_1 + l2 * ||W||_F^2)

    over weights `W` and biases, of which only the weights are penalised. l1 and
    group_l1 act through proximal steps in the optimiser's metric [5]_, never as
    subgradients. With ``hidden_layer_sizes=()`` and ``standardize=False`` this is
    scikit-learn's Ridge with ``l2 = alpha / (2 * n)``, Lasso with ``l1 = alpha`` and
    ElasticNet with ``l1 = alpha * l1_ratio``, ``l2 = alpha * (1 - l1_ratio) / 2``.

    Parameters
    ----------
    {dense_layers}
    {losses}
    {penalties}
    {feature_penalties}
    {regularisation}
    {mixup}
    {structure}
    {members}
    {training}
        {scaled_targets}
    {run}

    Attributes
    ----------
    {attributes}
    target_offset_, target_scale_ : ndarray of shape (`n_outputs_`,) or None
        The numbers that are subtracted from targets, and by which they are divided.

    See Also
    --------
    MLPClassifier : The same for classes.
    sklearn.neural_network.MLPRegressor : Without these regularisers.

    References
    ----------
    {references}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> from skreg import MLPRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> reg = MLPRegressor(
    ...     l2=1e-2, dropout=0.2, early_stopping=True, random_state=0
    ... ).fit(X_train, y_train)
    >>> bool(reg.score(X_test, y_test) > 0.3)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Sizes = (100,),
        activation: str = "relu",
        *,
        loss: str | Loss = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        l1: PerLayer = 0.0,
        l2: PerLayer = 0.0,
        group_l1: float = 0.0,
        categorical_features: CategoricalFeatures = "from_dtype",
        feature_groups: FeatureGroups = None,
        feature_penalties: FeaturePenalties = None,
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
        numeric_embedding: Literal["piecewise_linear", "periodic"] | None = None,
        embedding_size: int = 8,
        embedding_scale: float = 0.1,
        init: Literal["glorot", "scaled"] = "glorot",
        n_estimators: int = 1,
        ensemble: Literal["independent", "shared"] = "independent",
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
        learning_rate_init: float = 0.01,
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
