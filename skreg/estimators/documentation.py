"""The documentation that several estimators share, written once."""

REGULARISATION = """
    l1 : float or sequence of float, default=0.0
        Strength of the sum of absolute weights: one number, or one for each layer of
        weights, input side first. Acts through proximal steps, so that weights become
        exactly zero. Biases are free.
    l2 : float or sequence of float, default=0.0
        Strength of the sum of squared weights (without a factor 1/2), as `l1`.
    group_l1 : float, default=0.0
        Strength of the group lasso over inputs: the sum of the Euclidean norms of each
        input's outgoing weights. Whole inputs are dropped, exactly; of images, whole
        channels.
    weight_decay : float, default=0.0
        Decoupled weight decay: each step multiplies the weights by
        ``1 - learning_rate * weight_decay`` [1]_. Not the same as `l2`.
    max_norm : float, default=None
        Largest Euclidean norm of each unit's incoming weights; larger ones are scaled
        down after each step [2]_.
    positive : bool, default=False
        Force all weights to be 0 or more, as scikit-learn's Lasso does. With an
        activation that does not fall, predictions then never fall in any input.
    dropout : float or sequence of float, default=0.0
        Share of the units of each hidden layer dropped in every training batch [2]_:
        one number, or one for each hidden layer. The others are scaled up, so that
        nothing changes at prediction. Of a convolution, whole channels are dropped
        [18]_, after pooling.
    input_dropout : float, default=0.0
        Share of the inputs set to zero, which is their mean if standardised.
    input_noise : float, default=0.0
        Standard deviation of the Gaussian noise added to the (standardised) inputs.
    batchnorm : bool or {"before", "after"}, default=False
        Batch normalisation [3]_ of each hidden layer, before (the same as True) or
        after the activation; of the channels of images, over rows and pixels. A batch
        never holds one row only.
"""

MIXUP = """
    mixup : float, default=0.0
        Mix every row of a batch with another one, by a weight drawn from
        Beta(mixup, mixup) [4]_.
    cutmix : float, default=0.0
        Give every row of a batch some columns of another one, the same ones in all
        rows [12]_: ``round((1 - lam) * n_features)`` random columns with `lam` from
        Beta(cutmix, cutmix). Targets are mixed by the share of the columns kept.
    cutout : float, default=0.0
        Set this share of the columns, ``round(cutout * n_features)`` random ones in
        each row of a batch, to zero [13]_. Unlike under `input_dropout`, their number
        is always the same, and the others are not scaled up.
    adversarial : float, default=0.0
        Train on the mean of the loss at the inputs and at inputs made worse,
        ``x + adversarial * sign(d loss / dx)`` [14]_, both in `loss_curve_`. Steps take
        two to three times as long.
    augment : augmenter, function, list of these or None, default=None
        Change the rows of training batches at random, anew in every epoch, before they
        are standardised; never those of validation or prediction. An `ImageAugmenter`
        (rotation, shifts, zoom, flips, ...; pixels are then standardised by channel), a
        `TableAugmenter` (`mixup`, `cutmix`, `cutout` and `input_noise` together), or a
        function ``f(X, rng)`` that returns a changed copy of a batch, an array of
        shape (n_rows, `n_features_in_`); applied in the order of a list.
    pruning : float, default=0.0
        Share of the weights of all layers together, rounded up, that are zero at the
        end of training. The smallest are set to zero and stay so, after epoch `t` a
        share of ``pruning * (1 - (1 - t / T)**3)`` with `T` three quarters of
        `max_iter` (Zhu and Gupta 2017, "To Prune, or Not to Prune"). `max_iter` is then
        the planned length, and early stopping judges from epoch `T` on. A continued
        fit keeps the zeros it starts from, and `partial_fit` prunes no more. See also
        `prune` and `compact`.
"""

