"""Answers to white_top_hat(image, footprint)."""

# ruff: noqa: ARG001, PERF401 - as students write it

import numpy as np

from answers.pieces import fortran, padded, strided, values, windows, without_frame


def _minimum(image, footprint, **parts):
    return values(image, footprint, **parts).min(axis=-1)


def _maximum(image, footprint, **parts):
    return values(image, footprint, **parts).max(axis=-1)


def _top_hat(image, footprint, **parts):
    return image - _maximum(_minimum(image, footprint, **parts), footprint, **parts)


def right_loops(image, footprint):
    result = image.astype(float)
    for choose in (min, max):
        wide = np.pad(result, [(n // 2, n // 2) for n in footprint.shape], mode="symmetric")
        result = np.zeros(image.shape)
        for row in range(image.shape[0]):
            for column in range(image.shape[1]):
                found = []
                for i in range(footprint.shape[0]):
                    for j in range(footprint.shape[1]):
                        if footprint[i, j]:
                            found.append(wide[row + i, column + j])
                result[row, column] = choose(found)
    return image.astype(float) - result


def right_padding_and_slicing(image, footprint):
    result = image.astype(float)
    for choose in (np.min, np.max):
        wide = padded(result, footprint.shape)
        result = np.empty(image.shape)
        for row, column in np.ndindex(*image.shape):
            window = wide[row : row + footprint.shape[0], column : column + footprint.shape[1]]
            result[row, column] = choose(window[footprint])
    return np.subtract(image, result)


def right_stride_tricks(image, footprint):
    return _top_hat(image, footprint)


def right_shifts(image, footprint):
    result = image.astype(float)
    for choose, start in ((np.minimum, np.inf), (np.maximum, -np.inf)):
        wide = padded(result, footprint.shape)
        result = np.full(image.shape, start)
        for i, j in np.argwhere(footprint):
            result = choose(result, wide[i : i + image.shape[0], j : j + image.shape[1]])
    return image - result


def right_dtype_kept(image, footprint):
    opened = _maximum(_minimum(image, footprint), footprint).astype(image.dtype)
    return image ^ opened if image.dtype == bool else image - opened


def right_negative_maximum(image, footprint):
    return image - _maximum(-_maximum(-image.astype(float), footprint), footprint)


def right_reflected_footprint(image, footprint):
    eroded = _minimum(image, footprint)
    return image - _maximum(eroded, np.flip(footprint))


def right_float32(image, footprint):
    return _top_hat(image, footprint).astype(np.float32)


def right_not_contiguous(image, footprint):
    return strided(_top_hat(image, footprint))


def right_other_order_of_memory(image, footprint):
    return fortran(_top_hat(image, footprint))


def wrong_second_step_left_out(image, footprint):
    return image - _minimum(image, footprint)


def wrong_black_top_hat(image, footprint):
    return _minimum(_maximum(image, footprint), footprint) - image


def wrong_closing_subtracted(image, footprint):
    return image - _minimum(_maximum(image, footprint), footprint)


def wrong_opening_only(image, footprint):
    return _maximum(_minimum(image, footprint), footprint)


def wrong_sign(image, footprint):
    return -_top_hat(image, footprint)


def wrong_maximum_subtracted(image, footprint):
    return image - _maximum(image, footprint)


def wrong_gradient(image, footprint):
    return _maximum(image, footprint) - _minimum(image, footprint)


def wrong_median_subtracted(image, footprint):
    return image - np.median(values(image, footprint), axis=-1)


def wrong_mean_subtracted(image, footprint):
    return image - values(image, footprint).mean(axis=-1)


def wrong_footprint_ignored(image, footprint):
    return _top_hat(image, np.ones_like(footprint))


def wrong_footprint_multiplied(image, footprint):
    small = (windows(image, footprint.shape) * footprint).min(axis=(-2, -1))
    return image - (windows(small, footprint.shape) * footprint).max(axis=(-2, -1))


def wrong_always_3x3(image, footprint):
    return _top_hat(image, np.ones((3, 3), dtype=bool))


def wrong_zeros_outside(image, footprint):
    return _top_hat(image, footprint, mode="constant")


def wrong_edge_repeated(image, footprint):
    return _top_hat(image, footprint, mode="edge")


def wrong_numpy_reflect(image, footprint):
    return _top_hat(image, footprint, mode="reflect")


def wrong_wrapped(image, footprint):
    return _top_hat(image, footprint, mode="wrap")


def wrong_border_left_black(image, footprint):
    return without_frame(_top_hat(image, footprint), footprint.shape)


def wrong_bools_refused(image, footprint):
    opened = _maximum(_minimum(image, footprint), footprint).astype(image.dtype)
    return image - opened


def wrong_rounded(image, footprint):
    return np.round(_top_hat(image, footprint))


def wrong_transposed_footprint(image, footprint):
    return _top_hat(image, footprint.T)


def wrong_thresholded(image, footprint):
    return _top_hat(image, footprint) > 20


def wrong_in_place(image, footprint):
    image = image.astype(float, copy=False)
    image -= _maximum(_minimum(image, footprint), footprint)
    return image
