"""Answers to convolve(image, kernel)."""

# ruff: noqa: B905 - as students write it

import numpy as np

from answers.pieces import fortran, padded, strided, windows, without_frame


def _convolve(image, kernel, **parts):
    parts = {"late": True} | parts
    return np.tensordot(windows(image, kernel.shape, **parts), np.flip(kernel), axes=kernel.ndim)


def right_loops(image, kernel):
    flipped = np.flip(kernel)
    wide = np.pad(image.astype(float), [((n - 1) // 2, n // 2) for n in kernel.shape], mode="symmetric")
    result = np.zeros(image.shape)
    for place in np.ndindex(*image.shape):
        total = 0.0
        for k in np.ndindex(*kernel.shape):
            total += flipped[k] * wide[tuple(i + j for i, j in zip(place, k))]
        result[place] = total
    return result


def right_padding_and_slicing(image, kernel):
    wide = padded(image, kernel.shape, late=True)
    result = np.zeros(image.shape)
    for k in np.ndindex(*kernel.shape):
        cut = tuple(slice(n - 1 - i, n - 1 - i + size) for i, n, size in zip(k, kernel.shape, image.shape))
        result += kernel[k] * wide[cut]
    return result


def right_stride_tricks(image, kernel):
    return _convolve(image, kernel)


def right_indices_mirrored_by_hand(image, kernel):
    result = np.zeros(image.shape)
    for k in np.ndindex(*kernel.shape):
        moved = image.astype(float)
        for axis, (i, n) in enumerate(zip(k, kernel.shape)):
            size = image.shape[axis]
            index = np.arange(size) - i + n // 2
            index = np.where(index < 0, -1 - index, index)
            index = np.where(index >= size, 2 * size - 1 - index, index)
            moved = np.take(moved, index, axis=axis)
        result = result + kernel[k] * moved
    return result


def right_float32(image, kernel):
    return _convolve(image, kernel).astype(np.float32)


def right_not_contiguous(image, kernel):
    return strided(_convolve(image, kernel))


def right_other_order_of_memory(image, kernel):
    return fortran(_convolve(image, kernel))


def wrong_correlation(image, kernel):
    return np.tensordot(windows(image, kernel.shape), kernel, axes=kernel.ndim)


def wrong_zeros_outside(image, kernel):
    return _convolve(image, kernel, mode="constant")


def wrong_edge_repeated(image, kernel):
    return _convolve(image, kernel, mode="edge")


def wrong_numpy_reflect(image, kernel):
    return _convolve(image, kernel, mode="reflect")


def wrong_wrapped(image, kernel):
    return _convolve(image, kernel, mode="wrap")


def wrong_normalised(image, kernel):
    return _convolve(image, kernel) / kernel.sum()


def wrong_half_flipped(image, kernel):
    return _convolve(image, kernel[::-1])


def wrong_transposed(image, kernel):
    return _convolve(image, kernel.T)


def wrong_even_side(image, kernel):
    return _convolve(image, kernel, late=False)


def wrong_integer_cut(image, kernel):
    result = np.zeros_like(image)
    result[...] = _convolve(image, kernel)
    return result


def wrong_only_where_it_fits(image, kernel):
    result = _convolve(image, kernel)
    return result[tuple(slice(n // 2, size - n // 2) for n, size in zip(kernel.shape, image.shape))]


def wrong_border_left_black(image, kernel):
    return without_frame(_convolve(image, kernel), kernel.shape)


def wrong_alters_its_input(image, kernel):
    result = _convolve(image, kernel)
    if image.dtype == float:
        image[...] = result
        return image
    return result


def wrong_flips_the_given_kernel(image, kernel):
    result = _convolve(image, kernel)
    kernel[...] = np.flip(kernel).copy()
    return result


def wrong_only_two_axes(image, kernel):
    if image.ndim == 3:
        return np.stack([_convolve(part, kernel[1]) for part in image])
    return _convolve(image, kernel)


def wrong_absolute(image, kernel):
    return np.abs(_convolve(image, kernel))


def wrong_list(image, kernel):
    return _convolve(image, kernel).tolist()