CONVOLUTIONS = """
    channels : int or sequence of int, default=(32, 64)
        Number of filters of each convolution, and so of the channels that come out; ()
        is a dense network on images.
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each dense hidden layer after the convolutions.
    activation : str, default="relu"
        "relu", "tanh", "logistic", "identity", "elu", "selu", "gelu", "silu", "mish" or
        "leaky_relu".
    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of the images in the rows of `X`,
        in the order of ``images.reshape(n_samples, -1)``: channels last. Arrays of
        shape (n_samples, height, width) or (n_samples, height, width, channels) tell it
        themselves. If None, rows are taken as square images of one channel if
        `n_features` is a square number, and as signals, images of the height 1, else.
    kernel_size : int or sequence of int, default=3
        Height and width of the filters, of all convolutions or of each. Images are
        padded with zeros, so that their size stays; of an even number of pixels one
        more at the end, as in Keras. Along an axis of a single pixel filters have the
        length 1.
    pool : int or sequence of int, default=2
        Height and width of the windows of which the largest value is kept, after each
        convolution; 1 is no pooling. What is left over at the end is dropped.
"""

LOSSES = """
    loss : str, default="squared_error"
        "squared_error", half the squared difference; "absolute_error"; "huber",
        which turns linear at 1 (standard deviation of the target, if standardised);
        "poisson", half the Poisson deviance with a log link; "quantile", the pinball
        loss.
    quantile : float, default=0.5
        Which quantile ``loss="quantile"`` predicts.
"""

SKIPS = """
    skip : {None, "linear", "residual"}, default=None
        "linear" adds ``x @ S`` to the outputs, a linear model of the (standardised)
        inputs beside the hidden layers, with weights S that start at zero (the skip
        layer of LassoNet [6]_ and of wide and deep networks). "residual" adds to the
        output of each hidden layer its input, where both have as many units [7]_ (of
        a convolution: as many channels, without pooling). A linear model has nothing
        to skip.
    skip_l1, skip_l2 : float, default=None
        Strengths of `l1` and `l2` for S. None is that of the first layer.
    stochastic_depth : float, default=0.0
        Probability with which, for each row of a training batch, a residual layer is
        its input alone, or the outputs are ``x @ S`` alone [8]_; what survives is
        scaled up. Needs `skip`.
"""

EMBEDDING = """
    numeric_embedding : {None, "piecewise_linear", "periodic"}, default=None
        Replace each (standardised) input by `embedding_size` numbers [15]_.
        "piecewise_linear": its place in each of as many bins between its quantiles,
        ``clip((x - b[t-1]) / (b[t] - b[t-1]), 0, 1)``, of which the first and the last
        are not clipped outwards; inputs with fewer values have fewer bins. Dense inputs
        only.
        "periodic": the input itself and a trained linear map of 16 waves
        ``cos(2 * pi * w * x + b)`` with trained w and b [16]_. `group_l1` takes all
        numbers of an input as one group.
    embedding_size : int, default=8
        How many numbers become of each input.
    embedding_scale : float, default=0.1
        Standard deviation of the initial w of "periodic".
"""

INIT = """
    init : {"glorot", "scaled"}, default="glorot"
        How initial weights are drawn. "glorot" is uniform, as in scikit-learn.
        "scaled" is RealMLP's [16]_: weights are normal with a variance of one over the
        number of inputs of the layer, biases standard normal, and the last layer zero.
"""

STRUCTURE = SKIPS.rstrip() + EMBEDDING.rstrip() + INIT

N_MEMBERS = """
    n_estimators : int, default=1
        Number of networks whose predictions (probabilities, numbers) are averaged
        [30]_. They train together, and are in `estimators_`. The first has the seed of
        a single network, the others have seeds that follow from it.
"""

SHARED = """
    ensemble : {"independent", "shared"}, default="independent"
        "independent" networks have weights of their own. "shared" ones are TabM's
        [31]_: a hidden layer of member e is ``((x * r_e) @ W) * s_e + b_e`` with one W
        for all and vectors r, s and b of each [32]_; the first r are random signs,
        all others and s start at 1, the last layers are not shared, and what is
        minimised is the mean of the members' objectives. r, s and b are not
        penalised. Not with `bootstrap`, `max_samples`, `positive`, "lbfgs" and linear
        models.
"""

DRAWN = """
    bootstrap : bool, default=False
        Draw each network's training rows with replacement (bagging [33]_); a row drawn
        twice is a row given twice. Validation rows and standardising are the same
        for all networks. There is no `partial_fit` with rows that are drawn.
    max_samples : int or float, default=1.0
        Number (int) or share (float) of the training rows that each network sees,
        drawn without replacement unless `bootstrap`.
"""

INDEPENDENT = N_MEMBERS.rstrip() + DRAWN
MEMBERS = N_MEMBERS.rstrip() + SHARED.rstrip() + DRAWN

