"""Answers to difference_of_gaussians(image, sigma_low, sigma_high)."""

# ruff: noqa: ARG001 - as students write it

import numpy as np

from answers.pieces import bell, blur, fortran, strided, windows, without_frame


def _dog(image, low, high, **parts):
    return blur(image, low, **parts) - blur(image, high, **parts)


def _kernel(sigma):
    return np.outer(bell(sigma), bell(sigma))


def right_loops(image, sigma_low, sigma_high):
    blurred = []
    for sigma in (sigma_low, sigma_high):
        weights = list(bell(sigma))
        radius = len(weights) // 2
        wide = np.pad(image.astype(float), radius, mode="symmetric")
        once = np.zeros((wide.shape[0], image.shape[1]))
        for column in range(image.shape[1]):
            for k, weight in enumerate(weights):
                once[:, column] += weight * wide[:, column + k]
        twice = np.zeros(image.shape)
        for row in range(image.shape[0]):
            for k, weight in enumerate(weights):
                twice[row] += weight * once[row + k]
        blurred.append(twice)
    return blurred[0] - blurred[1]


def right_blurs_subtracted(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high)


def right_kernels_subtracted(image, sigma_low, sigma_high):
    low, high = _kernel(sigma_low), _kernel(sigma_high)
    radius = max(len(low), len(high)) // 2
    kernel = np.pad(low, radius - len(low) // 2) - np.pad(high, radius - len(high) // 2)
    return np.tensordot(windows(image, kernel.shape), kernel, axes=2)


def right_sums_over_shifts(image, sigma_low, sigma_high):
    result = np.zeros(image.shape)
    for sign, sigma in ((1, sigma_low), (-1, sigma_high)):
        kernel = _kernel(sigma)
        wide = np.pad(image.astype(float), len(kernel) // 2, mode="symmetric")
        for (i, j), weight in np.ndenumerate(kernel):
            result += sign * weight * wide[i : i + image.shape[0], j : j + image.shape[1]]
    return result


def right_float32(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high).astype(np.float32)


def right_not_contiguous(image, sigma_low, sigma_high):
    return strided(_dog(image, sigma_low, sigma_high))


def right_other_order_of_memory(image, sigma_low, sigma_high):
    return fortran(_dog(image, sigma_low, sigma_high))


def wrong_order(image, sigma_low, sigma_high):
    return _dog(image, sigma_high, sigma_low)


def wrong_absolute(image, sigma_low, sigma_high):
    return np.abs(_dog(image, sigma_low, sigma_high))


def wrong_clipped(image, sigma_low, sigma_high):
    return np.clip(_dog(image, sigma_low, sigma_high), 0, None)


def wrong_added(image, sigma_low, sigma_high):
    return blur(image, sigma_low) + blur(image, sigma_high)


def wrong_image_minus_blur(image, sigma_low, sigma_high):
    return image.astype(float) - blur(image, sigma_high)


def wrong_low_only(image, sigma_low, sigma_high):
    return blur(image, sigma_low)


def wrong_blurred_twice(image, sigma_low, sigma_high):
    low = blur(image, sigma_low)
    return low - blur(low, sigma_high)


def wrong_sigma_difference(image, sigma_low, sigma_high):
    return blur(image, abs(sigma_high - sigma_low))


def wrong_zeros_outside(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high, mode="constant")


def wrong_edge_repeated(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high, mode="edge")


def wrong_numpy_reflect(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high, mode="reflect")


def wrong_wrapped(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high, mode="wrap")


def wrong_cut_at_3_sigma(image, sigma_low, sigma_high):
    return blur(image, sigma_low, bell(sigma_low, reach=3)) - blur(
        image, sigma_high, bell(sigma_high, reach=3)
    )


def wrong_one_axis(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high, axes=[1])


def wrong_uint8_subtraction(image, sigma_low, sigma_high):
    low, high = np.zeros_like(image), np.zeros_like(image)
    low[...], high[...] = blur(image, sigma_low), blur(image, sigma_high)
    return low - high


def wrong_integer_cut(image, sigma_low, sigma_high):
    return _dog(image, sigma_low, sigma_high).astype(int)


def wrong_scaled_to_one(image, sigma_low, sigma_high):
    result = _dog(image, sigma_low, sigma_high)
    return (result - result.min()) / max(np.ptp(result), 1e-12)


def wrong_swapped_to_be_ascending(image, sigma_low, sigma_high):
    return _dog(image, min(sigma_low, sigma_high), max(sigma_low, sigma_high))


def wrong_border_left_black(image, sigma_low, sigma_high):
    return without_frame(_dog(image, sigma_low, sigma_high), _kernel(sigma_high).shape)


def wrong_in_place(image, sigma_low, sigma_high):
    image = image.astype(float, copy=False)
    image -= blur(image, sigma_high) + (image - blur(image, sigma_low))
    return image
