"""Answers to mean_filter(image, size)."""

# ruff: noqa: ARG001, B905 - as students write it

import numpy as np

from answers.pieces import fortran, padded, strided, widths, windows, without_frame


def _mean(image, size, **parts):
    shape = (size,) * image.ndim
    return windows(image, shape, **parts).mean(axis=tuple(range(-image.ndim, 0)))


def right_loops(image, size):
    wide = np.pad(image.astype(float), [(size // 2, size - size // 2 - 1)] * image.ndim, mode="symmetric")
    result = np.zeros(image.shape)
    for place in np.ndindex(*image.shape):
        total = 0.0
        for k in np.ndindex(*(size,) * image.ndim):
            total += wide[tuple(i + j for i, j in zip(place, k))]
        result[place] = total / size**image.ndim
    return result


def right_padding_and_slicing(image, size):
    wide = padded(image, (size,) * image.ndim)
    result = np.empty(image.shape)
    for place in np.ndindex(*image.shape):
        result[place] = np.mean(wide[tuple(slice(i, i + size) for i in place)])
    return result


def right_stride_tricks(image, size):
    return _mean(image, size)


def right_sum_of_shifts_per_axis(image, size):
    result = image.astype(float)
    for axis in range(image.ndim):
        pads = [(0, 0)] * image.ndim
        pads[axis] = widths((size,))[0]
        wide = np.pad(result, pads, mode="symmetric")
        count = image.shape[axis]
        result = sum(np.take(wide, np.arange(k, k + count), axis=axis) for k in range(size)) / size
    return result


def right_cumulative_sums(image, size):
    result = padded(image, (size,) * image.ndim)
    for axis in range(image.ndim):
        total = np.cumsum(result, axis=axis)
        first = np.zeros_like(np.take(total, [0], axis=axis))
        total = np.concatenate([first, total], axis=axis)
        count = image.shape[axis]
        ends = np.take(total, np.arange(size, size + count), axis=axis)
        result = (ends - np.take(total, np.arange(count), axis=axis)) / size
    return result


def right_float32(image, size):
    return _mean(image, size).astype(np.float32)


def right_float32_all_the_way(image, size):
    wide = np.pad(
        image.astype(np.float32), [(size // 2, size - size // 2 - 1)] * image.ndim, mode="symmetric"
    )
    total = np.zeros(image.shape, dtype=np.float32)
    for k in np.ndindex(*(size,) * image.ndim):
        total += wide[tuple(slice(i, i + n) for i, n in zip(k, image.shape))]
    return total / np.float32(size**image.ndim)


def right_not_contiguous(image, size):
    return strided(_mean(image, size))


def right_other_order_of_memory(image, size):
    return fortran(_mean(image, size))


def wrong_not_divided(image, size):
    return _mean(image, size) * size**image.ndim


def wrong_divided_by_size(image, size):
    return _mean(image, size) * size**image.ndim / size


def wrong_divided_by_size_squared_in_3d(image, size):
    return _mean(image, size) * size**image.ndim / size**2


def wrong_zeros_outside(image, size):
    return _mean(image, size, mode="constant")


def wrong_edge_repeated(image, size):
    return _mean(image, size, mode="edge")


def wrong_numpy_reflect(image, size):
    return _mean(image, size, mode="reflect")


def wrong_wrapped(image, size):
    return _mean(image, size, mode="wrap")


def wrong_window_cropped(image, size):
    return _mean(image, size, mode="constant") / _mean(np.ones(image.shape), size, mode="constant")


def wrong_even_side(image, size):
    return _mean(image, size, late=True)


def wrong_even_made_odd(image, size):
    return _mean(image, size + 1 if size % 2 == 0 else size)


def wrong_integer_division(image, size):
    return _mean(image, size) * size**image.ndim // size**image.ndim


def wrong_integer_cut(image, size):
    result = np.zeros_like(image)
    result[...] = _mean(image, size)
    return result


def wrong_uint8_overflow(image, size):
    wide = np.pad(image, [(size // 2, size - size // 2 - 1)] * image.ndim, mode="symmetric")
    if image.dtype == bool:
        return _mean(image, size)
    total = np.zeros(image.shape, dtype=image.dtype)
    for k in np.ndindex(*(size,) * image.ndim):
        total = total + wide[tuple(slice(i, i + n) for i, n in zip(k, image.shape))]
    return total / size**image.ndim


def wrong_border_left_black(image, size):
    return without_frame(_mean(image, size), (size,) * image.ndim)


def wrong_rows_only(image, size):
    return windows(image, (1,) * (image.ndim - 1) + (size,)).mean(axis=tuple(range(-image.ndim, 0)))


def wrong_median(image, size):
    return np.median(windows(image, (size,) * image.ndim), axis=tuple(range(-image.ndim, 0)))


def wrong_square_images_only(image, size):
    result = np.zeros(image.shape)
    full = _mean(image, size)
    n = min(image.shape)
    result[(slice(0, n),) * image.ndim] = full[(slice(0, n),) * image.ndim]
    return result


def wrong_axes_swapped(image, size):
    return _mean(image, size).T


def wrong_3d_slice_by_slice(image, size):
    return np.stack([_mean(part, size) for part in image]) if image.ndim == 3 else _mean(image, size)


def wrong_no_3d(image, size):
    rows, columns = image.shape
    return _mean(image, size).reshape(rows, columns)


def wrong_in_place(image, size):
    image = np.asarray(image, dtype=float)
    image[...] = _mean(image, size)
    return image


def wrong_filters_what_is_filtered_already(image, size):
    wide = padded(image, (size,) * image.ndim)
    before = size // 2
    for place in np.ndindex(*image.shape):
        wide[tuple(i + before for i in place)] = wide[tuple(slice(i, i + size) for i in place)].mean()
    return wide[tuple(slice(before, before + n) for n in image.shape)]


def wrong_divided_by_255(image, size):
    return _mean(image, size) / 255


def wrong_one_number(image, size):
    return np.mean(image)


def wrong_size_3_only(image, size):
    return _mean(image, 3)