TRAINING = """
    early_stopping : bool, default=False
        Watch validation rows and stop when they no longer improve.
    monitor : str or callable, default="loss"
        What is watched: "loss", the loss without penalties, or a scorer's name or
        function, of which more is better.
    validation_fraction : float or None, default=0.1
        Share of the rows set aside if `fit` gets no `X_val`. With None the training
        loss is watched.
    n_iter_no_change : int, default=10
        Stop after more than so many epochs in a row without an improvement by `tol`.
        Under a schedule (see `learning_rate`), with `swa_fraction` and with `pruning`,
        with early stopping only.
    tol : float, default=1e-4
        Smallest change that counts as an improvement. For "lbfgs", the largest
        component of the gradient at which to stop. With l1 or group_l1, and for linear
        models, fits that are not random end with a `kkt_violation_` of at most
        ``min(tol, 1e-6)``; not those with pooling, of which the objective has kinks.
    restore_best_weights : bool, default=True
        After early stopping, go back to the weights of the best epoch.
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        Adam, stochastic gradient descent with momentum, or full-batch L-BFGS, which is
        deterministic, computes in double precision and refuses random regularisers.
        Fits by the first two that are to end at an optimum (see `tol`) go on with it.
    learning_rate : str, default="flat_cosine"
        "constant"; "invscaling" divides the initial rate by the root of the number of
        rows seen; "adaptive" divides it by 5 whenever training would stop, down to
        1e-6. The others are schedules over `max_iter` epochs, which only early stopping
        ends before: "cosine" falls to 0 along half a cosine [9]_; "onecycle"
        rises from a 25th of the initial rate to all of it over the first 30 % and
        falls to a 10,000th [10]_; "flat_cosine" stays for the first half and falls as
        "cosine" in the second. "lbfgs" ignores all, and `partial_fit`, which does not
        know how long it will go on, the schedules.
    learning_rate_init : float
        Initial learning rate; by default 0.01, and 0.003 with convolutions.
    swa_fraction : float, default=0.0
        Stochastic weight averaging [11]_: the network has the mean of the weights after
        each of the last ``ceil(swa_fraction * max_iter)`` epochs, which only early
        stopping ends before. Validation rows see the mean once it has begun.
        `partial_fit` ignores this and `ema_decay`.
    ema_decay : float, default=0.0
        The network has the moving average of the weights after each step,
        ``A <- ema_decay * A + (1 - ema_decay) * W``, divided by ``1 - ema_decay**t``
        after `t` steps. Validation rows see the average. Averages of weights that come
        and go under `l1` are not zero. Not with `swa_fraction`.
    n_snapshots : int, default=1
        With more than one, ``learning_rate="cosine"`` falls so many times, in cycles
        of ``max_iter / n_snapshots`` epochs, and predictions (probabilities, numbers)
        are the means of those of the networks at the ends of the cycles [17]_. `coefs_`
        and what is made from them are the last network's, which is not polished (see
        `tol`). Not with early stopping.
    batch_size : int or "auto", default="auto"
        Rows in a batch; "auto" is ``min(32, n_samples)``.
    max_iter : int or "auto", default="auto"
        Largest number of epochs, and of iterations of L-BFGS. "auto" is 200, unless a
        schedule (see `learning_rate`) without early stopping decides on the end: then
        it is 10 epochs for classes and 15 for numbers, or 50 steps if these are more;
        measured on public tables, more of them overfit unless something regularises.
    shuffle : bool, default=True
        Take the rows in a new order in every epoch.
    momentum : float, default=0.9
        Momentum of "sgd".
    nesterovs_momentum : bool, default=True
        Use Nesterov's momentum for "sgd".
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay rates of Adam's moments.
    epsilon : float, default=1e-8
        Added to the root of Adam's second moment.
    clip_norm : float or None
        Largest norm of the gradient of all parameters together; None does not clip. By
        default None for classes and 0.5 for numbers, where outliers make long steps.
    standardize : bool or "robust", default=True
        Centre and scale the inputs inside the fit, by the weighted mean and standard
        deviation of the training rows; all pixels of a channel by the same. Sparse
        inputs are scaled only. Strengths then mean what they mean on standardised data.
        With "robust", by the weighted median and the interquartile range (half the
        range if that is zero), followed by ``x / sqrt(1 + (x / 3)**2)``, so that
        outliers end at ±3 [16]_; dense inputs only.
"""

