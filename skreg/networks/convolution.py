"""Stacked convolutions of images whose channels come last, and maximum pooling.

Between layers a batch has the shape (k models, n_rows, height * width * channels). The
weights of a convolution have the shape (n_models, n_in * kernel height * kernel width,
n_out): its rows are the weights that leave an input channel, one channel after another.

There are three ways to the same numbers. On a GPU one *grouped* convolution, in which
every model is a group, keeps the device busy. On a CPU it is slower than *each* model's
own convolution on memory in which the channels come last, as they do here: what the
library needs is then there already, and a model's output is pooled while it is still in
the cache. Of small images the calls cost more than the arithmetic: they are *unfolded*,
each pixel's neighbourhood in a row, and multiplied by all models' weights in one call.
"""

import torch

aten = torch.ops.aten

# Multiplications of a model from which a call of its own costs less than unfolding.
UNFOLDED_PRODUCTS = 2**20


def way_of(x, shape):
    """Return the fastest way to convolve: "unfolded", "each" or "grouped".

    It depends on what a model has to compute and not on how many there are.
    """
    if x.device.type != "cpu":
        return "grouped"
    n_products = x.size(1) * shape.n_units * shape.fans[0]
    # Without a library of its own, torch copies neighbourhoods in double precision too.
    is_copied = x.dtype == torch.float64 and shape.n_in == 1
    return "unfolded" if is_copied or n_products < UNFOLDED_PRODUCTS else "each"


def convolve(x, weight, bias, shape, way=None):
    """Convolve the images of each model and pool what comes out.

    Parameters
    ----------
    x : Tensor of shape (k, n_rows, n_inputs)
    weight : Tensor of shape (k, n_in * n_taps, n_out)
    bias : Tensor of shape (k, 1, n_out)
    shape : ConvolutionShape
    way : {"unfolded", "each", "grouped"}, default=None
        By default that of `way_of`.

    Returns
    -------
    output : Tensor of shape (k, n_rows, n_outputs)
        Of `shape`, so without pooling if its windows are single pixels.
    saved : object
        What `convolution_backward` needs.

    Examples
    --------
    >>> import torch
    >>> from skreg.networks.architecture import ConvolutionShape
    >>> from skreg.networks.convolution import convolve
    >>> shape = ConvolutionShape(1, 4, 1, 1, kernel=(1, 3))
    >>> row, ones = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]]), torch.ones(1, 3, 1)
    >>> convolve(row, ones, torch.zeros(1, 1, 1), shape)[0]
    tensor([[[3., 6., 9., 7.]]])
    """
    way = way or way_of(x, shape)
    output, saved = FORWARD[way](x, weight, bias, shape)
    return output, (way, saved)


def convolution_backward(gradient, x, weight, shape, saved, out, needs_input):
    """Write the gradient of the weights and return that of the images, or None.

    Parameters
    ----------
    gradient : Tensor of shape (k, n_rows, n_outputs)
    x : Tensor of shape (k, n_rows, n_inputs)
    weight : Tensor of shape (k, n_in * n_taps, n_out)
    shape : ConvolutionShape
    saved : object
        From `convolve`.
    out : Tensor of shape (k, n_in * n_taps, n_out)
        Where to write.
    needs_input : bool
    """
    way, saved = saved
    return BACKWARD[way](gradient, x, weight, shape, saved, out, needs_input)


def max_pool(x, shape):
    """Keep the largest value of each window of `shape`.

    Parameters
    ----------
    x : Tensor of shape (k, n_rows, n_units)
    shape : ConvolutionShape

    Returns
    -------
    output : Tensor of shape (k, n_rows, n_outputs)
    indices : LongTensor
        What `max_pool_backward` needs.
    """
    k, n_rows, _ = x.shape
    images = x.reshape(-1, shape.height, shape.width, shape.n_out).permute(0, 3, 1, 2)
    output, indices = _pooled(images, shape)
    return _rows(output).view(k, n_rows, -1), indices


def max_pool_backward(gradient, indices, shape):
    """Return the gradient of what was pooled, given that of the result."""
    k, n_rows, _ = gradient.shape
    images = gradient.reshape(-1, *shape.pooled, shape.n_out).permute(0, 3, 1, 2)
    return _rows(_unpooled(images, indices, shape)).view(k, n_rows, -1)


def _pooled(images, shape):
    return aten.max_pool2d_with_indices(images, shape.pool, shape.pool)


def _unpooled(gradient, indices, shape):
    # Only the sizes of what was pooled are looked at.
    size = gradient.size(0), shape.height, shape.width, gradient.size(1)
    like = gradient.new_empty(size).permute(0, 3, 1, 2)
    return aten.max_pool2d_with_indices_backward(
        gradient, like, shape.pool, shape.pool, (0, 0), (1, 1), False, indices
    )


