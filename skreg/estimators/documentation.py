"""The documentation that several estimators share, written once."""

import inspect
import re
import textwrap
from typing import TypeVar

from skreg.estimators.documented_attributes import ATTRIBUTES, IMAGE_ATTRIBUTES
from skreg.estimators.documented_references import REFERENCES

PENALTIES = """
    l1 : float or sequence of float, default=0.0
        Strength of the penalty on the absolute weights: one number, or one for each
        layer of weights, input side first. It acts through proximal steps, so that
        weights become exactly zero. Biases are not penalised.
    l2 : float or sequence of float, default=0.0
        Strength of the penalty on the squared weights, without a factor of 1/2; one
        number or one for each layer, as for `l1`.
    group_l1 : float, default=0.0
        Strength of the group lasso: the sum, over the inputs, of the Euclidean norm of
        an input's outgoing weights. It drops whole inputs exactly; for images, whole
        channels.
"""

REGULARISATION = """
    weight_decay : float, default=0.0
        Decoupled weight decay: each step multiplies the weights by
        ``1 - learning_rate * weight_decay`` [1]_. This is not the same as `l2`.
    max_norm : float, default=None
        Largest Euclidean norm of a unit's incoming weights. After each step, larger
        ones are scaled down to it [2]_.
    positive : bool, default=False
        Force all weights to be 0 or more, as scikit-learn's Lasso does. With a
        non-decreasing activation, predictions are then non-decreasing in every input.
    dropout : float or sequence of float, default=0.0
        Share of the units of each hidden layer that are dropped in a training batch
        [2]_: one number, or one for each hidden layer. The other units are scaled up,
        so that prediction needs no change. Convolutions drop whole channels [18]_,
        after pooling.
    input_dropout : float, default=0.0
        Share of the inputs that are set to zero, which is their mean if they are
        standardised.
    input_noise : float, default=0.0
        Standard deviation of the Gaussian noise added to the (standardised) inputs.
    batchnorm : bool or {"before", "after"}, default=False
        Batch normalisation [3]_ of each hidden layer, before (the same as True) or
        after the activation. Convolutions normalise channels, over rows and pixels. No
        batch holds a single row.
"""

FEATURE_PENALTIES = """
    categorical_features : "from_dtype", array-like or None, default="from_dtype"
        Which columns are categories: "from_dtype" takes those of strings, objects that
        are not numbers, and the types "category" and "enum" of a DataFrame; a list has
        names, indices or a mask; None is none. A level is an input, centred and divided
        by the standard deviation of all levels of its column together, so that columns
        count alike. Levels of few training rows share an input (fewer than 1 % of the
        rows, if that is from 3 to 10; and all but the 255 most frequent ones), which
        unknown levels use, too. Missing is a level. Where numbers are missing, the mean
        of the training rows stands (with "robust", the median), and another input says
        so. In `partial_fit` the first call shows all levels and whether numbers can be
        missing. All inputs of a column form one feature in `group_l1`,
        `feature_importances_`, `support_`, `feature_groups`, `feature_penalties`, and
        in `input_dropout`, `cutmix` and `cutout`. Functions in `augment` get levels as
        codes 0, 1, ... and missing numbers as nan.
    feature_groups : array-like or list of lists, default=None
        Groups of features that `group_l1` drops together, such as the dummies of a
        category: a label for each feature, or lists of indices or column names, where
        features in no list are alone. The penalty is
        ``group_l1 * sum_g sqrt(p_g) * ||W_1[g, :]||_2`` with the number `p_g` of a
        group's features (Yuan and Lin 2006). None is a group for each feature.
    feature_penalties : array-like of shape (n_features,) or dict, default=None
        What to multiply `l1`, `l2` and `group_l1` by in the first layer and in a linear
        skip connection, for each feature: glmnet's penalty.factor, without its
        rescaling. A dict maps indices or column names to numbers; others are 1. With 0
        a feature is not penalised, and with inf it is left out. The numbers must be
        equal within each of the `feature_groups`, apart from inf.
"""