RUN = """
    warm_start : bool, default=False
        Continue from the last fit's weights and standardising.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, the validation split, the order of rows and all noise.
        No global random state is read or changed; None takes fresh entropy.
    device : str or torch.device, default="cpu"
        Where to train and predict.
    dtype : {"float32", "float64"} or None, default=None
        Precision. None is that of X on the CPU, as in scikit-learn: float32 stays,
        everything else is float64. On other devices None is float32.
    callbacks : list of skorch callbacks, default=None
        Called with the skorch net during training. scikit-learn 1.9 or newer
        has callbacks of its own, which are set by `set_callbacks`.
    verbose : bool or int, default=False
        Print a line after each epoch.
"""

ATTRIBUTES = """
    n_outputs_ : int
        Number of outputs of the network.
    out_activation_ : str
        What the outputs go through at prediction.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer, for standardised inputs. With a `numeric_embedding` the
        first has `embedding_size` rows for each input. Of an ensemble, these, the
        other weights, `snapshots_`, the curves, and the numbers of epochs and rows are
        the first network's; with ``ensemble="shared"`` they are of all, with the
        members' last layers side by side.
    skip_coef_ : ndarray of shape (`n_features_in_`, `n_outputs_`) or None
        Weights S of the linear skip connection, for standardised inputs.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer; with ``ensemble="shared"`` of shape (n_estimators, n_out).
    estimators_ : list of estimator
        The networks, each an estimator with ``n_estimators=1`` that predicts alone. Of
        members that share weights, copies made when asked for.
    snapshots_ : list of list of ndarray, or None
        With `n_snapshots`, the networks whose predictions are averaged: of each the
        weights of each layer, the biases, of shape (1, n_out), and what batch
        normalisation has learned.
    coef_, intercept_ : ndarray
        Of a linear model (``hidden_layer_sizes=()``), on the scale of the data. Not
        with `numeric_embedding` or ``standardize="robust"``, nor for averages of
        probabilities or counts.
    feature_offset_, feature_scale_ : ndarray of shape (`n_features_in_`,) or None
        What inputs are centred and divided by, before "robust" clips them.
    support_ : ndarray of bool of shape (`n_features_in_`,)
        Inputs that have a weight other than zero, in any network of an ensemble.
    sparsity_ : float
        Share of the weights that are exactly zero.
    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Norms of each input's outgoing weights, their mean over an ensemble.
    kkt_violation_ : float
        Largest element of the objective's subgradient that is nearest to zero: 0 at an
        optimum. Computed with l1 or group_l1, for linear models and by "lbfgs", else
        nan; estimated from one pass under random regularisers. The largest of an
        ensemble.
    loss_, best_loss_ : float
        Last and lowest value of the objective, penalties included. `best_loss_` is None
        with validation rows.
    loss_curve_ : list of float
        Objective of each epoch, the mean over its batches.
    validation_loss_curve_ : list of float or None
        Loss on the validation rows after each epoch, without penalties.
    validation_scores_, best_validation_score_ : list of float and float, or None
        What early stopping watched; more is better ("loss" counts negatively).
    best_iter_ : int
        Epoch with the best value of what was watched, counted from 1.
    n_iter_ : int
        Number of epochs of the last fit, and of iterations of L-BFGS.
    t_ : int
        Number of training rows seen.
    n_layers_ : int
        Number of layers, inputs and outputs included.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X had names that are all strings.
    history_ : skorch.history.History
        One entry for each epoch.
    net_ : StackedNet
        The skorch net.
"""

IMAGE_ATTRIBUTES = """
    image_shape_ : tuple of int
        Height, width and channels of the images.
    filters_ : list of ndarray of shape (height, width, n_in, n_out)
        Weights of the convolutions, which are in `coefs_` as arrays of shape
        (n_in * height * width, n_out).
"""

