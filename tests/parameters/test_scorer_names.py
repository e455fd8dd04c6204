"""Advice about scores whose names are misspelt."""

import re

import pytest
from sklearn.metrics import get_scorer_names

from skreg.parameters.scorer_names import check_scorer_name


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("acuracy", "'accuracy'"),
        ("F1-Macro", "'f1_macro'"),
        ("f1_mcro", "'f1_micro' or 'f1_macro'"),
        ("brier", "'d2_brier_score' or 'neg_brier_score'"),
        # Initials, and functions of sklearn.metrics.
        ("mae", "'neg_mean_absolute_error'"),
        ("RMSE", "'neg_root_mean_squared_error'"),
        ("r2_score", "'r2'"),
        ("log_loss", "'neg_log_loss'"),
    ],
)
def test_the_nearest_names_are_given(name, nearest):
    with pytest.raises(ValueError) as caught:
        check_scorer_name("scoring", name)
    start = f"scoring={name!r} is not a score of scikit-learn; did you mean "
    assert str(caught.value) == f"{start}{nearest}?"


@pytest.mark.parametrize("name", get_scorer_names())
def test_names_of_scores_are_valid_and_found_without_a_letter(name):
    check_scorer_name("scoring", name)
    with pytest.raises(ValueError) as caught:
        check_scorer_name("scoring", f"{name[:-1]}?")
    shown = set(re.findall("'([^']*)'", str(caught.value))[1:])
    assert 1 <= len(shown) <= 10
    assert shown <= set(get_scorer_names())


def test_other_types_and_other_names_are_left_alone():
    check_scorer_name("scoring", None)
    check_scorer_name("scoring", lambda estimator, X, y: 0.0)
    check_scorer_name("monitor", "loss", others=["loss"])
