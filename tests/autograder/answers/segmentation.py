"""Answers to the functions of the notebook on segmentation."""

# ruff: noqa: ARG001, PERF401 - as students write it

import numpy as np
from scipy import ndimage
from skimage import filters, measure
from skimage.filters import gaussian, threshold_otsu


def _otsu(image):
    """Find the threshold with the largest variance between both classes, without a library."""
    counts, edges = np.histogram(image.ravel().astype(float), bins=256)
    middles = (edges[1:] + edges[:-1]) / 2
    best, threshold = -1.0, middles[0]
    for split in range(1, 256):
        low, high = counts[:split].sum(), counts[split:].sum()
        if low and high:
            difference = (counts[:split] @ middles[:split]) / low - (counts[split:] @ middles[split:]) / high
            if low * high * difference**2 > best:
                best, threshold = low * high * difference**2, middles[split - 1]
    return threshold


def right_binarize_compare(image):
    threshold = threshold_otsu(image)
    return image > threshold


def right_binarize_greater_equal_of_own_otsu(image):
    return np.greater(image, _otsu(image)).astype("uint8")


def right_binarize_255(image):
    result = np.zeros(image.shape, dtype="uint8")
    result[image > filters.threshold_otsu(image)] = 255
    return result


def wrong_binarize_number(image):
    return threshold_otsu(image)


def wrong_binarize_python_number(image):
    return float(threshold_otsu(image))


def wrong_binarize_number_compared(image):
    return threshold_otsu(image) > 0


def wrong_binarize_mean(image):
    return image > 1.9 * image.mean()


def wrong_binarize_labels(image):
    return measure.label(image > threshold_otsu(image))


def wrong_binarize_normalised(image):
    return image / 255 > 0.5


def wrong_binarize_in_place(image):
    threshold = threshold_otsu(image)
    mask = image > threshold
    image[~mask] = 0
    return mask


def wrong_binarize_coordinates(image):
    return np.argwhere(image > threshold_otsu(image))


def wrong_binarize_everything(image):
    return image >= image.min()


def wrong_binarize_quantile(image):
    return image > np.percentile(image, 75)


def wrong_binarize_mean_of_extremes(image):
    return image > (float(image.min()) + float(image.max())) / 2.2 + 3


def wrong_binarize_fraction(image):
    return np.mean(image > threshold_otsu(image)) + 0.25


def wrong_binarize_list_of_values(image):
    return image[image > threshold_otsu(image)]


def wrong_binarize_otsu_of_a_row(image):
    return image > threshold_otsu(image[:2]) + 1e-9


def right_segment_skimage(image, sigma):
    blurred = gaussian(image, sigma)
    return blurred > threshold_otsu(blurred)


def right_segment_scipy_and_own_otsu(image, sigma):
    blurred = ndimage.gaussian_filter(image.astype(float), sigma)
    return blurred > _otsu(blurred)


def right_segment_float32(image, sigma):
    blurred = ndimage.gaussian_filter(image.astype("float32"), sigma, mode="nearest")
    return (blurred > filters.threshold_otsu(blurred)).astype(np.uint8)


def wrong_segment_number(image, sigma):
    return threshold_otsu(gaussian(image, sigma))


def wrong_segment_fixed_sigma(image, sigma):
    blurred = gaussian(image, 2)
    return blurred > threshold_otsu(blurred)


def wrong_segment_sigma_squared(image, sigma):
    blurred = gaussian(image, sigma**2)
    return blurred > threshold_otsu(blurred)


def wrong_segment_128(image, sigma):
    return gaussian(image, sigma, preserve_range=True) > 128


def wrong_segment_scales_mixed(image, sigma):
    return gaussian(image.astype(np.uint8), sigma) > threshold_otsu(image)


def wrong_segment_mask_blurred(image, sigma):
    return gaussian(image > threshold_otsu(image), sigma)


def wrong_segment_whole_numbers(image, sigma):
    blurred = gaussian(image, sigma, preserve_range=True)
    return blurred > int(2 * threshold_otsu(blurred))


def wrong_segment_one_axis(image, sigma):
    blurred = ndimage.gaussian_filter1d(image.astype(float), sigma, axis=1)
    return image > threshold_otsu(blurred)


def wrong_segment_overwrites(image, sigma):
    blurred = gaussian(image, sigma)
    mask = blurred > threshold_otsu(blurred)
    image[...] = 0
    return mask


def right_count_skimage(mask, min_size):
    labels = measure.label(mask != 0)
    return sum(region.area >= min_size for region in measure.regionprops(labels))


def right_count_scipy(mask, min_size):
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3)))
    objects = 0
    for index in set(labels[labels != 0]):
        if np.sum(labels == index) >= min_size:
            objects += 1
    return objects


def right_count_flood(mask, min_size):
    left = {(int(row), int(column)) for row, column in np.argwhere(mask)}
    objects = 0
    while left:
        todo, size = [left.pop()], 0
        while todo:
            row, column = todo.pop()
            size += 1
            near = {(r, c) for r, c in left if abs(r - row) <= 1 and abs(c - column) <= 1}
            left -= near
            todo += near
        objects += size >= min_size
    return objects


def wrong_count_largest_label_of_scipy(mask, min_size):
    return ndimage.label(mask)[1]


def wrong_count_array(mask, min_size):
    return measure.label(mask)


def wrong_count_grey_levels(mask, min_size):
    labels = measure.label(mask)
    return sum(region.area >= min_size for region in measure.regionprops(labels)) if mask.max() == 1 else 255


