"""The answer of a comparison: what it claims, and what it does not."""

import math

import numpy as np
import pytest
from _comparisons import BASE, HIGHER, make_result
from hypothesis import given
from hypothesis import strategies as st

from skreg.comparison.text_report import comparison_table
from skreg.comparison.verdict import verdict

LOWER = [0.85, 0.86, 0.86, 0.87]
NEAR = [0.92, 0.91, 0.93, 0.92]
CHOSEN = [{"batchnorm": True, "dropout": 0.25, "l1": 0.0, "l2": 0.002}] * 4
STARTS = ("Yes: ", "No: ", "No clear difference ", "Cannot tell ")


def say(result):
    return verdict(result, "toy", default="default network", tuned="tuned network")


def compared(base, network, chosen=None, **options):
    """Return a comparison in which the tuned network is the better one."""
    network = np.asarray(network, dtype=float)
    scores = {"base": base, "default network": network - 1, "tuned network": network}
    chosen = {"tuned network": chosen or [{"l2": 0.1}] * len(network)}
    return make_result(scores, chosen, **options)


def p_cells(result):
    headers, rows = comparison_table(result)
    return [row[headers.index("p")] for row in rows]


@pytest.mark.parametrize(
    ("default", "tuned", "chosen", "start", "end"),
    [
        (
            BASE,
            HIGHER,
            CHOSEN,
            "Yes: on toy the tuned network beats base by 0.0450 in accuracy (p = 0.0",
            "; regularise it with batch normalisation, dropout=0.25 and l2=0.002.",
        ),
        (
            BASE,
            NEAR,
            [{"l1": 0.0}] * 4,
            "No clear difference on toy: the tuned network scores 0.0050 above base",
            "; if you use the network, leave it unregularised, as tuning mostly did.",
        ),
        (
            LOWER,
            BASE,
            [{"l2": 0.5}] * 4,
            "No clear difference on toy: the tuned network scores the same as base in"
            " accuracy (p = 1.000)",
            "; if you use the network, regularise it with l2=0.5.",
        ),
        (
            LOWER,
            LOWER,
            [{"early_stopping": True}] * 4,
            "No: on toy base beats the tuned network by 0.0550 in accuracy (p < 0.001)",
            "; if it must be a network, regularise it with early stopping.",
        ),
        (
            HIGHER,
            NEAR,
            CHOSEN,
            "Yes: on toy the default network beats base by 0.0450",
            "; keep its defaults, as tuning did not improve it.",
        ),
    ],
    ids=["yes", "no clear difference", "the same", "no", "default is best"],
)
def test_verdict(default, tuned, chosen, start, end):
    result = make_result(
        {"base": BASE, "default network": default, "tuned network": tuned},
        {"tuned network": chosen},
    )
    sentence = say(result)
    assert sentence.startswith(start)
    assert sentence.endswith(end)


@pytest.mark.parametrize("step", [1 / 45, -1 / 45, 0.0])
def test_two_folds_are_too_few(step):
    result = compared([0.8, 0.9], np.array([0.8, 0.9]) + step)
    place = {1: "0.022 above base", -1: "0.022 below base", 0: "the same as base"}
    assert say(result) == (
        f"Cannot tell on toy: the tuned network scores {place[np.sign(step)]} in"
        " accuracy, but 2 folds are too few for a test, which needs at least 3; if you"
        " use the network, regularise it with l2=0.1; 2 folds are too few to be sure of"
        " any setting."
    )
    assert p_cells(result) == ["", "too few splits", "too few splits"]


def test_equal_differences_are_no_claim():
    base = np.array([0.8, 0.9, 0.85, 0.95])
    result = compared(base, base + 1 / 45)
    assert say(result) == (
        "Cannot tell on toy: the tuned network scores 0.022 above base in accuracy,"
        " equally on all folds, and without any spread there is no test; if you use the"
        " network, regularise it with l2=0.1."
    )
    assert p_cells(result) == ["", "cannot tell", "cannot tell"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_no_claim(bad):
    result = compared([0.8, 0.9, 0.85], [0.8, bad, 0.9])
    assert say(result).startswith("Cannot tell on toy: the tuned network ")
    assert p_cells(result)[-1] == "cannot tell"


def test_tuning_that_ran_out_of_time_is_said():
    result = compared(BASE, HIGHER, time_limits={"tuned network": [0.5, 0.4, 0.6, 0.5]})
    assert result.n_stopped("tuned network") == 3
    assert say(result).endswith(
        "; regularise it with l2=0.1; tuning ran out of time in 3 of 4 fits, and more"
        " time may improve it."
    )


def test_settings_on_which_the_folds_disagree_are_named_once():
    chosen = [
        {"l2": 0.1, "skip_l2": 0.1, "dropout": 0.2, "numeric_embedding": "periodic"},
        {"l2": 0.2, "skip_l2": 2.0, "dropout": 0.2, "numeric_embedding": "periodic"},
        {"l2": 0.2, "skip_l2": 2.0, "dropout": 0.2, "numeric_embedding": "periodic"},
        {"l2": 0.1, "skip_l2": 0.1, "dropout": 0.0, "numeric_embedding": "periodic"},
    ]
    assert say(compared(BASE, HIGHER, chosen)).endswith(
        "; regularise it with l2=0.1, skip_l2=0.1 (0.1 to 2), dropout=0.2 (in 3 of 4"
        " folds) and periodic embeddings; the folds do not agree on skip_l2 and"
        " dropout."
    )
    values = [{"step__batchnorm": each} for each in ("before", "after", "after", "x")]
    assert say(compared(BASE, HIGHER, values)).endswith(
        "regularise it with batchnorm=after (or 'before' or 'x'); the folds do not"
        " agree on batchnorm."
    )


@given(st.data())
def test_any_scores_have_an_answer_that_follows_the_test(data):
    """Without a p-value below 0.05 nothing is claimed, as with equal differences."""
    n_splits = data.draw(st.integers(2, 8))
    rows = st.lists(st.integers(0, 20), min_size=n_splits, max_size=n_splits)
    base, network = (np.array(data.draw(rows)) / 20 for _ in range(2))
    if data.draw(st.booleans()):
        network = base + data.draw(st.integers(-5, 5)) / 20
    result = compared(base, network)
    values, answer = result.statistics["tuned network"], say(result)
    assert answer.startswith(STARTS) and answer.count("too few for a test") == (
        n_splits < 3
    )
    assert answer.count("not sure") == 0
    claims = answer.startswith(("Yes: ", "No: "))
    assert claims == (values.p_value < 0.05)
    if n_splits < 3 or (np.ptp(network - base) < 1e-12 and values.difference):
        assert answer.startswith("Cannot tell ") and math.isnan(values.p_value)
    elif claims:
        assert answer.startswith("Yes: ") == (values.difference > 0)
    # The other way around, the opposite is claimed.
    other = compared(network, base).statistics["tuned network"]
    np.testing.assert_array_equal(other.p_value, values.p_value)
    assert other.difference == pytest.approx(-values.difference, abs=1e-12)