REFERENCES = """
    .. [1] Loshchilov and Hutter (2019), "Decoupled Weight Decay Regularization".
    .. [2] Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov (2014),
       "Dropout: A Simple Way to Prevent Neural Networks from Overfitting".
    .. [3] Ioffe and Szegedy (2015), "Batch Normalization: Accelerating Deep Network
       Training by Reducing Internal Covariate Shift".
    .. [4] Zhang, Cisse, Dauphin and Lopez-Paz (2018), "mixup: Beyond Empirical Risk
       Minimization".
    .. [5] Yun, Lozano and Yang (2021), "Adaptive Proximal Gradient Methods for
       Structured Neural Networks".
    .. [6] Lemhadri, Ruan, Abraham and Tibshirani (2021), "LassoNet: A Neural Network
       with Feature Sparsity".
    .. [7] He, Zhang, Ren and Sun (2016), "Deep Residual Learning for Image
       Recognition".
    .. [8] Huang, Sun, Liu, Sedra and Weinberger (2016), "Deep Networks with Stochastic
       Depth".
    .. [9] Loshchilov and Hutter (2017), "SGDR: Stochastic Gradient Descent with Warm
       Restarts".
    .. [10] Smith and Topin (2018), "Super-Convergence: Very Fast Training of Neural
       Networks Using Large Learning Rates".
    .. [11] Izmailov, Podoprikhin, Garipov, Vetrov and Wilson (2018), "Averaging Weights
       Leads to Wider Optima and Better Generalization".
    .. [12] Yun, Han, Oh, Chun, Choe and Yoo (2019), "CutMix: Regularization Strategy to
       Train Strong Classifiers with Localizable Features"; on columns as in Kadra,
       Lindauer, Hutter and Grabocka (2021), "Well-Tuned Simple Nets Excel on Tabular
       Datasets".
    .. [13] DeVries and Taylor (2017), "Improved Regularization of Convolutional Neural
       Networks with Cutout".
    .. [14] Goodfellow, Shlens and Szegedy (2015), "Explaining and Harnessing
       Adversarial Examples".
    .. [15] Gorishniy, Rubachev and Babenko (2022), "On Embeddings for Numerical
       Features in Tabular Deep Learning".
    .. [16] Holzmüller, Grinsztajn and Steinwart (2024), "Better by Default: Strong
       Pre-Tuned MLPs and Boosted Trees on Tabular Data".
    .. [17] Huang, Li, Pleiss, Liu, Hopcroft and Weinberger (2017), "Snapshot Ensembles:
       Train 1, Get M for Free".
    .. [18] Tompson, Goroshin, Jain, LeCun and Bregler (2015), "Efficient Object
       Localization Using Convolutional Networks".
    .. [30] Lakshminarayanan, Pritzel and Blundell (2017), "Simple and Scalable
       Predictive Uncertainty Estimation using Deep Ensembles".
    .. [31] Gorishniy, Kotelnikov and Babenko (2025), "TabM: Advancing Tabular Deep
       Learning with Parameter-Efficient Ensembling".
    .. [32] Wen, Tran and Ba (2020), "BatchEnsemble: An Alternative Approach to
       Efficient Ensemble and Lifelong Learning".
    .. [33] Breiman (1996), "Bagging Predictors".
"""

FIT = """
        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training inputs. Convolutional networks take images, too, dense arrays of
            shape (n_samples, height, width) or (n_samples, height, width, channels), in
            all methods.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts in every mean. A weight of 2 is a row given twice, one
            of 0 a row not given.
        X_val, y_val : array-like, default=None
            Validation rows for early stopping, instead of a share of X. Without
            early_stopping they give `validation_loss_curve_` and nothing else.
        sample_weight_val : array-like, default=None
            Weights of the validation rows.

        Returns
        -------
        self : object
            The fitted estimator.
"""

SECTIONS = {
    "regularisation": REGULARISATION,
    "mixup": MIXUP,
    "convolutions": CONVOLUTIONS,
    "losses": LOSSES,
    "structure": STRUCTURE,
    "skips": SKIPS,
    "init": INIT,
    "members": MEMBERS,
    "independent_members": INDEPENDENT,
    "training": TRAINING,
    "run": RUN,
    "attributes": ATTRIBUTES,
    "image_attributes": IMAGE_ATTRIBUTES,
    "references": REFERENCES,
    "fit": FIT,
}


def fill_docstring(target, sections=SECTIONS):
    """Replace ``{section}`` lines in the docstring of a class or function."""
    for name, text in sections.items():
        for indent in (" " * 4, " " * 8):
            target.__doc__ = target.__doc__.replace(
                f"\n{indent}{{{name}}}\n", text.rstrip() + "\n"
            )
    return target
