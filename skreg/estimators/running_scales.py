"""The scales of inputs and targets, which calls of partial_fit learn from all rows."""

import warnings
from dataclasses import replace

import numpy as np

from skreg.data.encoding import LearnedInputs
from skreg.estimators.layout import (
    RunningMoments,
    centre_and_scale,
    input_moments,
    n_channels_of,
    scaling_of,
)
from skreg.estimators.numeric_targets import columns
from skreg.networks.columns import places_of

# Quantiles of fewer rows say nothing about the spread.
FEWEST_FOR_QUANTILES = 8


def begin_running(estimator, layout, rows):
    """Return the layout of a first call of partial_fit, whose scales can still change.

    A first call may hold a single row, which shows no scale at all. So the scale of a
    column is learnt from the rows of all calls, until it has several values in at least
    `ENOUGH_ROWS` rows. From then on it stays.

    Parameters
    ----------
    estimator : BaseNetwork
        Only its parameters are read.
    layout : Layout
        As learnt from the rows of this call.
    rows : Rows
        With checked, unencoded targets.
    """
    _warn_of_few_rows(estimator, rows)
    if not estimator.standardize:
        return layout
    moments = input_moments(rows) if estimator.standardize is True else None
    n_channels = n_channels_of(estimator, layout.inputs, rows.X.shape[1])
    return _with_unsettled(layout, moments, layout.targets.moments(rows), n_channels)


def rescaled(estimator, layout, rows):
    """Return the layout of a later call, after learning from its rows as well.

    The parameters are those of `begin_running`.
    """
    if layout.running is None:
        return layout
    inputs = targets = None
    n_channels = n_channels_of(estimator, layout.inputs, rows.X.shape[1])
    if layout.running.inputs is not None:
        before = layout.running.inputs
        inputs = before.updated(rows.X, rows.index, rows.row_weight)
        stays = before.is_settled(n_channels)
        layout = _with_scales(estimator, layout, inputs, stays, n_channels)
    if layout.running.targets is not None:
        before = layout.running.targets
        targets = before.updated(columns(rows.y), rows.index, rows.row_weight)
        layout = replace(
            layout, targets=layout.targets.rescaled(before, targets, layout.loss)
        )
    return _with_unsettled(layout, inputs, targets, n_channels)


def _with_unsettled(layout, inputs, targets, n_channels):
    """Return the layout with the moments that are still needed."""
    if inputs is not None and inputs.is_settled(n_channels).all():
        inputs = None
    if targets is not None and targets.is_settled().all():
        targets = None
    running = None
    if not (inputs is None and targets is None):
        running = RunningMoments(inputs, targets)
    return replace(layout, running=running)


def _with_scales(estimator, layout, moments, stays, n_channels):
    """Return the layout with the centres and scales of columns that may still change.

    Parameters
    ----------
    moments : Moments
        After the rows of this call.
    stays : ndarray of bool of shape (n_features,)
        Which columns keep their scale.
    """
    scaling, known = layout.scaling, layout.scaling.scale
    if scaling.encoding is not None:
        known = known[places_of(scaling.encoding.columns).first]
    parts = [
        None if new is None else np.where(stays, old, new)
        for old, new in zip(
            (layout.centre, known),
            centre_and_scale(moments, known.dtype, n_channels),
        )
    ]
    learned = None
    if scaling.encoding is not None:
        learned = LearnedInputs(scaling.encoding, scaling.scale)
    scaling = scaling_of(estimator, parts, learned)
    return replace(layout, scaling=scaling, centre=parts[0])


def _warn_of_few_rows(estimator, rows):
    """Warn if quantiles, which later calls do not change, are those of few rows."""
    by_quantiles = {
        "standardize='robust'": estimator.standardize == "robust",
        "numeric_embedding='piecewise_linear'": (
            estimator.numeric_embedding == "piecewise_linear"
        ),
    }
    for parameter, is_set in by_quantiles.items():
        if is_set and len(rows.index) < FEWEST_FOR_QUANTILES:
            warnings.warn(
                f"{parameter} learns the quantiles of the inputs from the first call "
                f"of partial_fit, which has n_samples={len(rows.index)}. Give it some "
                f"hundreds of rows, and at least {FEWEST_FOR_QUANTILES}.",
                stacklevel=8,  # the caller of partial_fit, above scikit-learn
            )
