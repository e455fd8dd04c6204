"""Documentation shared by the estimators that choose their regularisation."""

SEARCH = """
    param_distributions : str or dict, default="regularization"
        The space to search: "regularization" or "cocktail", as in :func:`search_space`,
        or a list or distribution for each parameter of the network, as in
        RandomizedSearchCV. The named spaces have no piecewise linear embeddings for
        sparse inputs, or for more than 50 inputs.
    n_candidates : int, default=12
        Number of candidates. The strategy "grid" ignores it and uses all combinations.
    cv : int, cross-validation generator, iterable or None, default=None
        The folds, which are the same for all candidates. An int is the number of folds
        of shuffled rows, stratified for classification. None means 5 folds, or fewer
        for small data. If `fit` gets groups, these folds keep groups whole. Rows with a
        sample weight of zero are left out, and so are folds without other held-out
        rows.
    scoring : str, callable or None, default=None
        The score that candidates are compared by. Greater is better. None is the
        negative loss of the network on the held-out rows, such as the log loss or the
        squared error. A score by name is that of labels coded as 0, 1, ..., and scores
        of probabilities know all classes, as `monitor` of the networks. The loss uses
        the network's `class_weight`, a scorer does not. If
        the loss of the best candidate is not lower than that of a constant prediction
        by two standard errors, there is no signal and the best score is only luck. The
        linear model, or without it the candidate with the strongest penalties, is then
        chosen.
    strategy : {"halving", "random", "grid", "bayes"}, default="halving"
        "halving" starts all candidates and drops the worse half at each rung. The
        others continue their training for twice as many epochs, until `n_ensemble` or a
        few more candidates are trained to the end [1]_. "random" trains all candidates
        to the end, "grid" all combinations of the listed values, and "bayes" candidates
        that Optuna's TPE proposes in four batches.
    refit : {"folds", True, False}, default="folds"
        "folds" predicts with the mean of the networks of all folds, which are trained
        already. Their errors differ, so the mean is better than a single network. True
        trains the chosen candidates again on all rows. If the network uses early
        stopping, this takes the mean over the folds of the best number of epochs.
        Otherwise it is an ordinary fit. With False the estimator cannot predict.
    n_ensemble : int, default=3
        Largest number of candidates whose predictions are averaged, besides the linear
        model. Their weights are those of the convex combination with the lowest loss on
        the held-out rows [2]_. With 1 a single candidate predicts.
    linear_path : bool or "auto", default="auto"
        Whether a linear model with a penalty `l2` takes part, at strengths around the
        best one. Only as much of the average is taken as is certain to be better: of a
        gain over the linear model of z standard errors on the held-out rows, less half
        of what the choice of the best epochs adds to it, a share of ``1 - 2 / z**2``.
        The linear model gets the rest. "auto" is True for the named spaces. Without
        hidden layers, and for images, it does not take part.
    max_time : float or None, default=None
        Seconds that the fit may take, of which training gets nine tenths. A short trial
        tells how many candidates can be trained to the end in this time, and if these
        are few, on how many rows; a warning says so. When the time is over, the best
        candidates so far are used. Each candidate trains for at least one epoch.
        Training again with ``refit=True`` takes additional time.
    checkpoint : str, path-like or None, default=None
        Directory in which the networks are kept while they train, and at the end. If
        `fit` is killed and called again with the same data and parameters, it goes on
        from there and gives the same result; after `fit` has ended, it only reads the
        result. `random_state` must then be an integer. Networks with callbacks or
        functions (as `monitor`, `scoring` or `augment`) cannot be kept, because
        functions cannot be compared by their content. `max_time` counts from each call
        of `fit`.
    checkpoint_interval : float or None, default=None
        Seconds after which the networks are written to `checkpoint`, between two
        epochs. 0 writes after every epoch. None is a tenth of the time that they have
        trained, but at least a second and at most a minute, and so seldom that writing
        takes less than 2 % of the time.
    n_jobs : int or None, default=None
        Number of threads. -1 means one for each core, and None the current setting of
        torch. All candidates and folds train together in one process.
    random_state : int, RandomState instance or None, default=None
        Determines the candidates, the folds and the randomness of the networks.
    verbose : bool or int, default=False
        Whether to print a line after each rung.
"""

