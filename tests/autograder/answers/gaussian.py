"""Answers to gaussian_filter(image, sigma)."""

# ruff: noqa: FBT002 - as students write it

import numpy as np

from answers.pieces import bell, blur, fortran, strided, windows, without_frame


def _line(sigma, exponent, divide=True):
    if sigma == 0:
        return np.ones(1)
    x = np.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    weights = np.exp(-exponent(x))
    return weights / weights.sum() if divide else weights


def right_loops(image, sigma):
    if sigma == 0:
        return image.astype(float)
    radius = int(4 * sigma + 0.5)
    weights = [np.exp(-(x**2) / (2 * sigma**2)) for x in range(-radius, radius + 1)]
    total = sum(weights)
    result = image.astype(float)
    for axis in range(image.ndim):
        source = np.moveaxis(result, axis, 0)
        wide = np.concatenate([source[:radius][::-1], source, source[::-1][:radius]])
        target = np.zeros(source.shape)
        for i in range(len(source)):
            for k, weight in enumerate(weights):
                target[i] += weight / total * wide[i + k]
        result = np.moveaxis(target, 0, axis)
    return result


def right_padding_and_slicing(image, sigma):
    weights = bell(sigma)
    radius = len(weights) // 2
    result = image.astype(float)
    for axis in range(image.ndim):
        wide = np.pad(
            np.moveaxis(result, axis, 0), [(radius, radius)] + [(0, 0)] * (image.ndim - 1), "symmetric"
        )
        parts = [weight * wide[k : k + image.shape[axis]] for k, weight in enumerate(weights)]
        result = np.moveaxis(np.sum(parts, axis=0), 0, axis)
    return result


def right_stride_tricks(image, sigma):
    return blur(image, sigma)


def right_not_separated(image, sigma):
    kernel = bell(sigma)
    for _ in range(image.ndim - 1):
        kernel = np.multiply.outer(kernel, bell(sigma))
    return np.tensordot(windows(image, kernel.shape), kernel, axes=image.ndim)


def right_lines_convolved(image, sigma):
    weights = bell(sigma)
    radius = len(weights) // 2

    def line(values):
        return np.convolve(np.pad(values, radius, mode="symmetric"), weights, mode="valid")

    result = image.astype(float)
    for axis in range(image.ndim):
        result = np.apply_along_axis(line, axis, result)
    return result


def right_matrix_product(image, sigma):
    weights = bell(sigma)
    radius = len(weights) // 2
    result = image.astype(float)
    for axis, size in enumerate(image.shape):
        source = np.pad(np.arange(size), radius, mode="symmetric")
        matrix = np.zeros((size, size))
        for i in range(size):
            for k, weight in enumerate(weights):
                matrix[i, source[i + k]] += weight
        result = np.moveaxis(np.tensordot(matrix, result, axes=(1, axis)), 0, axis)
    return result


def right_float32(image, sigma):
    return blur(image, sigma).astype(np.float32)


def right_not_contiguous(image, sigma):
    return strided(blur(image, sigma))


def right_other_order_of_memory(image, sigma):
    return fortran(blur(image, sigma))


def wrong_sigma_is_variance(image, sigma):
    return blur(image, sigma, _line(sigma, lambda x: x**2 / (2 * sigma)))


def wrong_two_forgotten(image, sigma):
    return blur(image, sigma, _line(sigma, lambda x: x**2 / sigma**2))


def wrong_square_forgotten(image, sigma):
    return blur(image, sigma, _line(sigma, lambda x: np.abs(x) / (2 * sigma**2)))


def wrong_not_normalised(image, sigma):
    return blur(image, sigma, _line(sigma, lambda x: x**2 / (2 * sigma**2), divide=False))


def wrong_normalised_by_formula(image, sigma):
    if sigma == 0:
        return image.astype(float)
    line = _line(sigma, lambda x: x**2 / (2 * sigma**2), divide=False)
    return blur(image, sigma, line / (sigma * np.sqrt(2 * np.pi)))


def wrong_cut_at_3_sigma(image, sigma):
    return blur(image, sigma, bell(sigma, reach=3))


def wrong_cut_at_5_sigma(image, sigma):
    return blur(image, sigma, bell(sigma, reach=5))


def wrong_radius_not_rounded(image, sigma):
    return blur(image, sigma, bell(sigma, spare=0))


def wrong_radius_rounded_up(image, sigma):
    return blur(image, sigma, bell(sigma, spare=1 - 1e-9))


def wrong_fixed_5x5(image, sigma):
    if sigma == 0:
        return image.astype(float)
    x = np.arange(-2, 3)
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return blur(image, sigma, weights / weights.sum())


def wrong_one_axis(image, sigma):
    return blur(image, sigma, axes=[image.ndim - 1])


def wrong_two_axes_of_three(image, sigma):
    return blur(image, sigma, axes=[0, 1])


def wrong_zeros_outside(image, sigma):
    return blur(image, sigma, mode="constant")


def wrong_edge_repeated(image, sigma):
    return blur(image, sigma, mode="edge")


def wrong_numpy_reflect(image, sigma):
    return blur(image, sigma, mode="reflect")


def wrong_wrapped(image, sigma):
    return blur(image, sigma, mode="wrap")


def wrong_renormalised_at_the_border(image, sigma):
    return blur(image, sigma, mode="constant") / blur(np.ones(image.shape), sigma, mode="constant")


def wrong_integer_cut(image, sigma):
    result = np.zeros_like(image)
    result[...] = blur(image, sigma)
    return result


def wrong_integer_cut_between_axes(image, sigma):
    once = np.empty_like(image)
    once[...] = blur(image, sigma, axes=[0])
    return blur(once, sigma, axes=range(1, image.ndim))


def wrong_divides_by_zero(image, sigma):
    x = np.arange(-int(4 * sigma + 0.5), int(4 * sigma + 0.5) + 1)
    weights = np.exp(-(x**2) / np.float64(2 * sigma**2))
    return blur(image, sigma, weights / weights.sum())


def wrong_box(image, sigma):
    n = 2 * int(sigma) + 1
    return blur(image, sigma, np.full(n, 1 / n))


def wrong_lopsided(image, sigma):
    radius = int(4 * sigma + 0.5)
    if sigma == 0:
        return image.astype(float)
    x = np.arange(-radius, radius + 1)
    weights = np.exp(-((x - 1) ** 2) / (2 * sigma**2))
    return blur(image, sigma, weights / weights.sum())


def wrong_border_left_black(image, sigma):
    return without_frame(blur(image, sigma), (len(bell(sigma)),) * image.ndim)


def wrong_in_place(image, sigma):
    image = image.astype(float, copy=False)
    image[...] = blur(image, sigma)
    return image
