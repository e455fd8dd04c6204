"""Convolutions: every way to compute them, against torch and its derivatives."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from skreg.networks.architecture import ConvolutionShape, convolution_shapes
from skreg.networks.convolution import (
    BACKWARD,
    convolution_backward,
    convolve,
    max_pool,
    max_pool_backward,
    way_of,
)

WAYS = sorted(BACKWARD)
SHAPES = [
    ConvolutionShape(7, 6, 1, 4),
    ConvolutionShape(7, 6, 3, 4, (3, 3), (2, 2)),
    ConvolutionShape(5, 9, 2, 3, (5, 5), (3, 3)),
    ConvolutionShape(6, 6, 3, 2, (2, 2), (2, 2)),
    ConvolutionShape(6, 5, 2, 3, (4, 4)),
    ConvolutionShape(4, 4, 3, 5, (1, 1), (2, 2)),
    ConvolutionShape(1, 8, 2, 3, (1, 3), (1, 2)),
    ConvolutionShape(1, 1, 2, 3, (1, 1)),
    ConvolutionShape(8, 8, 1, 1),
]


def drawn(*size):
    return torch.from_numpy(np.random.default_rng(sum(size)).normal(size=size))


def reference(x, weight, bias, shape):
    """Return one model's output by torch. Input and output are rows.

    The padding is that of Keras: for even kernels, the larger half comes last.
    """
    images = x.view(-1, shape.height, shape.width, shape.n_in).permute(0, 3, 1, 2)
    filters = weight.view(shape.n_in, *shape.kernel, shape.n_out).permute(3, 0, 1, 2)
    (top, bottom), (left, right) = (
        (total // 2, total - total // 2)
        for total in (size - 1 for size in shape.kernel)
    )
    padded = functional.pad(images, (left, right, top, bottom))
    output = functional.max_pool2d(
        functional.conv2d(padded, filters, bias[0]), shape.pool
    )
    return output.permute(0, 2, 3, 1).flatten(1)


def inputs(shape, k=3, n_rows=4):
    x = drawn(k, n_rows, shape.n_inputs)
    weight = drawn(k, shape.n_in * shape.n_taps, shape.n_out)
    return x, weight, drawn(k, 1, shape.n_out)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("k", [1, 3])
def test_outputs_are_those_of_torch(shape, way, k):
    x, weight, bias = inputs(shape, k)
    output, _ = convolve(x, weight, bias, shape, way)
    assert output.shape == (k, 4, shape.n_outputs)
    for model in range(k):
        expected = reference(x[model], weight[model], bias[model], shape)
        torch.testing.assert_close(output[model], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("k", [1, 3])
def test_gradients_are_those_of_torch(shape, way, k):
    x, weight, bias = inputs(shape, k)
    gradient = drawn(k, 4, shape.n_outputs)
    _, saved = convolve(x, weight, bias, shape, way)
    out = torch.full_like(weight, torch.nan)
    passed = convolution_backward(gradient, x, weight, shape, saved, out, True)
    for model in range(k):
        leaves = [t[model].clone().requires_grad_() for t in (x, weight, bias)]
        output = reference(*leaves, shape)
        of_x, of_weight, _ = torch.autograd.grad(output, leaves, gradient[model])
        torch.testing.assert_close(passed[model], of_x, rtol=0, atol=1e-12)
        torch.testing.assert_close(out[model], of_weight, rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@pytest.mark.parametrize("shape", [s for s in SHAPES if not s.is_pooled], ids=str)
def test_padding_is_the_same_of_torch(shape):
    x, weight, bias = inputs(shape, k=1)
    output, _ = convolve(x, weight, bias, shape)
    images = x[0].view(-1, shape.height, shape.width, shape.n_in).permute(0, 3, 1, 2)
    filters = weight[0].view(shape.n_in, *shape.kernel, -1).permute(3, 0, 1, 2)
    expected = functional.conv2d(images, filters, bias[0, 0], padding="same")
    expected = expected.permute(0, 2, 3, 1).flatten(1)
    torch.testing.assert_close(output[0], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_the_gradient_of_the_images_can_be_left_out(way):
    shape = SHAPES[1]
    x, weight, bias = inputs(shape)
    gradient = drawn(3, 4, shape.n_outputs)
    found = []
    for needs_input in (True, False):
        _, saved = convolve(x, weight, bias, shape, way)
        out = torch.empty_like(weight)
        found.append(out)
        passed = convolution_backward(
            gradient.clone(), x, weight, shape, saved, out, needs_input
        )
        assert (passed is not None) == needs_input
    torch.testing.assert_close(*found, rtol=0, atol=1e-12)


@pytest.mark.parametrize("way", WAYS)
def test_a_model_does_not_see_the_others(way):
    """Bit for bit where each has a call of its own, and to rounding else."""
    shape = SHAPES[1]
    x, weight, bias = inputs(shape)
    together, _ = convolve(x, weight, bias, shape, way)
    for model in range(3):
        one = slice(model, model + 1)
        alone, _ = convolve(x[one], weight[one], bias[one], shape, way)
        torch.testing.assert_close(together[one], alone, rtol=0, atol=1e-13)


@pytest.mark.parametrize("way", WAYS)
def test_rows_need_not_lie_side_by_side(way):
    """Batches are parts of rows gathered together; snapshots share their rows."""
    shape = SHAPES[1]
    x, weight, bias = inputs(shape, n_rows=9)
    part, shared = x[:, 3:7], x[:1, :4].expand(3, -1, -1)
    for rows in (part, shared):
        found, _ = convolve(rows, weight, bias, shape, way)
        expected, _ = convolve(rows.contiguous(), weight, bias, shape, way)
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s.is_pooled], ids=str)
def test_pooling_is_that_of_torch(shape):
    x = drawn(3, 4, shape.n_units).requires_grad_()
    gradient = drawn(3, 4, shape.n_outputs)
    images = x.view(12, shape.height, shape.width, -1).permute(0, 3, 1, 2)
    expected = functional.max_pool2d(images, shape.pool).permute(0, 2, 3, 1)
    expected = expected.reshape(3, 4, -1)
    output, indices = max_pool(x.detach(), shape)
    torch.testing.assert_close(output, expected, rtol=0, atol=0)
    (of_x,) = torch.autograd.grad(expected, x, gradient)
    passed = max_pool_backward(gradient, indices, shape)
    torch.testing.assert_close(passed, of_x, rtol=0, atol=0)


def test_small_products_are_unfolded():
    small, large = ConvolutionShape(4, 4, 1, 4), ConvolutionShape(28, 28, 16, 32)
    for dtype in (torch.float32, torch.float64):
        assert way_of(torch.empty(1, 8, 16, dtype=dtype), small) == "unfolded"
        assert way_of(torch.empty(1, 8, 784 * 16, dtype=dtype), large) == "each"
    gpu = torch.empty(1, 8, 16, device="meta")
    assert way_of(gpu, small) == "grouped"


def test_sizes():
    shape = ConvolutionShape(7, 6, 3, 4, (3, 3), (2, 2))
    assert (shape.n_inputs, shape.n_units, shape.n_outputs) == (126, 168, 36)
    assert shape.pooled == (3, 3) and shape.fans == (27, 36)


def test_shapes_follow_each_other():
    one, two = convolution_shapes((28, 20, 3), (8, 16), (3, 5), (2, 1))
    assert one == ConvolutionShape(28, 20, 3, 8, (3, 3), (2, 2))
    assert two == ConvolutionShape(14, 10, 8, 16, (5, 5), (1, 1))
    assert convolution_shapes((28, 28, 1), (), (), ()) == ()


def test_an_axis_of_one_pixel_has_no_neighbours():
    shapes = convolution_shapes((1, 5, 1), (4, 4, 4), (3, 3, 3), (2, 2, 2))
    assert [shape.kernel for shape in shapes] == [(1, 3), (1, 3), (1, 1)]
    assert [shape.pool for shape in shapes] == [(1, 2), (1, 2), (1, 1)]


def test_pooling_that_leaves_nothing():
    message = r"pooling of convolution 2: its images have 2 x 2 pixels, and pool=3"
    with pytest.raises(ValueError, match=message):
        convolution_shapes((8, 8, 1), (4, 4), (3, 3), (3, 3))
