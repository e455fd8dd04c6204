"""Stacked convolutions and maximum pooling of images, whose channels come last.

Between layers a batch has the shape (k models, n_rows, height * width * channels). The
weights of a convolution have the shape (n_models, n_in * kernel height * kernel width,
n_out). All weights that leave one input channel are neighbouring rows.

The same result is computed in one of three ways:

- "grouped": one convolution in which each model is a group. It keeps a GPU busy.
- "each": one convolution for each model. On a CPU this is faster than groups. The
  memory format, with the channels last, is the one that the library needs, and the
  output of a model is pooled while it is still in the cache.
- "unfolded": the neighbourhood of each pixel becomes a row, and one product multiplies
  the rows by the weights of all models. This is fastest for small images, for which
  calls cost more than the arithmetic.
"""

import torch

aten = torch.ops.aten

# Number of multiplications from which a call for each model costs less than unfolding.
UNFOLDED_PRODUCTS = 2**20


def way_of(x, shape):
    """Return the fastest way to convolve: "unfolded", "each" or "grouped".

    It depends on the work for one model and not on the number of models.

    Parameters
    ----------
    x : Tensor of shape (k, n_rows, n_inputs)
    shape : ConvolutionShape
    """
    if x.device.type != "cpu":
        return "grouped"
    n_products = x.size(1) * shape.n_units * shape.fans[0]
    # In double precision torch has no library for this, and copies neighbourhoods too.
    is_copied = x.dtype == torch.float64 and shape.n_in == 1
    return "unfolded" if is_copied or n_products < UNFOLDED_PRODUCTS else "each"


def convolve(x, weight, bias, shape, way=None):
    """Convolve the images of each model and pool the result.

    Parameters
    ----------
    x : Tensor of shape (k, n_rows, n_inputs)
    weight : Tensor of shape (k, n_in * n_taps, n_out)
    bias : Tensor of shape (k, 1, n_out)
    shape : ConvolutionShape
    way : {"unfolded", "each", "grouped"}, default=None
        None takes the way that `way_of` returns.

    Returns
    -------
    output : Tensor of shape (k, n_rows, n_outputs)
        There is no pooling if the windows of `shape` are single pixels.
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
    """Write the gradient of the weights and return that of the images.

    Parameters
    ----------
    gradient : Tensor of shape (k, n_rows, n_outputs)
        The gradient of the output.
    x : Tensor of shape (k, n_rows, n_inputs)
    weight : Tensor of shape (k, n_in * n_taps, n_out)
    shape : ConvolutionShape
    saved : object
        From `convolve`.
    out : Tensor of shape (k, n_in * n_taps, n_out)
        Where to write the gradient of the weights.
    needs_input : bool
        Whether to compute the gradient of the images.

    Returns
    -------
    Tensor of shape (k, n_rows, n_inputs) or None
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
    """Return the gradient of the input of `max_pool`, given that of its output."""
    k, n_rows, _ = gradient.shape
    images = gradient.reshape(-1, *shape.pooled, shape.n_out).permute(0, 3, 1, 2)
    return _rows(_unpooled(images, indices, shape)).view(k, n_rows, -1)


def _pooled(images, shape):
    return aten.max_pool2d_with_indices(images, shape.pool, shape.pool)


def _unpooled(gradient, indices, shape):
    # Torch looks only at the sizes of this tensor.
    size = gradient.size(0), shape.height, shape.width, gradient.size(1)
    like = gradient.new_empty(size).permute(0, 3, 1, 2)
    return aten.max_pool2d_with_indices_backward(
        gradient, like, shape.pool, shape.pool, (0, 0), (1, 1), False, indices
    )


def _rows(images):
    """Return (n, channels, height, width) as new (n, height, width, channels)."""
    return images.permute(0, 2, 3, 1).contiguous()


def _padding(shape):
    """Return the padding before and after the rows, and that of the columns."""
    return [((size - 1) // 2, size // 2) for size in shape.kernel]


def _is_even(shape):
    """Return whether the padding differs between the two sides of an axis."""
    return any(size % 2 == 0 for size in shape.kernel)


def _padded(images, shape):
    """Return images of shape (..., height, width, channels) padded with zeros."""
    (top, bottom), (left, right) = _padding(shape)
    if top + bottom + left + right == 0:
        return images
    return torch.nn.functional.pad(images, (0, 0, left, right, top, bottom))


def _cropped(images, shape):
    """Undo `_padded`."""
    (top, _), (left, _) = _padding(shape)
    return images[..., top : top + shape.height, left : left + shape.width, :]


# The way "each": a call for each model


def _filters(weight, shape):
    """Return weights in torch's layout: (k, n_out, n_in, kernel height, width)."""
    return weight.mT.reshape(weight.size(0), -1, shape.n_in, *shape.kernel)


def _prepared(x, shape):
    """Return one model's images in torch's layout, and the padding left to torch."""
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


# The way "grouped": one call, in which each model is a group


def _grouped_images(x, shape):
    """Return images of shape (n_rows, k * n_in, height, width), and the padding.

    The images are padded here if torch cannot, and the padding left to torch is 0.
    """
    k, n_rows, _ = x.shape
    images = x.view(k, n_rows, shape.height, shape.width, shape.n_in)
    padding = [size // 2 for size in shape.kernel]
    if _is_even(shape):
        images, padding = _padded(images, shape), [0, 0]
    size = images.shape[2:4]
    return images.permute(1, 0, 4, 2, 3).reshape(n_rows, -1, *size), padding


def _ungrouped(images, k):
    """Return (n_rows, k * n, height, width) as (k, n_rows, height, width, n)."""
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


# The way "unfolded": one product of all models, with neighbourhoods in rows


def _columns(x, shape):
    """Return the neighbourhoods of pixels, of shape (k, n_rows * n_pixels, n_columns).

    A row has n_columns = n_taps * n_in. The channels come last, because they are
    neighbours in memory.
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
    """Return weights with the rows in the order of the columns of `_columns`."""
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
    """Add up the columns that belong to each pixel: the transpose of `_columns`."""
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
