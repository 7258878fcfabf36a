"""Answers to the broken function of the notebook from 2021."""

# ruff: noqa: ARG001 - as students write it

import numpy as np
from scipy import ndimage
from skimage import filters
from skimage.filters import median
from skimage.filters.rank import mean as rank_mean
from skimage.morphology import disk


def right_repair_footprint(image, radius):
    return median(image, footprint=disk(radius))


def right_repair_positional(image, radius):
    return median(image, disk(radius))


def right_repair_scipy(image, radius):
    return ndimage.median_filter(image, footprint=disk(radius), mode="nearest")


def right_repair_loop(image, radius):
    wanted = disk(radius).astype(bool)
    padded = np.pad(image, radius, mode="edge")
    result = np.empty_like(image)
    for row, column in np.ndindex(*image.shape):
        window = padded[row : row + 2 * radius + 1, column : column + 2 * radius + 1]
        result[row, column] = np.median(window[wanted])
    return result


def right_repair_sorted(image, radius):
    offsets = np.argwhere(disk(radius))
    padded = np.pad(image, ((radius, radius), (radius, radius)), mode="edge")
    stack = [padded[i : i + image.shape[0], j : j + image.shape[1]] for i, j in offsets]
    return np.sort(stack, axis=0)[len(offsets) // 2]


def wrong_repair_as_in_2021(image, radius):
    return median(image, selem=disk(radius))


def wrong_repair_no_argument(image, radius):
    return median(image)


def wrong_repair_other_name(image, radius):
    return median(image, kernel=disk(radius))


def wrong_repair_radius_itself(image, radius):
    return median(image, footprint=radius)


def wrong_repair_fixed_radius(image, radius):
    return median(image, footprint=disk(2))


def wrong_repair_square(image, radius):
    return ndimage.median_filter(image, size=2 * radius + 1, mode="nearest")


def wrong_repair_gaussian(image, radius):
    return filters.gaussian(image, radius)


def wrong_repair_mean(image, radius):
    return rank_mean(image, disk(radius)) if image.dtype == np.uint8 else image


def wrong_repair_in_place(image, radius):
    image[...] = median(image, disk(radius))
    return image


def wrong_repair_as_floats(image, radius):
    return median(image / image.max(), disk(radius))


def wrong_repair_as_bytes(image, radius):
    return median(image.astype(np.uint8), disk(radius))


def wrong_repair_swallows_the_error(image, radius):
    try:
        return median(image, selem=disk(radius))
    except TypeError:
        return image


def wrong_repair_border(image, radius):
    return ndimage.median_filter(image, footprint=disk(radius), mode="constant")


def wrong_repair_transposed(image, radius):
    return median(image.T, disk(radius))