MIXUP = """
    mixup : float, default=0.0
        Mix every row of a batch with another row, with a weight drawn from
        Beta(mixup, mixup) [4]_.
    cutmix : float, default=0.0
        Replace some columns of every row of a batch by those of another row [12]_:
        ``round((1 - lam) * n_features)`` random columns, the same in all rows, with
        `lam` drawn from Beta(cutmix, cutmix). Targets are mixed in proportion to the
        columns kept.
    cutout : float, default=0.0
        Share of the columns, ``round(cutout * n_features)`` random ones in each row of
        a batch, that are set to zero [13]_. Unlike `input_dropout`, their number is
        fixed and the other columns are not scaled up.
    adversarial : float, default=0.0
        Train on the mean of two losses: at the inputs and at adversarial inputs
        ``x + adversarial * sign(d loss / dx)`` [14]_. `loss_curve_` holds that mean.
        Steps take two to three times as long.
    augment : augmenter, function, list of these or None, default=None
        Change the rows of training batches at random, anew in every epoch, before they
        are standardised. Rows of validation and prediction stay as they are. An
        `ImageAugmenter` rotates, shifts, zooms, flips and so on; pixels are then
        standardised by channel. A `TableAugmenter` holds `mixup`, `cutmix`, `cutout`
        and `input_noise`. A function ``f(X, rng)`` returns a changed copy of a batch,
        an array of shape (n_rows, `n_features_in_`). A list is applied in its order.
    pruning : float, default=0.0
        Share of the weights, in all layers together and rounded up, that are zero at
        the end of training. After epoch `t` the smallest weights, a share of
        ``pruning * (1 - (1 - t / T)**3)``, are set to zero and stay zero, where `T` is
        three quarters of `max_iter` (Zhu and Gupta 2017, "To Prune, or Not to Prune").
        `max_iter` is then the planned length, and early stopping judges from epoch `T`
        on. A continued fit keeps the zeros that it starts from, and `partial_fit` does
        not prune. See also `prune` and `compact`.
"""

CONVOLUTIONS = """
    channels : int or sequence of int, default=(32, 64)
        Number of filters, and so of output channels, of each convolution. () is a
        dense network on images.
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each dense hidden layer after the convolutions.
    {activation}
    image_shape : tuple of int, default=None
        (height, width) or (height, width, channels) of the images in the rows of `X`,
        in the order of ``images.reshape(n_samples, -1)``: channels last. It is not
        needed for arrays of images. If None, rows are square images of one channel if
        `n_features` is a square number, and else signals: images of height 1.
    data_format : {{"channels_last", "channels_first"}}, default="channels_last"
        The order of the axes of arrays of images, as in Keras: (n_samples, height,
        width, channels), or (n_samples, channels, height, width), the order of torch.
        Arrays of shape (n_samples, height, width) have one channel in both. Rows and
        `image_shape` always have the channels last. With "channels_last", an array that
        looks like channels first (1 or 3 of them, fewer than the pixels of each side)
        is an error, unless `image_shape` is given and confirms its shape.
    kernel_size : int or sequence of int, default=3
        Height and width of the filters, one number or one for each convolution. Images
        are padded with zeros so that they keep their size; with an even number, one
        pixel more at the end, as in Keras. Along an axis of a single pixel, filters
        have length 1.
    pool : int or sequence of int, default=2
        Height and width of the windows of maximum pooling after each convolution; 1 is
        no pooling. Pixels left over at the end are dropped.
"""

LOSSES = """
    loss : str or Loss, default="squared_error"
        "squared_error" is half the squared difference; "absolute_error"; "huber"
        becomes linear at 1, which is a standard deviation of standardised targets;
        "poisson" is half the Poisson deviance with a log link; "quantile" is the
        pinball loss. Or a loss of `skreg.losses`, such as ``HuberLoss(0.5)``, or of
        your own; fits with one of your own are not kept in checkpoints.
    quantile : float or list of float, default=0.5
        Which quantile ``loss="quantile"`` predicts. A list of increasing numbers, such
        as ``[0.05, 0.5, 0.95]``, gives a column for each, with the sum of their losses
        as the loss and targets of one output. The network's outputs are sorted to
        predict, so that quantiles never cross; this makes their error smaller, if
        anything (Chernozhukov, Fernández-Val and Galichon 2010).
"""