def _rows(images):
    """Return (n, channels, height, width) as (n, height, width, channels), in order."""
    return images.permute(0, 2, 3, 1).contiguous()


def _padding(shape):
    """Return the pixels before the first, and after the last, row and column."""
    return [((size - 1) // 2, size // 2) for size in shape.kernel]


def _is_even(shape):
    """Whether the padding is not the same on both sides."""
    return any(size % 2 == 0 for size in shape.kernel)


def _padded(images, shape):
    """Return images of shape (..., height, width, channels) with zeros around."""
    (top, bottom), (left, right) = _padding(shape)
    if top + bottom + left + right == 0:
        return images
    return torch.nn.functional.pad(images, (0, 0, left, right, top, bottom))


def _cropped(images, shape):
    """Undo `_padded`."""
    (top, _), (left, _) = _padding(shape)
    return images[..., top : top + shape.height, left : left + shape.width, :]


# One model's own call


def _filters(weight, shape):
    """Return weights as torch has them: (k, n_out, n_in, kernel height and width)."""
    return weight.mT.reshape(weight.size(0), -1, shape.n_in, *shape.kernel)


def _prepared(x, shape):
    """Return one model's images as torch has them, and what it is to pad."""
    images = x.view(-1, shape.height, shape.width, shape.n_in)
    if _is_even(shape):
        return _padded(images, shape).permute(0, 3, 1, 2), [0, 0]
    return images.permute(0, 3, 1, 2), [size // 2 for size in shape.kernel]


def _each(x, weight, bias, shape):
    filters, n_rows, pools, outputs = _filters(weight, shape), x.size(1), [], []
    for model, images in enumerate(x):
        images, padding = _prepared(images, shape)
        output = torch.conv2d(images, filters[model], bias[model, 0], 1, padding)
        if shape.is_pooled:
            output, indices = _pooled(output, shape)
            pools.append(indices)
        outputs.append(_rows(output).view(n_rows, -1))
    stacked = torch.stack(outputs) if len(outputs) > 1 else outputs[0].unsqueeze(0)
    return stacked, (filters, pools)


def _each_backward(gradient, x, weight, shape, saved, out, needs_input):
    filters, pools = saved
    passed = []
    for model, images in enumerate(x):
        images, padding = _prepared(images, shape)
        inner = gradient[model].view(-1, *shape.pooled, shape.n_out).permute(0, 3, 1, 2)
        if pools:
            inner = _unpooled(inner, pools[model], shape)
        of_images, of_filters = _convolution_backward(
            inner, images, filters[model], padding, 1, needs_input
        )
        own = out[model].view(shape.n_in, *shape.kernel, shape.n_out)
        own.copy_(of_filters.permute(1, 2, 3, 0))
        if needs_input:
            of_images = of_images.permute(0, 2, 3, 1)
            if _is_even(shape):
                of_images = _cropped(of_images, shape)
            passed.append(of_images.reshape(x.size(1), -1))
    if not needs_input:
        return None
    return torch.stack(passed) if len(passed) > 1 else passed[0].unsqueeze(0)


def _convolution_backward(gradient, images, filters, padding, n_groups, needs_input):
    mask = [needs_input, True, False]
    return aten.convolution_backward(
        gradient, images, filters, None, [1, 1], padding, [1, 1], False, [0, 0],
        n_groups, mask,
    )[:2]  # fmt: skip


# One call for all models: every model a group


def _grouped_images(x, shape):
    """Return images of shape (n_rows, k * n_in, height, width), padded if need be."""
    k, n_rows, _ = x.shape
    images = x.view(k, n_rows, shape.height, shape.width, shape.n_in)
    padding = [size // 2 for size in shape.kernel]
    if _is_even(shape):
        images, padding = _padded(images, shape), [0, 0]
    size = images.shape[2:4]
    return images.permute(1, 0, 4, 2, 3).reshape(n_rows, -1, *size), padding


def _ungrouped(images, k):
    """Return (n_rows, k * channels, height, width) as (k, n_rows, ...) rows."""
    n_rows, _, height, width = images.shape
    images = images.reshape(n_rows, k, -1, height, width).permute(1, 0, 3, 4, 2)
    return images.contiguous()


def _grouped(x, weight, bias, shape):
    k, n_rows, _ = x.shape
    images, padding = _grouped_images(x, shape)
    filters = _filters(weight, shape).flatten(0, 1)
    output = torch.conv2d(images, filters, bias.flatten(), 1, padding, groups=k)
    indices = None
    if shape.is_pooled:
        output, indices = _pooled(output, shape)
    return _ungrouped(output, k).view(k, n_rows, -1), (images, filters, indices)


def _grouped_backward(gradient, x, weight, shape, saved, out, needs_input):
    images, filters, indices = saved
    k, n_rows, _ = x.shape
    inner = gradient.view(k, n_rows, *shape.pooled, shape.n_out)
    inner = inner.permute(1, 0, 4, 2, 3).reshape(n_rows, -1, *shape.pooled)
    if indices is not None:
        inner = _unpooled_of_groups(inner, images, indices, shape)
    padding = [0, 0] if _is_even(shape) else [size // 2 for size in shape.kernel]
    of_images, of_filters = _convolution_backward(
        inner, images, filters, padding, k, needs_input
    )
    own = out.view(k, shape.n_in, *shape.kernel, shape.n_out)
    own.copy_(of_filters.unflatten(0, (k, -1)).permute(0, 2, 3, 4, 1))
    if not needs_input:
        return None
    of_images = _ungrouped(of_images, k)
    if _is_even(shape):
        of_images = _cropped(of_images, shape)
    return of_images.reshape(k, n_rows, -1)


def _unpooled_of_groups(gradient, images, indices, shape):
    size = gradient.size(0), gradient.size(1), shape.height, shape.width
    return aten.max_pool2d_with_indices_backward(
        gradient, images.new_empty(size), shape.pool, shape.pool, (0, 0), (1, 1),
        False, indices,
    )  # fmt: skip


# One call for all models: the neighbourhoods in rows


def _columns(x, shape):
    """Return each pixel's neighbourhood, of shape (k, n_rows * pixels, n_taps * n_in).

    The channels come last, which are neighbours in memory.
    """
    k, n_rows, _ = x.shape
    images = x.view(k, n_rows, shape.height, shape.width, shape.n_in)
    if shape.n_taps == 1:
        return images.view(k, -1, shape.n_in)
    padded = _padded(images, shape)
    of_model, of_row, down, right, one = padded.stride()
    windows = padded.as_strided(
        (*images.shape[:4], *shape.kernel, shape.n_in),
        (of_model, of_row, down, right, down, right, one),
    )
    return windows.reshape(k, -1, shape.n_taps * shape.n_in)


def _channels_last(weight, shape):
    """Reorder the rows of weights as the columns of `_columns` are."""
    if shape.n_in == 1 or shape.n_taps == 1:
        return weight
    k, rows, n_out = weight.shape
    return weight.view(k, shape.n_in, -1, n_out).transpose(1, 2).reshape(k, rows, n_out)


def _unfolded(x, weight, bias, shape):
    columns = _columns(x, shape)
    output = torch.baddbmm(bias, columns, _channels_last(weight, shape))
    output, indices = output.view(x.size(0), x.size(1), -1), None
    if shape.is_pooled:
        output, indices = max_pool(output, shape)
    return output, (columns, indices)


def _unfolded_backward(gradient, x, weight, shape, saved, out, needs_input):
    columns, indices = saved
    if indices is not None:
        gradient = max_pool_backward(gradient, indices, shape)
    gradient = gradient.view(x.size(0), -1, shape.n_out)
    if shape.n_in == 1 or shape.n_taps == 1:
        torch.bmm(columns.mT, gradient, out=out)
    else:
        k, rows, n_out = weight.shape
        found = torch.bmm(columns.mT, gradient).view(k, -1, shape.n_in, n_out)
        out.copy_(found.transpose(1, 2).reshape(k, rows, n_out))
    if not needs_input:
        return None
    passed = torch.bmm(gradient, _channels_last(weight, shape).mT)
    return _folded(passed, x, shape)


def _folded(columns, x, shape):
    """Add up what reaches each pixel: the transpose of `_columns`."""
    if shape.n_taps == 1:
        return columns.view(x.shape)
    (top, bottom), (left, right) = _padding(shape)
    height, width = shape.height, shape.width
    size = x.size(0), x.size(1), height + top + bottom, width + left + right
    windows = columns.view(*size[:2], height, width, *shape.kernel, shape.n_in)
    padded = columns.new_zeros(*size, shape.n_in)
    for i in range(shape.kernel[0]):
        for j in range(shape.kernel[1]):
            part = padded[:, :, i : i + height, j : j + width]
            part.add_(windows[:, :, :, :, i, j])
    return _cropped(padded, shape).reshape(x.shape)


FORWARD = {"each": _each, "grouped": _grouped, "unfolded": _unfolded}
BACKWARD = {
    "each": _each_backward,
    "grouped": _grouped_backward,
    "unfolded": _unfolded_backward,
}
