"""The documentation that the estimators that tune themselves share."""

SEARCH = """
    param_distributions : str or dict, default="regularization"
        What is chosen, and from what: "regularization" or "cocktail", the spaces of
        :func:`search_space`, or a list or distribution for each parameter of the
        network, as for RandomizedSearchCV. Of a named space, sparse inputs leave out
        piecewise linear embeddings, and so do more than 50 inputs.
    n_candidates : int, default=12
        Number of candidates. "grid" takes all combinations, however many.
    cv : int, cross-validation generator, iterable or None, default=None
        The folds, the same for all candidates. None is 5, and a number so many, of
        shuffled rows, stratified for classes. Rows of weight zero are left out, and
        folds that they leave nothing to judge by.
    scoring : str, callable or None, default=None
        What candidates are compared by, greater is better. None is the network's loss
        on the held-out rows: the log loss, or the squared error, say; it counts classes
        as `class_weight` of the network does, which a scorer does not. If the best
        candidate is not better than a constant prediction by two standard errors, by
        this loss, there is nothing to find, and the luckiest is no better than others:
        then that with the strongest penalties is taken.
    strategy : {"halving", "random", "grid", "bayes"}, default="halving"
        "halving" starts all candidates and drops the worse half at each rung; the
        others go on from where they are, for twice as many epochs, until `n_ensemble`
        or a few more are trained to the end [1]_. "random" trains all of them to the
        end, "grid" all combinations of lists, and "bayes" those that Optuna's TPE
        proposes in four batches.
    refit : {"folds", True, False}, default="folds"
        "folds" predicts by the mean of the networks of the folds, which are there
        already: their errors differ, so that the mean is better than one of them. True
        trains the chosen candidates once more, on all rows, for as many epochs as were
        best on the mean of the folds (or, if the network does not stop early, as one
        does that is fitted alone). False chooses and does not predict.
    n_ensemble : int, default=3
        How many of the best candidates may be averaged. Their weights come from greedy
        forward selection on the held-out rows [2]_; 1 takes the best alone.
    max_time : float or None, default=None
        Seconds after which training stops and the best so far is taken. All candidates
        have one epoch at least; the time that ``refit=True`` takes is on top.
    n_jobs : int or None, default=None
        Number of threads that a step may use, -1 for one on each core; None is what
        torch is set to. All candidates and folds train as one network, without
        processes.
    random_state : int, RandomState instance or None, default=None
        Decides candidates, folds and the networks' own randomness.
    verbose : bool or int, default=False
        Print a line after each rung.
"""

SEARCH_ATTRIBUTES = """
    best_params_ : dict
        The candidate with the best mean score, of those trained to the end; or the
        most regularised one, where there is nothing to find.
    best_score_ : float
        Its mean score over the folds.
    best_index_ : int
        Its position in `cv_results_`.
    cv_results_ : dict of str to ndarray
        As GridSearchCV's, in the order in which candidates were drawn; "rung" and
        "n_epochs" say how far each came.
    scores_ : ndarray of shape (n_candidates, `n_splits_`)
        Scores on the held-out rows, nan where training failed.
    curves_ : list of list of list of float
        For each candidate and fold the loss on the held-out rows after each epoch.
    l1_, l2_, dropout_, batchnorm_ : float, sequence or bool
        The best candidate's regularisation.
    estimators_ : list of estimator
        The networks whose predictions are averaged.
    weights_ : ndarray of shape (n_estimators,)
        What each counts in the average.
    feature_importances_ : ndarray of shape (`n_features_in_`,)
        Mean over the networks of the norms of each input's outgoing weights.
    estimator_ : estimator
        The network, if it is a single one (``refit=True, n_ensemble=1``).
    n_splits_ : int
        Number of folds.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if X had names that are all strings.
"""

SEARCH_REFERENCES = """
    .. [1] Jamieson and Talwalkar (2016), "Non-stochastic Best Arm Identification and
       Hyperparameter Optimization".
    .. [2] Caruana, Niculescu-Mizil, Crew and Ksikes (2004), "Ensemble Selection from
       Libraries of Models".
"""

SCORE = """
        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows to predict.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            What each row counts.

        Returns
        -------
        float
            Greater is better.
"""

SECTIONS = {
    "score": SCORE,
    "search": SEARCH,
    "search_attributes": SEARCH_ATTRIBUTES,
    "search_references": SEARCH_REFERENCES,
}