SKIPS = """
    skip : {None, "linear", "residual"}, default=None
        "linear" adds ``x @ S`` to the outputs: a linear model of the (standardised)
        inputs beside the hidden layers, with weights S that start at zero, as in
        LassoNet [6]_ and in wide and deep networks. "residual" adds the input of each
        hidden layer to its output where both have the same number of units [7]_; for a
        convolution, the same number of channels and no pooling. It does nothing in a
        linear model.
    skip_l1, skip_l2 : float, default=None
        Strengths of `l1` and `l2` for S. None takes those of the first layer.
    stochastic_depth : float, default=0.0
        Probability that, for a row of a training batch, a residual layer is skipped, or
        the hidden layers beside ``x @ S`` are [8]_. Those that are not skipped are
        scaled up. Needs `skip`.
"""

EMBEDDING = """
    numeric_embedding : {None, "piecewise_linear", "periodic"}, default=None
        Replace each (standardised) input by `embedding_size` numbers [15]_.
        "piecewise_linear" gives its position in each of `embedding_size` bins between
        quantiles, ``clip((x - b[t-1]) / (b[t] - b[t-1]), 0, 1)``; the first and the
        last bin are open at their outer end. Inputs with fewer values have fewer bins.
        Dense inputs only. "periodic" gives the input itself and a trained linear map
        of 16 waves ``cos(2 * pi * w * x + b)`` with trained w and b [16]_. For
        `group_l1`, all numbers of an input are one group.
    embedding_size : int, default=8
        Number of embedding values of each input.
    embedding_scale : float, default=0.1
        Standard deviation of the initial w of "periodic".
"""

INIT = """
    init : {"glorot", "scaled"}, default="glorot"
        How initial weights are drawn. "glorot" is uniform, as in scikit-learn.
        "scaled" is that of RealMLP [16]_: normal weights whose variance is one over the
        number of inputs of the layer, standard normal biases, and a last layer of
        zeros.
"""

STRUCTURE = SKIPS.rstrip() + EMBEDDING.rstrip() + INIT

N_MEMBERS = """
    n_estimators : int, default=1
        Number of networks whose predictions (probabilities or numbers) are averaged
        [30]_. They train together and are in `estimators_`. The first has the seed of
        a single network, and the seeds of the others follow from it.
"""

SHARED = """
    ensemble : {"independent", "shared"}, default="independent"
        "independent" networks have weights of their own. "shared" networks are those
        of TabM [31]_: a hidden layer of member e is ``((x * r_e) @ W) * s_e + b_e``
        with one W for all members and vectors r, s and b of each [32]_. In the first
        layer r starts as random signs, in others at 1, and s starts at 1. Last layers
        are not shared. The mean of the members' objectives is minimised; r, s and b
        are not penalised. Not available with `bootstrap`, `max_samples`, `positive`,
        "lbfgs" and linear models.
"""

DRAWN = """
    bootstrap : bool, default=False
        Draw each network's training rows with replacement (bagging [33]_). A row drawn
        twice counts twice. Validation rows and standardising are the same for all
        networks. `partial_fit` is not available when rows are drawn.
    max_samples : int or float, default=1.0
        Number (int) or share (float) of the training rows that each network sees,
        drawn without replacement unless `bootstrap`.
"""

INDEPENDENT = N_MEMBERS.rstrip() + DRAWN
MEMBERS = N_MEMBERS.rstrip() + SHARED.rstrip() + DRAWN

