"""The scaling of inputs, alone and of several models at once."""

import numpy as np
import pytest
import torch

from skreg.data.scaling import Scaling, StackedScaling, scaled, smooth_clip


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_smooth_clip_is_its_formula(dtype):
    x = torch.cat([torch.linspace(-20, 20, 401), torch.tensor([1e6, -1e30, 1e30])])
    x = x.to(dtype)
    wide = x.numpy().astype(np.longdouble)
    expected = wide / np.sqrt(1 + (wide / 3) ** 2)
    found = smooth_clip(x.clone())
    # A handful of roundings; the last of them at 3.
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(found, expected.astype(float), 4 * eps, 0)
    assert (found.diff()[:400] > 0).all() and found[-1] == 3 == -found[-2]


@pytest.mark.parametrize("clips", [False, True])
@pytest.mark.parametrize("parts", ["offset", "scale", "offset scale", ""])
def test_scaled_is_its_formula(parts, clips):
    """In new memory, or in that of the inputs."""
    rng = np.random.default_rng(0)
    X, offset, scale = (
        rng.normal(size=(7, 3)),
        rng.normal(size=3),
        np.array([2, 3, 0.1]),
    )
    scaling = Scaling(
        offset if "offset" in parts else None,
        scale if "scale" in parts else None,
        clips,
    )
    expected = X - offset if "offset" in parts else X
    expected = expected / scale if "scale" in parts else expected
    if clips:
        expected = expected / np.sqrt(1 + (expected / 3) ** 2)
    x = torch.tensor(X)
    found = scaled(x, *scaling.tensors())
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    np.testing.assert_array_equal(x, X)
    found = StackedScaling.of([scaling], "cpu").apply(x[None], torch.float64)
    np.testing.assert_allclose(found[0], expected, rtol=1e-14)
    assert found.data_ptr() == x.data_ptr()


def test_a_selection_clips_too():
    offset = torch.zeros(2, 1, 3)
    scaling = StackedScaling(offset, offset + 1, True).select([1])
    found = scaling.apply(torch.full((1, 2, 3), 1e12), torch.float64)
    assert (found == 3).all()
