"""Answers to median_filter(image, footprint)."""

# ruff: noqa: B905, PERF401 - as students write it

import numpy as np

from answers.pieces import fortran, padded, strided, values, windows, without_frame


def _median(image, footprint, **parts):
    return np.median(values(image, footprint, **parts), axis=-1)


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
            found.sort()
            half = len(found) // 2
            result[row, column] = found[half] if len(found) % 2 else (found[half - 1] + found[half]) / 2
    return result


def right_padding_and_slicing(image, footprint):
    wide = padded(image, footprint.shape)
    result = np.empty(image.shape)
    for place in np.ndindex(*image.shape):
        window = wide[tuple(slice(i, i + n) for i, n in zip(place, footprint.shape))]
        result[place] = np.median(window[footprint])
    return result


def right_stride_tricks(image, footprint):
    return _median(image, footprint)


def right_shifts_sorted(image, footprint):
    wide = padded(image, footprint.shape)
    stack = [wide[tuple(slice(i, i + n) for i, n in zip(k, image.shape))] for k in np.argwhere(footprint)]
    stack = np.sort(np.array(stack), axis=0)
    return (stack[(len(stack) - 1) // 2] + stack[len(stack) // 2]) / 2


def right_masked_with_nan(image, footprint):
    stack = np.where(footprint, windows(image, footprint.shape), np.nan)
    return np.nanmedian(stack, axis=(-2, -1))


def right_quantile(image, footprint):
    return np.quantile(values(image, footprint), 0.5, axis=-1)


def right_float32(image, footprint):
    return _median(image, footprint).astype(np.float32)


def right_not_contiguous(image, footprint):
    return strided(_median(image, footprint))


def right_other_order_of_memory(image, footprint):
    return fortran(_median(image, footprint))


def wrong_mean(image, footprint):
    return values(image, footprint).mean(axis=-1)


def wrong_upper_middle(image, footprint):
    stack = np.sort(values(image, footprint), axis=-1)
    return stack[..., stack.shape[-1] // 2]


def wrong_lower_middle(image, footprint):
    stack = np.sort(values(image, footprint), axis=-1)
    return stack[..., (stack.shape[-1] - 1) // 2]


def wrong_not_sorted(image, footprint):
    stack = values(image, footprint)
    return stack[..., stack.shape[-1] // 2]


def wrong_minimum(image, footprint):
    return values(image, footprint).min(axis=-1)


def wrong_footprint_ignored(image, footprint):
    return _median(image, np.ones_like(footprint))


def wrong_footprint_flipped(image, footprint):
    return _median(image, np.flip(footprint), late=True)


def wrong_footprint_transposed(image, footprint):
    return _median(image, footprint.T)


def wrong_footprint_multiplied(image, footprint):
    return np.median(windows(image, footprint.shape) * footprint, axis=(-2, -1))


def wrong_even_side(image, footprint):
    return _median(image, footprint, late=True)


def wrong_zeros_outside(image, footprint):
    return _median(image, footprint, mode="constant")


def wrong_edge_repeated(image, footprint):
    return _median(image, footprint, mode="edge")


def wrong_numpy_reflect(image, footprint):
    return _median(image, footprint, mode="reflect")


def wrong_wrapped(image, footprint):
    return _median(image, footprint, mode="wrap")


def wrong_outside_left_out(image, footprint):
    return np.nanmedian(values(image, footprint, mode="constant", constant_values=np.nan), axis=-1)


def wrong_border_left_black(image, footprint):
    return without_frame(_median(image, footprint), footprint.shape)


def wrong_integer_cut(image, footprint):
    return _median(image, footprint).astype(int)


def wrong_median_of_medians(image, footprint):
    return np.median(np.median(windows(image, footprint.shape), axis=-1), axis=-1)


def wrong_in_place(image, footprint):
    image = image.astype(float, copy=False)
    image[...] = _median(image, footprint)
    return image
