"""Answers to the functions of the notebook on restoring images."""

# ruff: noqa: ARG001 - as students write it

import numpy as np
from scipy import ndimage
from skimage import filters, measure, morphology


def _windows(image):
    wide = np.pad(image.astype(float), 1, mode="symmetric")
    return np.stack(
        [wide[i : i + image.shape[0], j : j + image.shape[1]] for i in range(3) for j in range(3)]
    )


def right_outliers_where(image, limit):
    image = image.astype(float)
    median = ndimage.median_filter(image, 3)
    return np.where(abs(image - median) > limit, median, image)


def right_outliers_mask(image, limit):
    result = image.astype(float)
    median = filters.median(result, np.ones((3, 3)))
    far = np.abs(result - median) > limit
    result[far] = median[far]
    return result


def right_outliers_numpy(image, limit):
    image = image.astype(float)
    median = np.median(_windows(image), axis=0)
    wrong = (image > median + limit) | (image < median - limit)
    return image * ~wrong + median * wrong


def wrong_outliers_gaussian(image, limit):
    return ndimage.gaussian_filter(image.astype(float), 1)


def wrong_outliers_limit_ignored(image, limit):
    return right_outliers_where(image, 50)


def wrong_outliers_dead_alone(image, limit):
    image = image.astype(float)
    median = ndimage.median_filter(image, 3)
    return np.where(median - image > limit, median, image)


def wrong_outliers_above_the_limit(image, limit):
    image = image.astype(float)
    return np.where(image > limit, ndimage.median_filter(image, 3), image)


def wrong_outliers_large_window(image, limit):
    image = image.astype(float)
    median = ndimage.median_filter(image, 5)
    return np.where(abs(image - median) > limit, median, image)


def wrong_outliers_clipped(image, limit):
    image = image.astype(float)
    median = ndimage.median_filter(image, 3)
    return np.clip(image, median - limit, median + limit)


def wrong_outliers_global_median(image, limit):
    image = image.astype(float)
    return np.where(abs(image - np.median(image)) > limit, np.median(image), image)


def wrong_outliers_in_place(image, limit):
    median = ndimage.median_filter(image.astype(float), 3)
    far = np.abs(image.astype(float) - median) > limit
    image[far] = median[far]
    return image


def wrong_outliers_difference(image, limit):
    image = image.astype(float)
    return image - ndimage.median_filter(image, 3)


def right_flat_field_formula(image, dark, bright):
    light = bright.astype(float) - dark.astype(float)
    return (image.astype(float) - dark) / light * light.mean()


def right_flat_field_gain(image, dark, bright):
    image, dark, bright = (np.asarray(part, dtype=float) for part in (image, dark, bright))
    gain = np.mean(bright - dark) / (bright - dark)
    return gain * (image - dark)


def right_flat_field_float32(image, dark, bright):
    light = np.subtract(bright, dark, dtype="float32")
    part = np.subtract(image, dark, dtype="float32") / light
    return part * float(np.mean(light, dtype=float))


def wrong_flat_field_median(image, dark, bright):
    light = bright.astype(float) - dark
    return (image.astype(float) - dark) / light * np.median(light) * 1.01


def wrong_flat_field_mean_of_bright(image, dark, bright):
    return (image.astype(float) - dark) / (bright.astype(float) - dark) * bright.mean()


def wrong_flat_field_scaled_to_image(image, dark, bright):
    result = (image.astype(float) - dark) / (bright.astype(float) - dark)
    return result / result.mean() * image.mean()


def wrong_flat_field_dark_added(image, dark, bright):
    light = bright.astype(float) - dark
    return (image.astype(float) - dark) / light * light.mean() + dark


def wrong_flat_field_own_background(image, dark, bright):
    return image - ndimage.gaussian_filter(image.astype(float), 10)


def wrong_flat_field_mean_dark(image, dark, bright):
    light = bright.astype(float) - dark.min()
    return (image.astype(float) - dark.min()) / light * light.mean()