TRAINING = """
    early_stopping : bool, default=False
        Stop training when the score of validation rows no longer improves.
    monitor : str, callable or Loss, default="loss"
        Score of the validation rows: "loss", the loss without penalties, or the name of
        a scorer, or a scorer; greater is better. Or a loss of `skreg.losses` or of your
        own, whose mean over the rows is watched; less is better. It gets the raw
        outputs and targets of the loss that is minimised, and needs the same inverse
        link. A score by name is that of labels
        coded as 0, 1, ... in the order of `classes_`, so that "f1" is that of the
        second of two classes. Scores of probabilities know all classes, also those that
        the rows lack. A score that is undefined for the predictions is the worst; one
        that the rows cannot have is an error before training.
    validation_fraction : float or None, default=0.1
        Share of the rows that is set aside for validation if `fit` gets no `X_val`.
        With None, the training loss decides.
    n_iter_no_change : int or inf, default=10
        Stop when there was no improvement by `tol` in more than this number of epochs
        in a row. With ``np.inf``, training has its full length, and early stopping only
        returns to the best weights. With a schedule (see `learning_rate`),
        `swa_fraction` or `pruning`, this needs early stopping.
    tol : float, default=1e-4
        Smallest change that counts as an improvement. "lbfgs" stops when no component
        of the gradient is larger. With l1 or group_l1, and for linear models, fits
        without random regularisers end with a `kkt_violation_` of at most
        ``min(tol, 1e-6)``. Networks with pooling do not, as their objective has kinks.
    restore_best_weights : bool, default=True
        Whether early stopping returns to the weights of the best epoch.
    solver : {"adam", "sgd", "lbfgs"}, default="adam"
        Adam, stochastic gradient descent with momentum, or full-batch L-BFGS. L-BFGS is
        deterministic, computes in double precision and does not take random
        regularisers. It also ends fits of the other two that must reach an optimum
        (see `tol`).
    learning_rate : str, default="flat_cosine"
        "constant"; "invscaling" divides the initial rate by the square root of the
        number of rows seen; "adaptive" divides it by 5 whenever training would stop,
        down to 1e-6. The others are schedules over `max_iter` epochs, which only early
        stopping cuts short: "cosine" falls to 0 along half a cosine [9]_; "onecycle"
        rises from a 25th of the initial rate to the full rate over the first 30 % and
        falls to a 10,000th [10]_; "flat_cosine" is constant in the first half and
        falls along half a cosine in the second. "lbfgs" ignores the learning rate, and
        `partial_fit`, which does not know how many calls follow, ignores schedules.
    learning_rate_init : float
        Initial learning rate; by default 0.01, and 0.003 with convolutions.
    swa_fraction : float, default=0.0
        Stochastic weight averaging [11]_: the final weights are the mean of those after
        each of the last ``ceil(swa_fraction * max_iter)`` epochs. Only early stopping
        ends training before. Once averaging has begun, validation uses the mean.
        `partial_fit` ignores this parameter and `ema_decay`.
    ema_decay : float, default=0.0
        The final weights are an exponential moving average over the steps,
        ``A <- ema_decay * A + (1 - ema_decay) * W``, divided by ``1 - ema_decay**t``
        after `t` steps. Validation uses the average. With `l1`, the average of a
        weight that is zero only at times is not zero. Not together with
        `swa_fraction`.
    n_snapshots : int, default=1
        Number of cycles of ``learning_rate="cosine"``, each of ``max_iter /
        n_snapshots`` epochs. Predictions (probabilities or numbers) are averaged over
        the networks at the ends of the cycles [17]_. `coefs_` and the attributes made
        from it are those of the last network, which does not have to reach an optimum
        (see `tol`). Not together with early stopping.
    batch_size : int or "auto", default="auto"
        Rows in a batch; "auto" is ``min(32, n_samples)``.
    max_iter : int or "auto", default="auto"
        Largest number of epochs, and of iterations of L-BFGS. It is the length of a
        schedule (see `learning_rate`), which `tol` does not cut short; a warning says
        if most of it had no effect. "auto" is 200, unless the length is that of a
        schedule without early stopping: then it is 10 epochs for classes and 15 for
        numbers, or 50 steps if these are more. On public tables, longer training
        overfits unless something regularises.
    shuffle : bool, default=True
        Whether to shuffle the rows in every epoch.
    momentum : float, default=0.9
        Momentum of "sgd".
    nesterovs_momentum : bool, default=True
        Use Nesterov's momentum for "sgd".
    beta_1, beta_2 : float, default=0.9, 0.999
        Decay rates of Adam's moments.
    epsilon : float, default=1e-8
        Number added to the square root of Adam's second moment.
    clip_norm : float or None
        Largest norm of the gradient with respect to all parameters; None does not clip.
        The default is None for classes, and 0.5 for numbers, where outliers make long
        steps.
    fit_intercept : bool, default=True
        Whether the outputs have intercepts, the biases of the last layer. Without them,
        inputs and targets are not centred either, only scaled: a linear model is then
        one without intercept on the scale of the data, as scikit-learn's Ridge, Lasso
        and LogisticRegression with ``fit_intercept=False``. Hidden layers keep their
        biases.
    standardize : bool or "robust", default=True
        Centre and scale the inputs inside the fit by the weighted mean and standard
        deviation of the training rows; all pixels of a channel alike. Sparse inputs are
        only scaled. Strengths of penalties then refer to standardised data. "robust"
        uses the weighted median and the interquartile range (half the range if that is
        zero), followed by ``x / sqrt(1 + (x / 3)**2)``, which limits outliers to ±3
        [16]_; dense inputs only.
"""

