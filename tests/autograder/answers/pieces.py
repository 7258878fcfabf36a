"""What many answers share: a window over a padded image, as students write it."""

# ruff: noqa: B905, FBT002 - as students write it

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def widths(shape, late=False):
    """Return what lies before and after the pixel along each axis."""
    first = [(n - 1) // 2 if late else n // 2 for n in shape]
    return [(a, n - 1 - a) for a, n in zip(first, shape)]


def padded(image, shape, mode="symmetric", late=False, **more):
    """Return the image as floats, continued beyond its edge."""
    return np.pad(image.astype(float), widths(shape, late), mode=mode, **more)


def windows(image, shape, **parts):
    """Return the window of each pixel."""
    return sliding_window_view(padded(image, shape, **parts), shape)


def values(image, footprint, **parts):
    """Return the values below the footprint, along the last axis."""
    return windows(image, footprint.shape, **parts)[..., footprint]


def bell(sigma, reach=4.0, spare=0.5):
    """Return the weights of a Gaussian."""
    if sigma == 0:
        return np.ones(1)
    x = np.arange(-int(reach * sigma + spare), int(reach * sigma + spare) + 1)
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return weights / weights.sum()


def along(image, weights, axis, mode="symmetric", **more):
    """Filter along one axis with symmetric weights."""
    radius = len(weights) // 2
    pads = [(0, 0)] * image.ndim
    pads[axis] = (radius, radius)
    wide = np.pad(image.astype(float), pads, mode=mode, **more)
    return sliding_window_view(wide, len(weights), axis=axis) @ weights


def blur(image, sigma, weights=None, axes=None, **more):
    """Blur along all axes, one after the other."""
    line = bell(sigma) if weights is None else weights
    for axis in range(image.ndim) if axes is None else axes:
        image = along(image, line, axis, **more)
    return image.astype(float)


def without_frame(result, shape):
    """Set the pixels whose window leaves the image to 0."""
    framed = np.zeros_like(result)
    inner = tuple(slice(a, n - b) for (a, b), n in zip(widths(shape), result.shape))
    framed[inner] = result[inner]
    return framed


def fortran(result):
    """Return the same values in another order of memory."""
    return np.asfortranarray(result)


def strided(result):
    """Return the same values as every second one of a larger array."""
    wide = np.zeros([2 * n for n in result.shape])
    view = wide[tuple(slice(None, None, 2) for _ in result.shape)]
    view[...] = result
    return view
