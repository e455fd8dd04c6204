"""Multilayer perceptrons: the public estimators."""

from sklearn.utils.metaestimators import available_if

from skreg.compatibility import fit_context
from skreg.estimators.base import store_parameters, takes_steps
from skreg.estimators.classifier import BaseClassifierNetwork
from skreg.estimators.documentation import fill_docstring
from skreg.estimators.regressor import BaseRegressorNetwork


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
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each hidden layer; () is a linear model.
    activation : str, default="relu"
        "relu", "tanh", "logistic", "identity", "elu", "selu", "gelu", "silu", "mish" or
        "leaky_relu".
    {regularisation}
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over the classes.
    {mixup}
    {structure}
    {members}
    {training}
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, which multiply the sample weights. "balanced" is
        ``n_samples / (n_classes * np.bincount(y))``.
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
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        l1=0.0,
        l2=0.0,
        group_l1=0.0,
        weight_decay=0.0,
        max_norm=None,
        positive=False,
        dropout=0.0,
        input_dropout=0.0,
        input_noise=0.0,
        batchnorm=False,
        label_smoothing=0.0,
        mixup=0.0,
        cutmix=0.0,
        cutout=0.0,
        adversarial=0.0,
        augment=None,
        pruning=0.0,
        skip=None,
        skip_l1=None,
        skip_l2=None,
        stochastic_depth=0.0,
        numeric_embedding=None,
        embedding_size=8,
        embedding_scale=0.1,
        init="glorot",
        n_estimators=1,
        ensemble="independent",
        bootstrap=False,
        max_samples=1.0,
        early_stopping=False,
        monitor="loss",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        restore_best_weights=True,
        solver="adam",
        learning_rate="flat_cosine",
        learning_rate_init=0.01,
        swa_fraction=0.0,
        ema_decay=0.0,
        n_snapshots=1,
        batch_size="auto",
        max_iter="auto",
        shuffle=True,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        clip_norm=None,
        standardize=True,
        class_weight=None,
        warm_start=False,
        random_state=None,
        device="cpu",
        dtype=None,
        callbacks=None,
        verbose=False,
    ):
        store_parameters(self, locals())

    @fit_context(prefer_skip_nested_validation=True)
    @fill_docstring
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train the network.

        {fit}
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(takes_steps)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch, going on where the last call ended.

        The first call learns the classes and the standardising. Early stopping does
        not apply.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Targets.
        classes : array-like of shape (n_classes,), default=None
            All classes there are, needed in the first call if `y` lacks some.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts in every mean.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._fit(X, y, sample_weight, incremental=True, classes=classes)


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
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each hidden layer; () is a linear model.
    activation : str, default="relu"
        "relu", "tanh", "logistic", "identity", "elu", "selu", "gelu", "silu", "mish" or
        "leaky_relu".
    {losses}
    {regularisation}
    {mixup}
    {structure}
    {members}
    {training}
        The targets are standardised too, and predictions scaled back; under the
        Poisson loss they are divided by their mean.
    {run}

    Attributes
    ----------
    {attributes}
    target_offset_, target_scale_ : ndarray of shape (`n_outputs_`,) or None
        What targets are centred and divided by.

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
        hidden_layer_sizes=(100,),
        activation="relu",
        *,
        loss="squared_error",
        quantile=0.5,
        l1=0.0,
        l2=0.0,
        group_l1=0.0,
        weight_decay=0.0,
        max_norm=None,
        positive=False,
        dropout=0.0,
        input_dropout=0.0,
        input_noise=0.0,
        batchnorm=False,
        mixup=0.0,
        cutmix=0.0,
        cutout=0.0,
        adversarial=0.0,
        augment=None,
        pruning=0.0,
        skip=None,
        skip_l1=None,
        skip_l2=None,
        stochastic_depth=0.0,
        numeric_embedding=None,
        embedding_size=8,
        embedding_scale=0.1,
        init="glorot",
        n_estimators=1,
        ensemble="independent",
        bootstrap=False,
        max_samples=1.0,
        early_stopping=False,
        monitor="loss",
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        restore_best_weights=True,
        solver="adam",
        learning_rate="flat_cosine",
        learning_rate_init=0.01,
        swa_fraction=0.0,
        ema_decay=0.0,
        n_snapshots=1,
        batch_size="auto",
        max_iter="auto",
        shuffle=True,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-8,
        clip_norm=0.5,
        standardize=True,
        warm_start=False,
        random_state=None,
        device="cpu",
        dtype=None,
        callbacks=None,
        verbose=False,
    ):
        store_parameters(self, locals())

    @fit_context(prefer_skip_nested_validation=True)
    @fill_docstring
    def fit(
        self,
        X,
        y,
        sample_weight=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Train the network.

        {fit}
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    @available_if(takes_steps)
    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch, going on where the last call ended.

        The first call learns the standardising. Early stopping does not apply.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts in every mean.

        Returns
        -------
        self : object
            The estimator.
        """
        return self._fit(X, y, sample_weight, incremental=True)