RUN = """
    warm_start : bool, default=False
        Whether `fit` continues from the weights and the standardising of the last fit.
    random_state : int, RandomState instance or None, default=None
        Seed of the initial weights, the validation split, the order of the rows and all
        noise. Global random states are neither read nor changed. None takes fresh
        entropy.
    device : str or torch.device, default="cpu"
        Device to train and predict on, such as "cuda" or "cuda:1". Where a fitted
        estimator is loaded without it, it predicts on the CPU, with a warning.
    dtype : {"float32", "float64"} or None, default=None
        Precision. On the CPU, None is the precision of X as in scikit-learn: float32
        stays float32, everything else is float64. On other devices, None is float32.
        Predictions of numbers have at least the precision of the targets.
    callbacks : list of skorch callbacks, default=None
        Called with the skorch net during training. Callbacks of scikit-learn, which 1.9
        and newer have, are set by `set_callbacks`.
    verbose : bool or int, default=False
        Print a line after each epoch.
"""

DENSE_LAYERS = """
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each hidden layer. () is a linear model.
    {activation}
"""

ACTIVATION = """
    activation : str, default="relu"
        "relu", "tanh", "logistic", "identity", "elu", "selu", "gelu", "silu", "mish" or
        "leaky_relu".
"""

SCALED_TARGETS = """
        The targets are standardised too, and predictions scaled back; under the
        Poisson loss they are divided by their mean. For other losses see
        `skreg.losses.Loss`.
"""

LABEL_SMOOTHING = """
    label_smoothing : float, default=0.0
        Share of each target that is spread evenly over the classes.
"""

CLASS_WEIGHT = """
    class_weight : dict, list of dict, "balanced" or None, default=None
        Weights of the classes, which multiply the sample weights. "balanced" is
        ``n_samples / (n_classes * np.bincount(y))``. For multilabel targets, a list
        of one dict for each label, such as ``{0: 1, 1: 5}``, or "balanced"; the loss
        of row i and label l then has the weight ``s_il / mean_i(s_il)``, where
        ``s_il`` is the sample weight times the weight of y_il, so that each label is
        weighted as if it were alone.
"""

SECTIONS = {
    "penalties": PENALTIES,
    "regularisation": REGULARISATION,
    "feature_penalties": FEATURE_PENALTIES,
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
    "dense_layers": DENSE_LAYERS,
    "activation": ACTIVATION,  # after those that contain it
    "scaled_targets": SCALED_TARGETS,
    "label_smoothing": LABEL_SMOOTHING,
    "class_weight": CLASS_WEIGHT,
}


Documented = TypeVar("Documented")


def fill_docstring(
    target: Documented, sections: dict[str, str] = SECTIONS
) -> Documented:
    """Replace ``{section}`` lines in the docstring of a class or function.

    A section takes the indentation of the line. That of the docstring itself is
    removed, as Python does from 3.13 on.
    """
    if target.__doc__ is None:  # as under python -OO
        return target
    filled = inspect.cleandoc(target.__doc__)
    for name, text in sections.items():
        filled = _with_section(filled, name, inspect.cleandoc(text))
    target.__doc__ = f"{filled}\n"
    return target


def _with_section(docstring, name, text):
    def indented(line):
        return textwrap.indent(text, line[1])

    line = rf"^( *)\{{{name}\}}$"
    return re.sub(line, indented, docstring, flags=re.MULTILINE)
