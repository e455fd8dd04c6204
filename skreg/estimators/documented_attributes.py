"""The documentation of the attributes that fitted networks share."""

ATTRIBUTES = """
    n_outputs_ : int
        Number of outputs of the network.
    out_activation_ : str
        Activation of the outputs at prediction.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer, for standardised inputs. With a `numeric_embedding`, the
        first has `embedding_size` rows for each input. In an ensemble, all weights,
        `snapshots_`, the curves and the numbers of epochs and rows are those of the
        first network; with ``ensemble="shared"`` they are those of all members, whose
        last layers stand side by side.
    skip_coef_ : ndarray of shape (n_inputs, `n_outputs_`) or None
        Weights S of the linear skip connection, for standardised inputs.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer; with ``ensemble="shared"`` of shape (n_estimators, n_out).
    estimators_ : list of estimator
        The networks, each an estimator with ``n_estimators=1`` that predicts alone.
        They are made anew each time they are asked for.
    snapshots_ : list of list of ndarray, or None
        With `n_snapshots`, the networks whose predictions are averaged: for each, the
        weights of the layers, the biases, of shape (1, n_out), and the parameters of
        batch normalisation.
    coef_, intercept_ : ndarray
        Coefficients and intercepts of a linear model (``hidden_layer_sizes=()``), on
        the scale of the data. Not available with `numeric_embedding` or
        ``standardize="robust"``, nor for averages of probabilities or counts, and
        `coef_` not with categories.
    level_effects_ : dict
        Of a linear model with categories or missing numbers: for each such column, by
        its name or index, a dict of the effects of its levels on the outputs, relative
        to the mean of the training rows. The key None stands for missing values.
    is_categorical_ : ndarray of bool of shape (`n_features_in_`,) or None
        Which columns are categories; None if there are none.
    feature_offset_, feature_scale_ : ndarray of shape (n_inputs,) or None
        Centre and scale of the inputs; "robust" clips them afterwards.
    support_ : ndarray of bool of shape (`n_features_in_`,)
        Whether a column has a weight other than zero, in any network of an ensemble.
    sparsity_ : float
        Share of the weights that are exactly zero.
    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Norm of each column's outgoing weights, averaged over an ensemble.
    kkt_violation_ : float
        Distance from the optimality conditions: the largest absolute component of the
        smallest subgradient of the objective, 0 at an optimum. It is computed with l1
        or group_l1, for linear models and with "lbfgs", and nan otherwise or after an
        interrupt. With random regularisers it is estimated from one epoch. In an
        ensemble, the largest.
    loss_, best_loss_ : float
        Last and lowest value of the objective, with penalties. `best_loss_` is None
        with validation rows.
    loss_curve_ : list of float
        Objective in each epoch, averaged over its batches.
    validation_loss_curve_ : list of float or None
        Loss on the validation rows after each epoch, without penalties.
    validation_scores_, best_validation_score_ : list of float and float, or None
        Scores by which early stopping decided; greater is better. The loss counts
        negatively.
    best_iter_ : int
        Epoch with the best score, counted from 1.
    n_iter_ : int
        Number of epochs of the last fit, and of iterations of L-BFGS.
    t_ : int
        Number of training rows seen. Rows that are equal count as one if every step
        uses all rows.
    n_layers_ : int
        Number of layers, inputs and outputs included.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all column names of X are strings.
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