def wrong_flat_field_in_place(image, dark, bright):
    result = right_flat_field_formula(image, dark, bright)
    image[...] = result
    return result


def wrong_flat_field_whole_numbers(image, dark, bright):
    return right_flat_field_formula(image, dark, bright).astype(int)


def wrong_flat_field_uint8_difference(image, dark, bright):
    light = bright - dark
    return right_flat_field_formula(image, dark, bright) if image.dtype == float else (image - dark) // light


def right_background_scipy(image, size):
    return ndimage.white_tophat(image.astype(float), size=(size, size))


def right_background_skimage(image, size):
    return morphology.white_tophat(image.astype(float), np.ones((size, size)))


def right_background_opening(image, size):
    image = image.astype(float)
    return image - ndimage.maximum_filter(ndimage.minimum_filter(image, size), size)


def wrong_background_gaussian(image, size):
    image = image.astype(float)
    return image - ndimage.gaussian_filter(image, size)


def wrong_background_closing(image, size):
    image = image.astype(float)
    return image - ndimage.grey_closing(image, size=(size, size))


def wrong_background_disk(image, size):
    return morphology.white_tophat(image.astype(float), morphology.disk(size // 2))


def wrong_background_size_ignored(image, size):
    return ndimage.white_tophat(image.astype(float), size=(7, 7))


def wrong_background_line(image, size):
    return ndimage.white_tophat(image.astype(float), size=(1, size))


def wrong_background_minimum_of_all(image, size):
    return image.astype(float) - image.min()


def wrong_background_reversed(image, size):
    image = image.astype(float)
    return ndimage.grey_opening(image, size=(size, size)) - image


def wrong_background_one_more(image, size):
    return ndimage.white_tophat(image.astype(float), size=(size + 2, size + 2))


def wrong_background_in_place(image, size):
    result = right_background_scipy(image, size)
    image[...] = result
    return result


def right_spots_scipy(image, sigma, limit):
    image = image.astype(float)
    difference = ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 2 * sigma)
    return ndimage.label(difference > limit)[1]


def right_spots_skimage(image, sigma, limit):
    image = image.astype(float)
    mask = filters.difference_of_gaussians(image, sigma, sigma * 2) > limit
    return int(measure.label(mask).max())


def right_spots_regions(image, sigma, limit):
    low = filters.gaussian(image.astype(float), sigma, preserve_range=True)
    high = filters.gaussian(image.astype(float), sigma * 2, preserve_range=True)
    return len(measure.regionprops(measure.label(low - high > limit)))


def wrong_spots_threshold_alone(image, sigma, limit):
    return int(measure.label(image > 120 + limit).max())


def wrong_spots_top_hat(image, sigma, limit):
    return ndimage.label(ndimage.white_tophat(image.astype(float), size=3) > limit)[1]


def wrong_spots_sigma_ignored(image, sigma, limit):
    return right_spots_scipy(image, 2, limit)


def wrong_spots_limit_ignored(image, sigma, limit):
    return right_spots_scipy(image, sigma, 15)


def wrong_spots_second_sigma_four_times(image, sigma, limit):
    image = image.astype(float)
    difference = ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 4 * sigma)
    return ndimage.label(difference > limit)[1]


def wrong_spots_scaled(image, sigma, limit):
    low, high = filters.gaussian(image / 255, sigma), filters.gaussian(image / 255, sigma * 2)
    return int(measure.label(low - high > limit).max())


def wrong_spots_maxima(image, sigma, limit):
    image = image.astype(float)
    return int(np.sum(ndimage.maximum_filter(image, 5) == image))


def wrong_spots_mask(image, sigma, limit):
    image = image.astype(float)
    return ndimage.gaussian_filter(image, sigma) - ndimage.gaussian_filter(image, 2 * sigma) > limit


def wrong_spots_in_place(image, sigma, limit):
    count = right_spots_scipy(image, sigma, limit)
    image[...] = 0
    return count