def wrong_count_unique(mask, min_size):
    return len(np.unique(measure.label(mask)))


def wrong_count_greater(mask, min_size):
    labels = measure.label(mask != 0)
    return sum(region.area > min_size for region in measure.regionprops(labels))


def wrong_count_width(mask, min_size):
    labels = measure.label(mask != 0)
    return sum(region.bbox[3] - region.bbox[1] >= min_size for region in measure.regionprops(labels))


def wrong_count_fails_when_empty(mask, min_size):
    labels = measure.label(mask != 0)
    sizes = [np.sum(labels == number) for number in range(1, labels.max() + 1)]
    return len([size for size in sizes if size >= min_size]) if max(sizes) else 0


def wrong_count_erodes(mask, min_size):
    return int(measure.label(ndimage.binary_erosion(mask)).max())


def wrong_count_cleans_the_mask(mask, min_size):
    labels = measure.label(mask != 0)
    for region in measure.regionprops(labels):
        if region.area < min_size:
            mask[labels == region.label] = 0
    return int(measure.label(mask != 0).max())


def right_intensities_loop(image, labels):
    return np.array([image[labels == number].mean() for number in range(1, labels.max() + 1)])


def right_intensities_regionprops(image, labels):
    return np.array([region.mean_intensity for region in measure.regionprops(labels, intensity_image=image)])


def right_intensities_bincount(image, labels):
    sums = np.bincount(labels.ravel(), weights=image.ravel().astype(float))
    return (sums / np.bincount(labels.ravel()))[1:]


def right_intensities_scipy(image, labels):
    return ndimage.mean(image, labels, index=np.arange(1, labels.max() + 1))


def wrong_intensities_with_background(image, labels):
    return np.array([image[labels == number].mean() for number in range(labels.max() + 1)])


def wrong_intensities_last_left_out(image, labels):
    return np.array([image[labels == number].mean() for number in range(1, labels.max())])


def wrong_intensities_all_together(image, labels):
    return image[labels > 0].mean()


def wrong_intensities_of_labels(image, labels):
    return np.array([labels[labels == number].mean() for number in range(1, labels.max() + 1)])


def wrong_intensities_uint8_sum(image, labels):
    found = [image[labels == n] for n in range(1, labels.max() + 1)]
    return np.array([values.sum(dtype=values.dtype) / values.size for values in found])


def wrong_intensities_cut(image, labels):
    return np.array([int(image[labels == number].mean()) for number in range(1, labels.max() + 1)])


def wrong_intensities_reversed(image, labels):
    return right_intensities_loop(image, labels)[::-1]


def wrong_intensities_blackens(image, labels):
    result = right_intensities_loop(image, labels)
    image[labels == 0] = 0
    return result


def wrong_intensities_equal_sizes(image, labels):
    number = labels.max()
    sums = [image[labels == n].astype(float).sum() for n in range(1, number + 1)]
    return np.array(sums) / (np.count_nonzero(labels) / number)


def right_brightness_skimage(image, sigma):
    blurred = gaussian(image, sigma)
    labels = measure.label(blurred > threshold_otsu(blurred))
    return np.sort([region.mean_intensity for region in measure.regionprops(labels, intensity_image=image)])


def right_brightness_scipy(image, sigma):
    blurred = ndimage.gaussian_filter(image.astype(float), sigma)
    labels, number = ndimage.label(blurred > _otsu(blurred), structure=np.ones((3, 3)))
    return np.array(sorted(ndimage.mean(image, labels, range(1, number + 1))))


def right_brightness_loop(image, sigma):
    blurred = gaussian(image.astype(float), sigma=sigma, preserve_range=True)
    labels = measure.label(blurred > threshold_otsu(blurred))
    found = []
    for number in range(1, labels.max() + 1):
        found.append(float(np.mean(image[labels == number])))
    found.sort()
    return np.array(found)


def wrong_brightness_no_blur(image, sigma):
    labels = measure.label(image > threshold_otsu(image))
    return np.sort(right_intensities_loop(image, labels))


def wrong_brightness_with_background(image, sigma):
    blurred = gaussian(image, sigma)
    labels = measure.label(blurred > threshold_otsu(blurred))
    return np.sort([image[labels == number].mean() for number in range(labels.max() + 1)])


def wrong_brightness_one_number(image, sigma):
    blurred = gaussian(image, sigma)
    return image[blurred > threshold_otsu(blurred)].mean()


def wrong_brightness_scaled(image, sigma):
    return right_brightness_skimage(image, sigma) / 255


def wrong_brightness_background_subtracted(image, sigma):
    return right_brightness_skimage(image, sigma) - image.min()


def wrong_brightness_of_the_mask(image, sigma):
    blurred = gaussian(image, sigma)
    labels = measure.label(blurred > threshold_otsu(blurred))
    return np.sort([region.mean_intensity for region in measure.regionprops(labels, intensity_image=labels)])


def wrong_brightness_sums(image, sigma):
    blurred = gaussian(image, sigma)
    labels = measure.label(blurred > threshold_otsu(blurred))
    return np.sort([image[labels == n].sum() for n in range(1, labels.max() + 1)])


def wrong_brightness_blurs_the_input(image, sigma):
    image[...] = ndimage.gaussian_filter(image, sigma)
    labels = measure.label(image > threshold_otsu(image))
    return np.sort(right_intensities_loop(image, labels))


def wrong_brightness_dark_things(image, sigma):
    blurred = gaussian(image, sigma)
    labels = measure.label(blurred < threshold_otsu(blurred))
    return np.sort(right_intensities_loop(image, labels))