SEARCH_ATTRIBUTES = """
    best_params_ : dict
        Parameters of the best candidate: that with the best mean score among those
        trained to the end or, if there is no signal, the most strongly regularised one.
    best_score_ : float
        Mean score of the best candidate over the folds.
    score_name_ : str
        Name of this score: that of `scoring`, or of the negative loss.
    best_index_ : int
        Index of the best candidate in `cv_results_`.
    cv_results_ : dict of str to ndarray
        As in GridSearchCV, in the order in which candidates were drawn, with those of
        the linear model at the end, where "is_linear" is True. "rung" and "n_epochs"
        are the last rung and the number of epochs of each candidate.
    scores_ : ndarray of shape (n_candidates, `n_splits_`)
        Scores on the held-out rows, nan if training failed.
    curves_ : list of list of list of float
        Loss on the held-out rows after each epoch, for each candidate and fold.
    l1_, l2_, dropout_, batchnorm_ : float, sequence or bool
        Regularisation of the best candidate.
    estimators_ : list of estimator
        The networks whose predictions are averaged.
    weights_ : ndarray of shape (n_estimators,)
        Weights of the networks in the average.
    linear_weight_, linear_score_ : float
        Weight of the linear model in the average, and its best mean score over the
        folds; 0 and nan if it did not take part.
    chosen_ : dict of str to ndarray
        The candidates of the average, from best to worst, and the best one besides:
        their index in `cv_results_`, "weight", "mean_test_score", parameters, the "gap"
        to the best score, and the standard error of this gap over the folds,
        "gap_error". It is a table for ``pandas.DataFrame(chosen_)``.
    support_ : ndarray of bool of shape (`n_features_in_`,)
        Whether an input has a weight other than zero, in any network.
    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Norm of the outgoing weights of each input, averaged over the networks.
    estimator_ : estimator
        The network, if there is only one (``refit=True, n_ensemble=1``).
    n_splits_ : int
        Number of folds.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit. Defined only if X has feature names that are
        all strings.
"""

SEARCH_REFERENCES = """
    .. [1] Jamieson and Talwalkar (2016), "Non-stochastic Best Arm Identification and
       Hyperparameter Optimization".
    .. [2] van der Laan, Polley and Hubbard (2007), "Super Learner".
"""

SCORE = """
        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Inputs.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.
        **params : dict
            Metadata of the scorer, by metadata routing.

        Returns
        -------
        float
            The score. Greater is better.
"""

GUARANTEE = """
        If rows are exchangeable (as independent ones are) and the networks of a fold do
        not depend on its held-out rows, the probability is at least
        ``2 * coverage - 1 - min(2 * (1 - 1 / K) / (n / K + 1), (1 - K / n) / (K + 1))``
        with K folds of n / K rows, whatever the distribution, and mostly close to
        `coverage`. It is a mean over training sets and new rows, and not a promise for
        each x. Here candidates, epochs, weights and calibration are chosen by the
        held-out rows, whose scores are therefore a little too low. This lowers the
        coverage, and that the networks of one fold are worse than the average of all
        raises it. In simulations, 0.9 was 0.886 with 100 rows in the worst case, and
        0.895 or more from 300 on. There is no bound for rows that come in groups or in
        the order of time, nor for splitters other than K disjoint folds.

        Held-out rows count by their sample weights, and a new row as much as the
        heaviest of them, because it may be exchanged with any. So the unit of the
        weights does not matter, and few heavy rows make wide intervals. The coverage is
        that of rows of the training distribution if weights are fixed beforehand
        (Barber et al. 2023), and about that of rows of another distribution if they are
        the ratio of its density to that of training (Tibshirani et al. 2019). A row
        that several folds hold out has one score, by the mean of their networks, and a
        row that none holds out has none.
"""

CONFORMAL_REFERENCES = """
        Barber, Candès, Ramdas and Tibshirani (2021), "Predictive inference with the
        jackknife+".
        Barber, Candès, Ramdas and Tibshirani (2023), "Conformal prediction beyond
        exchangeability".
        Romano, Sesia and Candès (2020), "Classification with Valid and Adaptive
        Coverage".
        Tibshirani, Barber, Candès and Ramdas (2019), "Conformal Prediction Under
        Covariate Shift".
"""

COVERAGE = """
        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.
        coverage : float or array-like of shape (n_coverages,), default=0.9
            The probability, or several. Between 0 and 1, exclusive.
"""

SECTIONS = {
    "coverage": COVERAGE,
    "conformal_references": CONFORMAL_REFERENCES,
    "guarantee": GUARANTEE,
    "score": SCORE,
    "search": SEARCH,
    "search_attributes": SEARCH_ATTRIBUTES,
    "search_references": SEARCH_REFERENCES,
}
