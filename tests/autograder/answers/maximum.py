"""Answers to maximum_filter(image, footprint)."""

# ruff: noqa: ARG001, B905 - as students write it

import numpy as np

from answers.pieces import fortran, padded, strided, values, windows, without_frame


def _maximum(image, footprint, **parts):
    return values(image, footprint, **parts).max(axis=-1)


def right_loops(image, footprint):
    wide = np.pad(image.astype(float), [(n // 2, n - n // 2 - 1) for n in footprint.shape], mode="symmetric")
    result = np.zeros(image.shape)
    for place in np.ndindex(*image.shape):
        found = None
        for k in np.ndindex(*footprint.shape):
            if footprint[k]:
                value = wide[tuple(i + j for i, j in zip(place, k))]
                if found is None or value > found:
                    found = value
        result[place] = found
    return result


def right_padding_and_slicing(image, footprint):
    wide = padded(image, footprint.shape)
    result = np.empty(image.shape)
    for place in np.ndindex(*image.shape):
        window = wide[tuple(slice(i, i + n) for i, n in zip(place, footprint.shape))]
        result[place] = window[footprint].max()
    return result


def right_stride_tricks(image, footprint):
    return _maximum(image, footprint)


def right_shifts(image, footprint):
    wide = padded(image, footprint.shape)
    result = np.full(image.shape, -np.inf)
    for k in np.argwhere(footprint):
        result = np.maximum(result, wide[tuple(slice(i, i + n) for i, n in zip(k, image.shape))])
    return result


def right_dtype_kept(image, footprint):
    return _maximum(image, footprint).astype(image.dtype)


def right_masked_windows(image, footprint):
    stack = np.where(footprint, windows(image, footprint.shape), -np.inf)
    return stack.max(axis=tuple(range(-footprint.ndim, 0)))


def right_float32(image, footprint):
    return _maximum(image, footprint).astype(np.float32)


def right_not_contiguous(image, footprint):
    return strided(_maximum(image, footprint))


def right_other_order_of_memory(image, footprint):
    return fortran(_maximum(image, footprint))


def wrong_other_extreme(image, footprint):
    return values(image, footprint).min(axis=-1)


def wrong_footprint_ignored(image, footprint):
    return _maximum(image, np.ones_like(footprint))


def wrong_footprint_flipped(image, footprint):
    return _maximum(image, np.flip(footprint), late=True)


def wrong_footprint_transposed(image, footprint):
    return _maximum(image, footprint.T)


def wrong_footprint_multiplied(image, footprint):
    stack = windows(image, footprint.shape) * footprint
    return stack.max(axis=tuple(range(-footprint.ndim, 0)))


def wrong_even_side(image, footprint):
    return _maximum(image, footprint, late=True)


def wrong_zeros_outside(image, footprint):
    return _maximum(image, footprint, mode="constant")


def wrong_edge_repeated(image, footprint):
    return _maximum(image, footprint, mode="edge")


def wrong_numpy_reflect(image, footprint):
    return _maximum(image, footprint, mode="reflect")


def wrong_wrapped(image, footprint):
    return _maximum(image, footprint, mode="wrap")


def wrong_outside_left_out(image, footprint):
    return _maximum(image, footprint, mode="constant", constant_values=-np.inf)


def wrong_border_left_black(image, footprint):
    return without_frame(_maximum(image, footprint), footprint.shape)


def wrong_always_3x3(image, footprint):
    return _maximum(image, np.ones((3,) * image.ndim, dtype=bool))


def wrong_mean(image, footprint):
    return values(image, footprint).mean(axis=-1)


def wrong_starts_at_0(image, footprint):
    return np.maximum(_maximum(image, footprint), 0.0)


def wrong_starts_at_60(image, footprint):
    return np.maximum(_maximum(image, footprint), 60.0)


def wrong_3d_slice_by_slice(image, footprint):
    if image.ndim == 3:
        return _maximum(image, footprint[1][None])
    return _maximum(image, footprint)


def wrong_integer_cut(image, footprint):
    return _maximum(image, footprint).astype(int)


def wrong_whole_image(image, footprint):
    return np.full(image.shape, float(image.max()))


def wrong_in_place(image, footprint):
    image = image.astype(float, copy=False)
    image[...] = _maximum(image, footprint)
    return image


def wrong_alters_footprint(image, footprint):
    result = _maximum(image, footprint)
    footprint[...] = False
    return result
