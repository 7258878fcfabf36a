"""Answers to laplace_filter(image)."""

# ruff: noqa: B905 - as students write it

import numpy as np

from answers.pieces import along, fortran, padded, strided, without_frame

SECOND = np.array([1, -2, 1])


def _laplace(image, line=SECOND, axes=None, **more):
    axes = range(image.ndim) if axes is None else axes
    return sum(along(image, line, axis, **more) for axis in axes)


def right_loops(image):
    wide = np.pad(image.astype(float), 1, mode="symmetric")
    result = np.zeros(image.shape)
    for place in np.ndindex(*image.shape):
        middle = [i + 1 for i in place]
        for axis in range(image.ndim):
            for step in (-1, 1):
                there = list(middle)
                there[axis] += step
                result[place] += wide[tuple(there)] - wide[tuple(middle)]
    return result


def right_padding_and_slicing(image):
    wide = padded(image, (3,) * image.ndim)
    inner = (slice(1, -1),) * image.ndim
    result = -2 * image.ndim * wide[inner]
    for axis in range(image.ndim):
        before, after = list(inner), list(inner)
        before[axis], after[axis] = slice(0, -2), slice(2, None)
        result = result + wide[tuple(before)] + wide[tuple(after)]
    return result


def right_stride_tricks(image):
    return _laplace(image)


def right_differences(image):
    result = np.zeros(image.shape)
    for axis in range(image.ndim):
        pads = [(0, 0)] * image.ndim
        pads[axis] = (1, 1)
        result += np.diff(np.pad(image.astype(float), pads, mode="edge"), n=2, axis=axis)
    return result


def right_taken_indices(image):
    image = image.astype(float)
    result = np.zeros(image.shape)
    for axis, size in enumerate(image.shape):
        before = np.take(image, np.maximum(np.arange(size) - 1, 0), axis=axis)
        after = np.take(image, np.minimum(np.arange(size) + 1, size - 1), axis=axis)
        result += before + after - 2 * image
    return result


def right_float32(image):
    return _laplace(image).astype(np.float32)


def right_not_contiguous(image):
    return strided(_laplace(image))


def right_other_order_of_memory(image):
    return fortran(_laplace(image))


def wrong_sign(image):
    return -_laplace(image)


def wrong_eight_neighbours(image):
    kernel = np.ones([3] * image.ndim)
    kernel[(1,) * image.ndim] -= kernel.size
    wide = padded(image, kernel.shape)
    result = np.zeros(image.shape)
    for k in np.ndindex(*kernel.shape):
        result += kernel[k] * wide[tuple(slice(i, i + n) for i, n in zip(k, image.shape))]
    return result


def wrong_no_middle(image):
    return _laplace(image, np.array([1, 0, 1]))


def wrong_middle_once(image):
    return _laplace(image, np.array([1, -1, 1]))


def wrong_first_axis_only(image):
    return _laplace(image, axes=[0])


def wrong_3d_slice_by_slice(image):
    return _laplace(image, axes=[image.ndim - 2, image.ndim - 1])


def wrong_minus_4_in_3d(image):
    return _laplace(image, np.array([1, -4 / image.ndim, 1]))


def wrong_zeros_outside(image):
    return _laplace(image, mode="constant")


def wrong_numpy_reflect(image):
    return _laplace(image, mode="reflect")


def wrong_wrapped(image):
    return _laplace(image, mode="wrap")


def wrong_border_left_black(image):
    return without_frame(_laplace(image), (3,) * image.ndim)


def wrong_absolute(image):
    return np.abs(_laplace(image))


def wrong_clipped(image):
    return np.clip(_laplace(image), 0, 255)


def wrong_uint8_wraps_round(image):
    result = np.zeros_like(image)
    result[...] = _laplace(image).astype(int)
    return result


def wrong_rounded(image):
    return np.round(_laplace(image))


def wrong_product_of_both_directions(image):
    result = image
    for axis in range(image.ndim):
        result = along(result, SECOND, axis)
    return result


def wrong_divided_by_4(image):
    return _laplace(image) / 4


def wrong_in_place(image):
    image = image.astype(float, copy=False)
    image[...] = _laplace(image)
    return image
