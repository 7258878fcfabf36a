"""Answers to variance_filter(image, footprint)."""

# ruff: noqa: B905, PERF401 - as students write it

import numpy as np

from answers.pieces import fortran, padded, strided, values, windows, without_frame


def _variance(image, footprint, **parts):
    return values(image, footprint, **parts).var(axis=-1)


def right_loops(image, footprint):
    wide = np.pad(image.astype(float), [(n // 2, n - n // 2 - 1) for n in footprint.shape], mode="symmetric")
    result = np.zeros(image.shape)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            found = []
            for i in range(footprint.shape[0]):
                for j in range(footprint.shape[1]):
                    if footprint[i, j]:
                        found.append(wide[row + i, column + j])
            mean = sum(found) / len(found)
            result[row, column] = sum((value - mean) ** 2 for value in found) / len(found)
    return result


def right_padding_and_slicing(image, footprint):
    wide = padded(image, footprint.shape)
    result = np.empty(image.shape)
    for place in np.ndindex(*image.shape):
        window = wide[tuple(slice(i, i + n) for i, n in zip(place, footprint.shape))]
        result[place] = np.var(window[footprint])
    return result


def right_stride_tricks(image, footprint):
    return _variance(image, footprint)


def right_sums_over_shifts(image, footprint):
    wide = padded(image, footprint.shape)
    total, squares = np.zeros(image.shape), np.zeros(image.shape)
    for k in np.argwhere(footprint):
        moved = wide[tuple(slice(i, i + n) for i, n in zip(k, image.shape))]
        total, squares = total + moved, squares + moved**2
    count = footprint.sum()
    return np.maximum(squares / count - (total / count) ** 2, 0)


def right_two_passes_over_shifts(image, footprint):
    wide = padded(image, footprint.shape)
    cuts = [tuple(slice(i, i + n) for i, n in zip(k, image.shape)) for k in np.argwhere(footprint)]
    mean = sum(wide[cut] for cut in cuts) / len(cuts)
    return sum((wide[cut] - mean) ** 2 for cut in cuts) / len(cuts)


def right_float32(image, footprint):
    return _variance(image, footprint).astype(np.float32)


def right_not_contiguous(image, footprint):
    return strided(_variance(image, footprint))


def right_other_order_of_memory(image, footprint):
    return fortran(_variance(image, footprint))


def wrong_sample(image, footprint):
    return values(image, footprint).var(axis=-1, ddof=1)


def wrong_other_spread(image, footprint):
    return values(image, footprint).std(axis=-1)


def wrong_mean_not_subtracted(image, footprint):
    return (values(image, footprint) ** 2).mean(axis=-1)


def wrong_pixel_subtracted(image, footprint):
    return ((values(image, footprint) - image[..., None].astype(float)) ** 2).mean(axis=-1)


def wrong_not_divided(image, footprint):
    return values(image, footprint).var(axis=-1) * footprint.sum()


def wrong_divided_by_box(image, footprint):
    return values(image, footprint).var(axis=-1) * footprint.sum() / footprint.size


def wrong_absolute_differences(image, footprint):
    stack = values(image, footprint)
    return np.abs(stack - stack.mean(axis=-1, keepdims=True)).mean(axis=-1)


def wrong_footprint_ignored(image, footprint):
    return _variance(image, np.ones_like(footprint))


def wrong_footprint_flipped(image, footprint):
    return _variance(image, np.flip(footprint), late=True)


def wrong_footprint_transposed(image, footprint):
    return _variance(image, footprint.T)


def wrong_footprint_multiplied(image, footprint):
    return (windows(image, footprint.shape) * footprint).var(axis=(-2, -1))


def wrong_even_side(image, footprint):
    return _variance(image, footprint, late=True)


def wrong_zeros_outside(image, footprint):
    return _variance(image, footprint, mode="constant")


def wrong_edge_repeated(image, footprint):
    return _variance(image, footprint, mode="edge")


def wrong_numpy_reflect(image, footprint):
    return _variance(image, footprint, mode="reflect")


def wrong_wrapped(image, footprint):
    return _variance(image, footprint, mode="wrap")


def wrong_outside_left_out(image, footprint):
    return np.nanvar(values(image, footprint, mode="constant", constant_values=np.nan), axis=-1)


def wrong_border_left_black(image, footprint):
    return without_frame(_variance(image, footprint), footprint.shape)


def wrong_uint8_squares(image, footprint):
    if image.dtype != np.uint8:
        return _variance(image, footprint)
    squares = values(image * image, footprint).mean(axis=-1)
    return np.abs(squares - values(image, footprint).mean(axis=-1) ** 2)


def wrong_integer_cut(image, footprint):
    return _variance(image, footprint).astype(int)


def wrong_squared_mean_minus_mean_of_squares(image, footprint):
    stack = values(image, footprint)
    return stack.mean(axis=-1) ** 2 - (stack**2).mean(axis=-1)


def wrong_in_place(image, footprint):
    image = image.astype(float, copy=False)
    image[...] = _variance(image, footprint)
    return image
