"""Advice about scores whose names are misspelt, and about metrics."""

import re

import pytest
from sklearn.metrics import f1_score, get_scorer_names, make_scorer

from skreg.parameters.scorer_names import check_scorer


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("acuracy", "'accuracy'"),
        ("F1-Macro", "'f1_macro'"),
        ("f1_mcro", "'f1_micro' or 'f1_macro'"),
        ("max_err", "'neg_max_error'"),
        # Initials, and functions of sklearn.metrics.
        ("mae", "'neg_mean_absolute_error'"),
        ("RMSE", "'neg_root_mean_squared_error'"),
        ("r2_score", "'r2'"),
        ("log_loss", "'neg_log_loss'"),
    ],
)
def test_the_nearest_names_are_given(name, nearest):
    with pytest.raises(ValueError) as caught:
        check_scorer("scoring", name)
    start = f"scoring={name!r} is not a score of scikit-learn; did you mean "
    assert str(caught.value) == f"{start}{nearest}?"


@pytest.mark.parametrize("name", get_scorer_names())
def test_names_of_scores_are_valid_and_found_without_a_letter(name):
    check_scorer("scoring", name)
    with pytest.raises(ValueError) as caught:
        check_scorer("scoring", f"{name[:-1]}?")
    shown = set(re.findall("'([^']*)'", str(caught.value))[1:])
    assert 1 <= len(shown) <= 10
    assert shown <= set(get_scorer_names())


def test_other_types_and_other_names_are_left_alone():
    check_scorer("scoring", None)
    check_scorer("scoring", lambda estimator, X, y: 0.0)
    check_scorer("monitor", "loss", others=["loss"])


@pytest.mark.parametrize("metric", [f1_score, lambda y, predicted: 0.0])
def test_metrics_are_no_scorers(metric):
    name = re.escape(metric.__name__)
    with pytest.raises(ValueError, match=rf"monitor={name} .*make_scorer\({name}\)"):
        check_scorer("monitor", metric)
    check_scorer("monitor", make_scorer(metric))
