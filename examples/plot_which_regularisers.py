"""
Which regularisers does this table need?
========================================

``skreg.search_space`` contains all regularisers, each with a range from the literature
and off in half of the draws. ``BayesSearchCV`` looks for good combinations, and two
pictures show the result.
"""

# %%
# The search
# ----------
# Forty settings, eight at a time: the networks of eight settings and five folds train
# as one, and the sampler learns from their scores where to look next. They train for
# long, in which an unregularised network would overfit.

from sklearn.datasets import load_diabetes

import skreg

X, y = load_diabetes(return_X_y=True)
network = skreg.MLPRegressor((50,), batch_size=200, max_iter=200, random_state=0)
search = skreg.BayesSearchCV(
    network,
    skreg.search_space(network),
    n_iter=40,
    random_state=0,
)
with skreg.fused():
    search.fit(X, y)
{name: value for name, value in search.best_params_.items() if value}

# %%
# Score against each regulariser
# ------------------------------
# The star is the chosen setting. If a regulariser matters, the scores depend on its
# value. If good scores are found at all values, it adds nothing to the others.

import matplotlib.pyplot as plt

skreg.SearchDisplay.from_estimator(search)
plt.show()

# %%
# What it does to training
# ------------------------
# On held-out rows, the loss of an unregularised network soon rises again, while the
# network goes on learning its training rows by heart. The loss of the chosen one does
# not. Each dot is the best epoch by the criterion that ends training, here the
# objective.

from sklearn.model_selection import train_test_split

X_train, X_val, y_train, y_val = train_test_split(X, y, random_state=0)
networks = {"unregularised": network, "chosen": search.best_estimator_}
for each in networks.values():
    each.fit(X_train, y_train, X_val=X_val, y_val=y_val)
skreg.LearningCurvesDisplay.from_estimator(networks)
plt.show()
