"""The filters of the assignment ``filters``: references, checks with points, and the usual mistakes.

Everywhere the image is mirrored at its edge, with the edge pixel repeated (d c b a | a b c d | d c b a):
this is ``np.pad(image, n, mode="symmetric")`` and ``mode="reflect"`` of `scipy.ndimage`.

One mistake costs what belongs to it: only checks of the border look at the border, only checks of the
orientation have kernels and footprints that look different when they are turned by 180 degrees, and only
checks of the footprint have one that is no full rectangle, wherever the filter allows it. Whether a mistake
is found must not depend on the seed. No check is passed by a function that returns its input, zeros, a
constant, or nothing.

The docstring of a check is the title that students read; the docstring of a mistake completes the sentence
"Your result is exactly what comes out when the function …".
"""

# ruff: noqa: D400, D401, D403 - the docstrings are titles and ends of sentences, see above
# ruff: noqa: ARG001 - a mistake has the signature of the function, and may forget an argument

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fairmark.checks import Failure, Recorder, Task, agree, image_of, unaltered

Image = NDArray[Any]
Border = str | float
Arguments = tuple[Any, ...]
Cases = Callable[[np.random.Generator], Iterable[Arguments]]

# --- the inputs of the checks: small, because a student's loops have to go over them --------------------

BOX = np.ones((3, 3), dtype=bool)
SQUARE = np.ones((5, 5), dtype=bool)
CUBE = np.ones((3, 3, 3), dtype=bool)
TALL = np.ones((4, 2), dtype=bool)
TEE = np.array([[1, 1, 1], [0, 1, 0], [0, 1, 0]], dtype=bool)  # looks different upside down and on its side
HOOK = np.array([[1, 0, 0, 0, 0], [1, 1, 1, 0, 1], [0, 0, 1, 1, 0]], dtype=bool)  # as TEE, and not square
EVEN = np.array([[1, 0], [1, 1], [0, 1], [0, 1]], dtype=bool)  # sides 4 and 2, but an odd number of pixels
DIAMOND = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool)  # an even number of pixels
# the same when turned by 180 degrees; the minimum or maximum over a full square hides what is beyond the edge
RING = np.pad(np.zeros((3, 3), dtype=bool), 1, constant_values=True)
CROSS = np.array([[0, 0, 1, 0, 0], [0, 0, 1, 0, 0], [1] * 5, [0, 0, 1, 0, 0], [0, 0, 1, 0, 0]], dtype=bool)
SLANT = np.array([[1, 1, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 1, 1]], dtype=bool)


def _noise(rng: np.random.Generator, *shape: int) -> Image:
    """Return an image of floating-point noise from 0 to 100."""
    return rng.random(shape) * 100


def _bytes(rng: np.random.Generator, *shape: int) -> Image:
    """Return an image of uint8 noise that has dark and bright pixels in plenty."""
    return rng.integers(0, 256, shape, dtype=np.uint8)


def _mask(rng: np.random.Generator, *shape: int, bright: float = 0.5) -> Image:
    """Return a black and white image of dtype bool; the part `bright` of its pixels is True."""
    return rng.random(shape) < bright


def _half_dull(rng: np.random.Generator, *shape: int, sign: int) -> Image:
    """Return noise from 0 to 100 whose left half stays below 30, or above 70 where `sign` is negative.

    No maximum (or minimum) of the left half is as extreme as those of the right half always are.
    """
    image = _noise(rng, *shape)
    image[..., : shape[-1] // 2] *= 0.3
    return image if sign > 0 else 100 - image


def _framed(image: Image, width: int) -> Image:
    """Put a black frame round an image, so that nothing happens at its border."""
    return np.pad(image, width)


def _inner(image: Image, width: int) -> Image:
    """Return the image without a frame."""
    return image[(slice(width, -width),) * image.ndim]


def _symmetric(rng: np.random.Generator, *shape: int) -> Image:
    """Return a kernel with sum 1 that no flip changes, and with equal sides no swapped axes either."""
    kernel = rng.random(shape) + 0.2
    for axis in range(kernel.ndim):
        kernel = kernel + np.flip(kernel, axis)
    if len(set(shape)) == 1:
        turned = [np.transpose(kernel, order) for order in permutations(range(kernel.ndim))]
        kernel = np.sum(turned, axis=0)
    return np.asarray(kernel / kernel.sum())


def _lopsided(rng: np.random.Generator) -> Image:
    """Return a kernel with sum 1 that any flip changes."""
    kernel = 1 + rng.permutation(9).reshape(3, 3)
    return np.asarray(kernel / kernel.sum())


def _spot(shape: tuple[int, ...], at: tuple[int, ...], height: float = 1.0) -> Image:
    """Return a dark image with one bright pixel."""
    image = np.zeros(shape)
    image[at] = height
    return image


# --- filters with open parts: the references use the right ones, the mistakes a wrong one ---------------


def _extend(image: Image, widths: Sequence[tuple[int, int]], border: Border) -> Image:
    """Continue an image beyond its edge: a mode of `np.pad`, or a number that stands outside."""
    if isinstance(border, str):
        return np.pad(image, widths, mode=border)  # type: ignore[call-overload, no-any-return]
    return np.pad(image, widths, constant_values=border)


def _gather(image: Image, sides: Sequence[int], *, border: Border = "symmetric", late: bool = False) -> Image:
    """Stack the image once for every place of a window, moved so that the place comes to lie on the pixel.

    The window begins ``n // 2`` pixels before the pixel; `late` begins it ``(n - 1) // 2`` before, which is
    the same for odd sides and one pixel off for even ones.
    """
    first = [(n - 1) // 2 if late else n // 2 for n in sides]
    wide = _extend(image.astype(float), [(a, n - 1 - a) for a, n in zip(first, sides, strict=True)], border)
    spans = [range(n) for n in sides]
    return np.stack(
        [
            wide[tuple(slice(k, k + size) for k, size in zip(place, image.shape, strict=True))]
            for place in product(*spans)
        ]
    )


def _pick(image: Image, footprint: Image, *, border: Border = "symmetric", late: bool = False) -> Image:
    """Stack the values below the footprint."""
    return _gather(image, footprint.shape, border=border, late=late)[footprint.ravel()]


def _weigh(
    image: Image, kernel: Image, *, border: Border = "symmetric", flip: bool = True, late: bool = True
) -> Image:
    """Sum the values in a window, with the weights of a kernel."""
    weights = np.flip(kernel) if flip else kernel
    stack = _gather(image, kernel.shape, border=border, late=late)
    return np.tensordot(weights.ravel().astype(float), stack, axes=1)


def _blur(
    image: Image,
    sigma: float,
    *,
    border: Border = "symmetric",
    weights: Callable[[float], Image] | None = None,
    axes: Sequence[int] | None = None,
) -> Image:
    """Blur along one axis after the other."""
    line = _bell(sigma) if weights is None else weights(sigma)
    result = image.astype(float)
    for axis in range(image.ndim) if axes is None else axes:
        result = _weigh(
            result, line.reshape([-1 if i == axis else 1 for i in range(image.ndim)]), border=border
        )
    return result


def _bell(sigma: float, *, reach: float = 4.0, spare: float = 0.5) -> Image:
    """Return the weights of a Gaussian, with sum 1."""
    if sigma == 0:
        return np.ones(1)
    x = np.arange(-int(reach * sigma + spare), int(reach * sigma + spare) + 1)
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return np.asarray(weights / weights.sum())


def _mean(image: Image, size: int, *, border: Border = "symmetric", late: bool = False) -> Image:
    """Average over a square window."""
    return np.asarray(_gather(image, [size] * image.ndim, border=border, late=late).mean(axis=0))


SOBEL_X = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]])


def _slopes(image: Image, border: Border = "symmetric", kernel: Image = SOBEL_X) -> tuple[Image, Image]:
    """Return the slopes across and down."""
    return _weigh(image, kernel, border=border), _weigh(image, kernel.T, border=border)


def _curvature(
    image: Image, *, border: Border = "symmetric", axes: Sequence[int] | None = None, centre: float = -2
) -> Image:
    """Sum the second differences along the axes."""
    result = np.zeros(image.shape)
    for axis in range(image.ndim) if axes is None else axes:
        line = np.array([1, centre, 1]).reshape([-1 if i == axis else 1 for i in range(image.ndim)])
        result += _weigh(image, line, border=border)
    return result


def _darkest(image: Image, footprint: Image, **parts: Any) -> Image:
    """Return the smallest value below the footprint."""
    return np.asarray(_pick(image, footprint, **parts).min(axis=0))


def _brightest(image: Image, footprint: Image, **parts: Any) -> Image:
    """Return the largest value below the footprint."""
    return np.asarray(_pick(image, footprint, **parts).max(axis=0))


def _middle(image: Image, footprint: Image, **parts: Any) -> Image:
    """Return the median of the values below the footprint."""
    return np.asarray(np.median(_pick(image, footprint, **parts), axis=0))


def _scatter(image: Image, footprint: Image, **parts: Any) -> Image:
    """Return the population variance of the values below the footprint."""
    return np.asarray(_pick(image, footprint, **parts).var(axis=0))


def _deviation(image: Image, footprint: Image, **parts: Any) -> Image:
    """Return the population standard deviation of the values below the footprint."""
    return np.sqrt(_scatter(image, footprint, **parts))


def _open(image: Image, footprint: Image, border: Border = "symmetric") -> Image:
    """Return the maximum of the minimum."""
    return _brightest(_darkest(image, footprint, border=border), footprint, border=border)


def _close(image: Image, footprint: Image) -> Image:
    """Return the minimum of the maximum."""
    return _darkest(_brightest(image, footprint), footprint)


# --- ways to declare checks and mistakes that many filters share ----------------------------------------


def _scale(image: Image, expected: Image, power: int) -> float:
    """Return the size of the numbers that a filter works with."""
    return max(
        float(np.abs(image.astype(float)).max(initial=0)) ** power, float(np.abs(expected).max(initial=0))
    )


def _expect(  # noqa: PLR0913 - one declaration of a check needs all its words
    task: Task,
    name: str,
    title: str,
    cases: Cases,
    *,
    points: float,
    hint: str,
    inside: int = 0,
    power: int = 1,
) -> None:
    """Declare a check that compares with the reference on images that depend on the seed."""

    def body(function: Recorder, rng: np.random.Generator, reference: Callable[..., Image]) -> None:
        for arguments in cases(rng):
            image, expected = arguments[0], reference(*arguments)
            result = function(*arguments)
            if image.dtype.kind == "b" and isinstance(result, np.ndarray) and result.dtype.kind == "b":
                result = image_of(result, image.shape)  # True counts as 1: some filters keep the dtype
            agree(result, expected, inside=inside, scale=_scale(image, expected, power))

    body.__name__, body.__doc__ = name, title
    task.check(points=points, hint=hint)(body)


def _expect_input_left_alone(task: Task, cases: Cases, *, points: float, inside: int, power: int = 1) -> None:
    """Declare a check that the arguments stay as they are, while the inner pixels come out right."""

    def body(function: Recorder, rng: np.random.Generator, reference: Callable[..., Image]) -> None:
        for arguments in cases(rng):
            expected = reference(*arguments)
            result = function(*arguments)
            unaltered(function)
            agree(result, expected, inside=inside, scale=_scale(arguments[0], expected, power))

    body.__name__ = "input_left_alone"
    body.__doc__ = "What goes into the function is the same afterwards."
    hint = "Write into a new array; image.astype(float) and np.zeros(image.shape) make one."
    task.check(points=points, hint=hint)(body)


def _expect_linear(task: Task, *rest: Any, points: float) -> None:
    """Declare a check that the filter of a weighted sum is the weighted sum of the filtered images."""

    def body(function: Recorder, rng: np.random.Generator) -> None:
        one, two = _noise(rng, 13, 15), _noise(rng, 13, 15)
        both = image_of(function(2 * one - 3 * two, *rest), one.shape)
        parts = 2 * image_of(function(one, *rest), one.shape) - 3 * image_of(function(two, *rest), one.shape)
        agree(both, parts, scale=max(500.0, float(np.abs(parts).max())))
        answer = image_of(function(_spot((13, 15), (6, 7), 10.0), *rest), one.shape)
        strength = float(np.abs(answer).max())
        if np.count_nonzero(np.abs(answer) > 1e-6) < 2 or abs(answer[0, 0]) > 1e-3 * strength:
            raise Failure("A single bright pixel must have an effect on its neighbours, and only on them.")

    body.__name__ = "linear"
    body.__doc__ = "The filter is linear: filtering a sum gives the sum of the filtered images."
    hint = "Only multiply with fixed weights and add: no abs, no clipping, no rounding, no offset."
    task.check(points=points, hint=hint)(body)


_WRONG_BORDERS: tuple[tuple[Border, str], ...] = (
    (0.0, "treats everything outside the image as 0"),
    ("edge", "repeats the edge pixel outside the image instead of mirroring the image"),
    (
        "reflect",
        'mirrors the image without repeating the edge pixel (mode "reflect" of np.pad, not "symmetric")',
    ),
    ("wrap", "continues the image with its opposite side"),
)


def _declare_borders(task: Task, make: Callable[..., Image], reach: Callable[..., Sequence[int]]) -> None:
    """Declare the wrong borders as mistakes.

    Parameters
    ----------
    make : callable
        The filter, with a keyword ``border``.
    reach : callable
        Returns for the same arguments how many pixels along each axis have a window that leaves the image.
    """

    def declare(words: str, border: Border) -> None:
        def wrong(*arguments: Any) -> Image:
            return make(*arguments, border=border)

        wrong.__doc__ = words
        task.mistake(wrong)

    def declare_frame(words: str, *, keep: bool) -> None:
        def wrong(*arguments: Any) -> Image:
            image, result = arguments[0], make(*arguments)
            frame = np.ones(image.shape, dtype=bool)
            widths = reach(*arguments)
            frame[tuple(slice(n, size - n) for n, size in zip(widths, image.shape, strict=True))] = False
            result[frame] = image[frame] if keep else 0
            return result

        wrong.__doc__ = words
        task.mistake(wrong)

    for border, words in _WRONG_BORDERS:  # with a 3x3 window "edge" is right: it is never named there
        declare(words, border)
    declare_frame("leaves the pixels along the border at 0", keep=False)
    declare_frame("takes over the pixels along the border from the image as they are", keep=True)


def _store(result: Image, dtype: np.dtype[Any]) -> Image:
    """Return `result` as numpy stores it in an array of this dtype, the same on every machine."""
    return result.astype(np.int64).astype(dtype) if dtype.kind in "iu" else result.astype(dtype)


def _declare_integer_cut(task: Task, make: Callable[..., Image]) -> None:
    """Declare as mistakes what happens to whole numbers where nobody thinks of them."""

    def cut(*arguments: Any) -> Image:
        """writes its result into an array of the image's dtype, where the digits behind the point are lost"""
        return _store(make(*arguments), arguments[0].dtype)

    def rounded(*arguments: Any) -> Image:
        """rounds its result to whole numbers"""
        return np.round(make(*arguments))

    def floored(*arguments: Any) -> Image:
        """divides without a remainder (//), or drops the digits behind the point"""
        return np.floor(make(*arguments))

    for mistake in (cut, rounded, floored):
        task.mistake(mistake)


def _half(image: Image, size: int) -> list[int]:
    return [size // 2] * image.ndim


def _half_sides(_image: Image, window: Image) -> list[int]:
    return [n // 2 for n in window.shape]


def _radius(image: Image, sigma: float) -> list[int]:
    return [int(4 * sigma + 0.5)] * image.ndim


def _one(image: Image) -> list[int]:
    return [1] * image.ndim


# --- convolve -------------------------------------------------------------------------------------------


def reference_convolve(image: Image, kernel: Image) -> Image:
    """Convolve an image or a stack with a kernel."""
    return np.asarray(ndimage.convolve(image.astype(float), np.asarray(kernel, dtype=float), mode="reflect"))


convolve = Task("Convolution with a kernel", reference=reference_convolve)
_FLIP = "A convolution turns the kernel round in all directions first: np.flip(kernel)."
_MIRROR = 'Mirror the image with the edge pixel repeated: np.pad(image, n, mode="symmetric").'
_EVEN_HINT = "A side of even length n begins n // 2 pixels before the pixel and ends n // 2 - 1 after it."
_FLOAT = "Begin with image.astype(float): whole numbers lose digits, and uint8 starts again at 0 after 255."
_STACK = "Use image.ndim and image.shape instead of two fixed axes."


@convolve.check(points=0.75, hint=_FLIP)
def bright_pixel_becomes_kernel(function: Recorder, rng: np.random.Generator) -> None:
    """A single bright pixel becomes a copy of the kernel, wherever it is."""
    kernel = rng.permutation(np.arange(1.0, 10.0)).reshape(3, 3)
    expected = np.zeros((11, 13))
    row, column = int(rng.integers(2, 9)), int(rng.integers(2, 11))
    expected[row - 1 : row + 2, column - 1 : column + 2] = kernel
    agree(function(_spot(expected.shape, (row, column)), kernel), expected)


_expect(
    convolve,
    "inside",
    "Away from the border every pixel is the weighted sum of its neighbours.",
    lambda rng: [(_noise(rng, 12, 17), rng.permutation(np.arange(1.0, 10.0)).reshape(3, 3))],
    points=0.5,
    hint=f"{_FLIP} Do not divide by anything.",
    inside=1,
)
_expect(
    convolve,
    "border",
    "At the border the image is mirrored, with the edge pixel repeated.",
    lambda rng: [(_noise(rng, 12, 17), _symmetric(rng, 5, 5))],
    points=0.5,
    hint=_MIRROR,
)
_expect(
    convolve,
    "oblong_kernels",
    "Kernels need not be square.",
    lambda rng: [(_noise(rng, 11, 14), _symmetric(rng, 1, 5)), (_noise(rng, 11, 14), _symmetric(rng, 5, 3))],
    points=0.5,
    hint="kernel.shape has one number for the rows and one for the columns; pad each axis by its own half.",
    inside=2,
)
_expect(
    convolve,
    "even_kernels",
    "Kernels may have sides of even length.",
    lambda rng: [(_noise(rng, 11, 14), _symmetric(rng, 2, 2)), (_noise(rng, 11, 14), _symmetric(rng, 4, 3))],
    points=0.5,
    hint="result[i] is the sum of kernel[k] * image[i - k + n // 2]; for even n both sides differ in width.",
    inside=2,
)
_expect_linear(convolve, np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0], [0.5, 0.0, 1.0]]), points=0.25)
_expect(
    convolve,
    "whole_numbers",
    "Images of whole numbers or bools are no problem.",
    lambda rng: [
        (_bytes(rng, 9, 12), np.array([[-0.25, 1.0, -0.25], [1.0, 1.75, 1.0], [-0.25, 1.0, -0.25]])),
        (_mask(rng, 9, 12), np.array([[-2, 1, -2], [1, 3, 1], [-2, 1, -2]])),
    ],
    points=0.25,
    hint=_FLOAT,
    inside=1,
)
_expect_input_left_alone(
    convolve,
    # who flips the kernel in its place alters only a lopsided one; in a flat image no flip can be seen
    lambda rng: [(_noise(rng, 8, 10), _symmetric(rng, 3, 3)), (np.full((6, 7), 8.0), _lopsided(rng))],
    points=0.25,
    inside=1,
)
_expect(
    convolve,
    "stack",
    "It works for stacks (3-D), too.",
    lambda rng: [(_noise(rng, 5, 6, 7), _symmetric(rng, 3, 3, 3))],
    points=0.5,
    hint=_STACK,
    inside=1,
)


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """does not flip the kernel (this is a correlation)"""
    return _weigh(image, kernel, flip=False, late=False)


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """flips the kernel up and down, but not left and right"""
    return _weigh(image, kernel[:, ::-1])


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """flips the kernel left and right, but not up and down"""
    return _weigh(image, kernel[::-1])


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """swaps rows and columns of the kernel"""
    return _weigh(image, kernel.T)


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """divides by the sum of the kernel"""
    return np.asarray(reference_convolve(image, kernel) / np.sum(kernel))


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """divides by the number of pixels in the kernel"""
    return reference_convolve(image, kernel) / np.size(kernel)


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """begins the window one pixel off where a side of the kernel is even"""
    return _weigh(image, kernel, late=False)


@convolve.mistake
def _(image: Image, kernel: Image) -> Image:
    """does not flip the kernel, and begins the window one pixel off where a side of the kernel is even"""
    return _weigh(image, kernel, flip=False, late=True)


_declare_borders(convolve, _weigh, _half_sides)
_declare_integer_cut(convolve, _weigh)

# --- mean -----------------------------------------------------------------------------------------------


def reference_mean(image: Image, size: int) -> Image:
    """Average over a window of `size` pixels along each axis."""
    return np.asarray(ndimage.uniform_filter(image.astype(float), size, mode="reflect"))


mean = Task("Mean filter", reference=reference_mean)


@mean.check(points=0.5, hint="Divide the sum by the number of pixels in the window: size * size.")
def flat_stays_flat(function: Recorder, rng: np.random.Generator) -> None:
    """A flat image stays flat, and a bright pixel is spread evenly over its window."""
    image = np.full((9, 12), 5.0)
    row, column = int(rng.integers(2, 7)), int(rng.integers(2, 10))
    image[row, column] += 9
    expected = np.full((9, 12), 5.0)
    expected[row - 1 : row + 2, column - 1 : column + 2] += 1
    agree(function(image, 3), expected, inside=1)


_expect(
    mean,
    "inside",
    "Away from the border every pixel is the mean of its window.",
    lambda rng: [(_noise(rng, 11, 16), 3)],
    points=0.5,
    hint="The window of size 3 goes from one pixel before to one pixel after, along both axes.",
    inside=1,
)
_expect(
    mean,
    "border",
    "At the border the image is mirrored, with the edge pixel repeated.",
    lambda rng: [(_noise(rng, 11, 16), 5)],
    points=0.75,
    hint=_MIRROR,
)
_expect(
    mean,
    "even_sizes",
    "The size of the window may be even.",
    lambda rng: [(_noise(rng, 10, 13), 4), (_noise(rng, 10, 13), 2)],
    points=0.5,
    hint=_EVEN_HINT,
    inside=2,
)


@mean.check(points=0.25, hint="Divide by the number of pixels in the window.")
def mean_kept_noise_falls(
    function: Recorder, rng: np.random.Generator, reference: Callable[..., Image]
) -> None:
    """The mean of the whole image is kept, and a 3x3 window cuts its noise to a third."""
    image = _framed(9.0 * rng.integers(0, 12, (20, 26)), 2)  # every mean is a whole number
    result = image_of(function(image, 3), image.shape)
    if abs(result.mean() - image.mean()) > 1e-3:
        raise Failure(f"The mean of the image was {image.mean():.6g} before and is {result.mean():.6g} now.")
    noise, *left = (_inner(part, 3).std() for part in (image, result, reference(image, 3)))
    if abs(left[0] - left[1]) > 0.02 * noise:
        raise Failure(
            f"The noise falls to {100 * left[0] / noise:.0f} % of what it was; "
            f"for this window it must be {100 * left[1] / noise:.0f} %."
        )


_expect_linear(mean, 3, points=0.25)
_expect(
    mean,
    "whole_numbers",
    "Images of whole numbers or bools give means with digits behind the point.",
    lambda rng: [(_bytes(rng, 9, 12), 3), (_mask(rng, 9, 12), 3)],
    points=0.5,
    hint=_FLOAT,
    inside=1,
)
_expect_input_left_alone(mean, lambda rng: [(_noise(rng, 8, 10), 3)], points=0.25, inside=1)
_expect(
    mean,
    "stack",
    "It works for stacks (3-D), too.",
    lambda rng: [(_noise(rng, 5, 6, 7), 3)],
    points=0.5,
    hint=f"{_STACK} The window has size ** image.ndim pixels.",
    inside=1,
)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """adds up the pixels of the window and forgets to divide"""
    return np.asarray(_mean(image, size) * size**image.ndim)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """divides by size once, instead of by the number of pixels in the window"""
    return np.asarray(_mean(image, size) * size ** (image.ndim - 1))


@mean.mistake
def _(image: Image, size: int) -> Image:
    """divides by size * size in a stack, too, where the window has size ** 3 pixels"""
    return np.asarray(_mean(image, size) * size ** (image.ndim - 2))


@mean.mistake
def _(image: Image, size: int) -> Image:
    """begins the window one pixel off where the size is even"""
    return _mean(image, size, late=True)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """makes a window of even size one pixel larger"""
    return _mean(image, 2 * (size // 2) + 1)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """makes a window of even size one pixel smaller"""
    return _mean(image, 2 * ((size - 1) // 2) + 1)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """takes size for the number of pixels on each side of the middle"""
    return _mean(image, 2 * size + 1)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """averages along the rows (the last axis) only"""
    return np.asarray(_gather(image, [1] * (image.ndim - 1) + [size]).mean(axis=0))


@mean.mistake
def _(image: Image, size: int) -> Image:
    """averages along the first axis only"""
    return np.asarray(_gather(image, [size] + [1] * (image.ndim - 1)).mean(axis=0))


@mean.mistake
def _(image: Image, size: int) -> Image:
    """filters a stack slice by slice"""
    return np.stack([_mean(part, size) for part in image]) if image.ndim == 3 else _mean(image, size)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """leaves out what lies outside the image instead of mirroring, and divides by the pixels that are left"""
    return _mean(image, size, border=0.0) / _mean(np.ones(image.shape), size, border=0.0)


@mean.mistake
def _(image: Image, size: int) -> Image:
    """takes the median instead of the mean"""
    return _middle(image, np.ones([size] * image.ndim, dtype=bool))


_declare_borders(mean, _mean, _half)
_declare_integer_cut(mean, _mean)

# --- Gaussian -------------------------------------------------------------------------------------------


def reference_gaussian(image: Image, sigma: float) -> Image:
    """Blur with a Gaussian that is cut off after 4 sigma."""
    return np.asarray(ndimage.gaussian_filter(image.astype(float), sigma, mode="reflect", truncate=4.0))


gaussian = Task("Gaussian filter", reference=reference_gaussian)
_BELL = "The weights are exp(-x**2 / (2 * sigma**2)), divided by their sum."


@gaussian.check(points=0.5, hint=_BELL)
def bell_has_width(function: Recorder, reference: Callable[..., Image]) -> None:
    """A bright pixel becomes a bell: just as wide along both axes, and sigma 2 twice as wide as sigma 1."""
    image = _spot((35, 37), (17, 18), 100.0)
    for sigma in (1.0, 2.0):
        result = image_of(function(image, sigma), image.shape)
        expected = reference(image, sigma)
        for axis, name in ((0, "down"), (1, "across")):
            there, here = _width(expected, axis), _width(result, axis)
            if not abs(here - there) < 0.05 * there:
                raise Failure(
                    f"For sigma {sigma:.0f} the bell is {here:.3g} wide {name}; it should be {there:.3g}."
                )


def _width(image: Image, axis: int) -> float:
    """Return the standard deviation of a bright spot along an axis, or 0 where there is no spot."""
    profile = image.sum(axis=1 - axis)
    total = float(profile.sum())
    if abs(total) < 1e-9:
        return 0.0
    x = np.arange(profile.size)
    middle = (profile * x).sum() / total
    return math.sqrt(max(float((profile * (x - middle) ** 2).sum() / total), 0.0))


_expect(
    gaussian,
    "inside",
    "Away from the border every pixel is the weighted mean of its neighbours.",
    lambda rng: [(_noise(rng, 14, 18), 1.0)],
    points=0.5,
    hint=f"{_BELL} Filter along the rows first, then that result along the columns.",
    inside=4,
)
_expect(
    gaussian,
    "border",
    "At the border the image is mirrored, with the edge pixel repeated.",
    lambda rng: [(_noise(rng, 11, 16), 0.6)],
    points=0.5,
    hint=_MIRROR,
)


@gaussian.check(points=0.25, hint="Sigma 0 means no blur; 2 * sigma**2 would divide by 0 there.")
def sigma_zero(function: Recorder, rng: np.random.Generator) -> None:
    """Sigma 0 changes nothing, a larger sigma smooths more."""
    image = _noise(rng, 20, 22)
    agree(function(image, 0), image)
    blurred = (image_of(function(image, sigma), image.shape) for sigma in (0.6, 1.2))
    before, some, much = (_inner(part, 5).std() for part in (image, *blurred))
    if not 0.01 < much < 0.9 * some < 0.9 * before:
        raise Failure("A larger sigma must leave less noise in the image.")


@gaussian.check(points=0.5, hint="The radius is int(4 * sigma + 0.5): weights for x from -radius to radius.")
def reach(function: Recorder) -> None:
    """The weights reach int(4 * sigma + 0.5) pixels to each side."""
    for sigma, radius in ((0.7, 3), (1.3, 5), (0.9, 4)):
        image = _spot((21, 23), (10, 11), 1000.0)
        result = image_of(function(image, sigma), image.shape)
        for line, name in ((result[10], "across"), (result[:, 11], "down")):
            touched = np.flatnonzero(np.abs(line) > 1e-9 * max(float(np.abs(result).max()), 1e-9))
            far = int(np.abs(touched - len(line) // 2).max(initial=0))
            if far != radius:
                raise Failure(
                    f"For sigma {sigma} a bright pixel reaches {far} pixels {name}; it should be {radius}."
                )


@gaussian.check(points=0.25, hint="Divide the weights by their sum.")
def mean_kept(function: Recorder, rng: np.random.Generator) -> None:
    """The mean of the image is kept while its noise falls."""
    image = _framed(_noise(rng, 24, 28), 8)  # the window of no bright pixel leaves the image
    result = image_of(function(image, 1.0), image.shape)
    if abs(result.mean() - image.mean()) > 1e-3:
        raise Failure(f"The mean of the image was {image.mean():.6g} before and is {result.mean():.6g} now.")
    if not 0.03 < _inner(result, 12).std() / _inner(image, 12).std() < 0.8:
        raise Failure("The noise of the image must fall to about a third for sigma 1.")


_expect_linear(gaussian, 0.8, points=0.25)
_expect(
    gaussian,
    "whole_numbers",
    "Images of whole numbers or bools give results with digits behind the point.",
    lambda rng: [(_bytes(rng, 13, 15), 1.0), (_mask(rng, 13, 15), 1.0)],
    points=0.5,
    hint=_FLOAT,
    inside=4,
)
_expect_input_left_alone(gaussian, lambda rng: [(_noise(rng, 12, 13), 1.0)], points=0.25, inside=4)
_expect(
    gaussian,
    "stack",
    "It works for stacks (3-D), too.",
    lambda rng: [(_noise(rng, 6, 7, 8), 0.6)],
    points=0.5,
    hint=f"{_STACK} Filter along every axis, one after the other.",
    inside=2,
)


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """takes sigma for the variance: exp(-x**2 / (2 * sigma))"""
    return _blur(image, sigma, weights=lambda s: _shape(s, lambda x: x**2 / (2 * s)))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """leaves out the 2: exp(-x**2 / sigma**2)"""
    return _blur(image, sigma, weights=lambda s: _shape(s, lambda x: x**2 / s**2))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """forgets the square: exp(-abs(x) / (2 * sigma**2))"""
    return _blur(image, sigma, weights=lambda s: _shape(s, lambda x: np.abs(x) / (2 * s**2)))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """does not divide the weights by their sum"""
    return _blur(image, sigma, weights=lambda s: _shape(s, lambda x: x**2 / (2 * s**2), total=1.0))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """divides by sqrt(2 pi) sigma instead of by the sum of the weights"""
    total = math.sqrt(2 * math.pi) * sigma
    return _blur(image, sigma, weights=lambda s: _shape(s, lambda x: x**2 / (2 * s**2), total=total))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """cuts the weights off after 3 sigma instead of 4"""
    return _blur(image, sigma, weights=lambda s: _bell(s, reach=3))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """cuts the weights off after 2 sigma instead of 4"""
    return _blur(image, sigma, weights=lambda s: _bell(s, reach=2))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """forgets to round the radius: int(4 * sigma)"""
    return _blur(image, sigma, weights=lambda s: _bell(s, spare=0))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """rounds the radius up"""
    return _blur(image, sigma, weights=lambda s: _bell(s, spare=1 - 1e-9))


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """blurs along the rows (the last axis) only"""
    return _blur(image, sigma, axes=[image.ndim - 1])


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """blurs along the first axis only"""
    return _blur(image, sigma, axes=[0])


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """blurs only the last two axes: a stack is filtered slice by slice"""
    return _blur(image, sigma, axes=[image.ndim - 2, image.ndim - 1])


@gaussian.mistake
def _(image: Image, sigma: float) -> Image:
    """blurs only the first two axes"""
    return _blur(image, sigma, axes=[0, 1])


def _shape(sigma: float, exponent: Callable[[Image], Image], total: float | None = None) -> Image:
    """Return weights of another form, on the right places; `total` is what they are divided by."""
    if sigma == 0:
        return np.ones(1)
    radius = int(4 * sigma + 0.5)
    weights = np.exp(-exponent(np.arange(-radius, radius + 1)))
    return np.asarray(weights / (weights.sum() if total is None else total))


_declare_borders(gaussian, _blur, _radius)
_declare_integer_cut(gaussian, _blur)

# --- Sobel ----------------------------------------------------------------------------------------------


def reference_sobel(image: Image) -> Image:
    """Return the magnitude of the slope."""
    image = image.astype(float)
    down, across = (ndimage.sobel(image, axis=axis, mode="reflect") for axis in (0, 1))
    return np.asarray(np.hypot(across, down))


sobel = Task("Sobel magnitude", reference=reference_sobel)
_MAGNITUDE = "Convolve with [[1, 0, -1], [2, 0, -2], [1, 0, -1]] and its transpose, then sqrt(gx**2 + gy**2)."


def _edge(shape: tuple[int, int], axis: int, at: int) -> tuple[Image, Image]:
    """Return an edge of height 10, and its Sobel magnitude."""
    image, expected = np.zeros(shape), np.zeros(shape)
    np.moveaxis(image, axis, 0)[at:] = 10
    np.moveaxis(expected, axis, 0)[at - 1 : at + 1] = 40
    return image, expected


@sobel.check(points=0.5, hint=_MAGNITUDE)
def upright_edge(function: Recorder, rng: np.random.Generator) -> None:
    """An upright edge of height 10 gives 40 on both sides; flat parts give 0."""
    image, expected = _edge((9, 14), 1, int(rng.integers(4, 11)))
    agree(function(image), expected, inside=1)
    agree(function(image[:, ::-1] + 5), expected[:, ::-1], inside=1)


@sobel.check(points=0.5, hint=_MAGNITUDE)
def level_edge(function: Recorder, rng: np.random.Generator) -> None:
    """A level edge of height 10 gives 40 on both sides; flat parts give 0."""
    image, expected = _edge((14, 9), 0, int(rng.integers(4, 11)))
    agree(function(image), expected, inside=1)
    agree(function(image[::-1] + 5), expected[::-1], inside=1)


@sobel.check(points=0.25, hint="Add the squares of both directions and take the root of the sum.")
def ramp(function: Recorder) -> None:
    """A slanted plane has the same slope in every direction it may be turned to."""
    rows, columns = np.mgrid[:9, :12].astype(float)
    for down, across in ((3.0, 4.0), (4.0, -3.0), (-5.0, 0.0)):
        agree(function(down * rows + across * columns), np.full(rows.shape, 40.0), inside=1)


_expect(
    sobel,
    "inside",
    "Away from the border every pixel is the magnitude of the slope.",
    lambda rng: [(_noise(rng, 12, 17),)],
    points=0.5,
    hint=_MAGNITUDE,
    inside=1,
)
_expect(
    sobel,
    "border",
    "At the border the image is mirrored, with the edge pixel repeated.",
    lambda rng: [(_noise(rng, 12, 17),)],
    points=0.5,
    hint=_MIRROR,
)
_expect(
    sobel,
    "whole_numbers",
    "Images of whole numbers or bools are no problem: differences may be negative.",
    lambda rng: [(_bytes(rng, 9, 12),), (_mask(rng, 9, 12),)],
    points=0.25,
    hint=_FLOAT,
    inside=1,
)


@sobel.check(points=0.25, hint=_MAGNITUDE)
def symmetries(function: Recorder, rng: np.random.Generator) -> None:
    """A turned or inverted image has the same edges; twice the contrast gives twice the magnitude."""
    image = _noise(rng, 10, 13)
    result = image_of(function(image), image.shape)
    if not (_inner(result, 1).min() > -1e-6 and _inner(result, 1).mean() > 1):
        raise Failure("A magnitude is never negative, and noise has edges everywhere.")
    agree(function(100 - 2 * image), 2 * result, inside=1, scale=1000.0)
    agree(function(np.rot90(image)), np.rot90(result), inside=1, scale=1000.0)
    agree(function(image + 1000), result, inside=1, scale=1000.0)


_expect_input_left_alone(sobel, lambda rng: [(_noise(rng, 8, 10),)], points=0.25, inside=1)


@sobel.mistake
def _(image: Image) -> Image:
    """takes only the slope from left to right"""
    return np.abs(_slopes(image)[0])


@sobel.mistake
def _(image: Image) -> Image:
    """takes only the slope from top to bottom"""
    return np.abs(_slopes(image)[1])


@sobel.mistake
def _(image: Image) -> Image:
    """takes only the slope from left to right, with its sign"""
    return _slopes(image)[0]


@sobel.mistake
def _(image: Image) -> Image:
    """takes only the slope from top to bottom, with its sign"""
    return _slopes(image)[1]


@sobel.mistake
def _(image: Image) -> Image:
    """adds the absolute values of both directions instead of the squares"""
    across, down = _slopes(image)
    return np.abs(across) + np.abs(down)


@sobel.mistake
def _(image: Image) -> Image:
    """adds both directions without squares"""
    return np.add(*_slopes(image))


@sobel.mistake
def _(image: Image) -> Image:
    """forgets the root of the sum of squares"""
    return reference_sobel(image) ** 2


@sobel.mistake
def _(image: Image) -> Image:
    """takes the larger of both directions"""
    across, down = _slopes(image)
    return np.maximum(np.abs(across), np.abs(down))


@sobel.mistake
def _(image: Image) -> Image:
    """has 1 instead of 2 in the middle of the kernel (this is the Prewitt filter)"""
    return np.hypot(*_slopes(image, kernel=np.array([[1, 0, -1]] * 3)))


@sobel.mistake
def _(image: Image) -> Image:
    """divides by 8"""
    return reference_sobel(image) / 8


@sobel.mistake
def _(image: Image) -> Image:
    """divides by 4"""
    return reference_sobel(image) / 4


@sobel.mistake
def _(image: Image) -> Image:
    """divides by 4 and by the root of 2, as skimage.filters.sobel does"""
    return reference_sobel(image) / math.sqrt(32)


def _sobel_with(image: Image, *, border: Border = "symmetric") -> Image:
    return np.hypot(*_slopes(image, border))


@sobel.mistake
def _(image: Image) -> Image:
    """calculates in the image's own dtype, where whole numbers below 0 start again at the top"""
    across, down = (_store(part, image.dtype).astype(float) for part in _slopes(image))
    return np.asarray(np.hypot(across, down))


_declare_borders(sobel, _sobel_with, _one)
_declare_integer_cut(sobel, _sobel_with)

# --- Laplace --------------------------------------------------------------------------------------------


def reference_laplace(image: Image) -> Image:
    """Sum the second differences along all axes."""
    return np.asarray(ndimage.laplace(image.astype(float), mode="reflect"))


laplace = Task("Laplace filter", reference=reference_laplace)
_SECOND = "Along each axis: the pixel before - 2 * the pixel + the pixel after; then the sum over the axes."


@laplace.check(points=0.25, hint=_SECOND)
def bright_pixel(function: Recorder, rng: np.random.Generator) -> None:
    """A bright pixel becomes -4 in its place, 1 above, below, left and right, and 0 elsewhere."""
    row, column = int(rng.integers(2, 7)), int(rng.integers(2, 9))
    expected = np.zeros((9, 11))
    expected[row - 1 : row + 2, column - 1 : column + 2] = [[0, 1, 0], [1, -4, 1], [0, 1, 0]]
    agree(function(_spot(expected.shape, (row, column))), expected, inside=1)


@laplace.check(points=0.25, hint=_SECOND)
def bowl(function: Recorder) -> None:
    """A bowl has the same curvature everywhere; a slanted plane has none and may be added."""
    rows, columns = np.mgrid[:9, :12].astype(float)
    plane = 7 + 2 * rows - 3 * columns
    agree(function(rows**2 + plane), np.full(rows.shape, 2.0), inside=1, scale=100.0)
    agree(function(3 * columns**2 + plane), np.full(rows.shape, 6.0), inside=1, scale=100.0)


_expect(
    laplace,
    "inside",
    "Away from the border every pixel is the sum of the second differences.",
    lambda rng: [(_noise(rng, 12, 17),)],
    points=0.5,
    hint=_SECOND,
    inside=1,
)
_expect(
    laplace,
    "border",
    "At the border the image is mirrored, with the edge pixel repeated.",
    lambda rng: [(_noise(rng, 12, 17),)],
    points=0.5,
    hint=_MIRROR,
)
_expect_linear(laplace, points=0.25)
_expect(
    laplace,
    "whole_numbers",
    "Images of whole numbers or bools are no problem: the result may be negative.",
    lambda rng: [(_bytes(rng, 9, 12),), (_mask(rng, 9, 12),)],
    points=0.5,
    hint=_FLOAT,
    inside=1,
)
_expect_input_left_alone(laplace, lambda rng: [(_noise(rng, 8, 10),)], points=0.25, inside=1)
_expect(
    laplace,
    "stack",
    "It works for stacks (3-D), too.",
    lambda rng: [(_noise(rng, 5, 6, 7),)],
    points=0.5,
    hint=f"{_STACK} With three axes the middle weight is -6.",
    inside=1,
)


@laplace.mistake
def _(image: Image) -> Image:
    """has the wrong sign (4 in the middle and -1 around it)"""
    return -reference_laplace(image)


@laplace.mistake
def _(image: Image) -> Image:
    """uses all 8 neighbours instead of 4"""
    kernel = np.ones([3] * image.ndim)
    kernel[(1,) * image.ndim] -= kernel.size
    return _weigh(image, kernel)


@laplace.mistake
def _(image: Image) -> Image:
    """uses all 8 neighbours, with the wrong sign"""
    kernel = -np.ones([3] * image.ndim)
    kernel[(1,) * image.ndim] += kernel.size
    return _weigh(image, kernel)


@laplace.mistake
def _(image: Image) -> Image:
    """forgets the middle pixel"""
    return _curvature(image, centre=0)


@laplace.mistake
def _(image: Image) -> Image:
    """takes the middle pixel once per axis instead of twice"""
    return _curvature(image, centre=-1)


@laplace.mistake
def _(image: Image) -> Image:
    """works along the first axis only"""
    return _curvature(image, axes=[0])


@laplace.mistake
def _(image: Image) -> Image:
    """works along the last axis only"""
    return _curvature(image, axes=[image.ndim - 1])


@laplace.mistake
def _(image: Image) -> Image:
    """works along the last two axes only: a stack is filtered slice by slice"""
    return _curvature(image, axes=[image.ndim - 2, image.ndim - 1])


@laplace.mistake
def _(image: Image) -> Image:
    """takes -4 for the middle pixel in a stack, too, where it is -6"""
    return _curvature(image, centre=-4 / image.ndim)


@laplace.mistake
def _(image: Image) -> Image:
    """returns the absolute value"""
    return np.abs(reference_laplace(image))


@laplace.mistake
def _(image: Image) -> Image:
    """cuts off what is below 0"""
    return np.maximum(reference_laplace(image), 0)


_declare_borders(laplace, _curvature, _one)
_declare_integer_cut(laplace, _curvature)

# --- filters over a footprint ---------------------------------------------------------------------------

_ORIGIN = (
    "result[i] looks at image[i + k - n // 2] wherever footprint[k] is True; the footprint is not flipped."
)
_SELECT = "Only pixels where the footprint is True count: window[footprint] picks them."


def _declare_footprint_mistakes(
    task: Task, make: Callable[..., Image], reduce: Callable[[Image], Image]
) -> None:
    """Declare what may go wrong with a footprint; `reduce` makes one pixel out of each stack of values."""

    def box(image: Image, footprint: Image) -> Image:
        """ignores the footprint's values and uses its whole rectangle"""
        return make(image, np.ones_like(footprint))

    def flipped(image: Image, footprint: Image) -> Image:
        """flips the footprint, as a convolution does"""
        return make(image, np.flip(footprint), late=True)

    def turned(image: Image, footprint: Image) -> Image:
        """flips the footprint, and begins the window one pixel off where a side is even"""
        return make(image, np.flip(footprint))

    def swapped(image: Image, footprint: Image) -> Image:
        """swaps rows and columns of the footprint"""
        return make(image, footprint.T)

    def late(image: Image, footprint: Image) -> Image:
        """begins the window one pixel off where a side of the footprint is even"""
        return make(image, footprint, late=True)

    def multiplied(image: Image, footprint: Image) -> Image:
        """multiplies with the footprint, so that the pixels beside it count as 0 instead of not at all"""
        weights = footprint.reshape(-1, *[1] * image.ndim)
        return reduce(_gather(image, footprint.shape) * weights)

    def fixed(image: Image, footprint: Image) -> Image:
        """always uses a window of 3 pixels along each axis"""
        return make(image, np.ones([3] * footprint.ndim, dtype=bool))

    for mistake in (box, flipped, turned, swapped, late, multiplied, fixed):
        task.mistake(mistake)
    _declare_borders(task, make, _half_sides)


@dataclass(frozen=True, slots=True)
class Sight:
    """What the shared checks over a footprint look at.

    Parameters
    ----------
    noise : callable
        Makes an image from a random generator and a shape.
    shift : float
        What is added to the noise in the check of the border, so that a 0 from elsewhere shows.
    bright : float
        The part of True in masks: enough of both values have to come out of the filter.
    rim : array of bool
        The footprint in the check of the border, the same when turned by 180 degrees.
    even : array of bool
        The footprint with even sides.
    """

    noise: Callable[..., Image] = _noise
    shift: float = -50
    bright: float = 0.5
    rim: Image = field(default_factory=SQUARE.copy)
    even: Image = field(default_factory=TALL.copy)


def _expect_footprints(
    task: Task, points: dict[str, float], *, power: int = 1, sight: Sight | None = None
) -> None:
    """Declare the checks that all filters over a footprint share."""
    sight = sight or Sight()
    noise = sight.noise
    _expect(
        task,
        "inside",
        "Away from the border every pixel comes from the pixels around it.",
        lambda rng: [(noise(rng, 11, 16), BOX)],
        points=points["inside"],
        hint=_SELECT,
        inside=1,
        power=power,
    )
    if "footprint" in points:
        _expect(
            task,
            "footprint",
            "Only the pixels below the footprint count, and the footprint is not flipped.",
            lambda rng: [(noise(rng, 10, 14), TEE), (noise(rng, 10, 14), HOOK)],
            points=points["footprint"],
            hint=f"{_SELECT} {_ORIGIN}",
            inside=2,
            power=power,
        )
    _expect(
        task,
        "border",
        "At the border the image is mirrored, with the edge pixel repeated.",
        lambda rng: [(noise(rng, 11, 16) + sight.shift, sight.rim)],
        points=points["border"],
        hint=_MIRROR,
        power=power,
    )
    _expect(
        task,
        "even_sides",
        "The sides of the footprint may be even.",
        lambda rng: [(noise(rng, 10, 13), sight.even), (noise(rng, 10, 13), sight.even.T)],
        points=points["even_sides"],
        hint=f"{_ORIGIN} {_EVEN_HINT}",
        inside=2,
        power=power,
    )
    _expect(
        task,
        "whole_numbers",
        "Images of whole numbers or bools are no problem.",
        lambda rng: [(_bytes(rng, 10, 13), BOX), (_mask(rng, 10, 13, bright=sight.bright), BOX)],
        points=points["whole_numbers"],
        hint=_FLOAT,
        inside=1,
        power=power,
    )
    _expect_input_left_alone(
        task,
        lambda rng: [(noise(rng, 8, 10), BOX.copy())],
        points=points["input_left_alone"],
        inside=1,
        power=power,
    )


# --- minimum and maximum --------------------------------------------------------------------------------


def reference_minimum(image: Image, footprint: Image) -> Image:
    """Return the smallest value below the footprint."""
    return _darkest(image, footprint)


def reference_maximum(image: Image, footprint: Image) -> Image:
    """Return the largest value below the footprint."""
    return _brightest(image, footprint)


minimum = Task("Minimum filter", reference=reference_minimum)
maximum = Task("Maximum filter", reference=reference_maximum)


def _expect_extremes(task: Task, sign: int, words: tuple[str, str, str]) -> None:
    """Declare the checks of the minimum (`sign` -1) and of the maximum (`sign` 1)."""
    own, name, bound = words
    noise = partial(_half_dull, sign=sign)

    def only_values_of_image(function: Recorder, rng: np.random.Generator) -> None:
        image = noise(rng, 12, 15)
        result = image_of(function(image, BOX), image.shape)
        values = _inner(result, 1)
        if not np.isclose(values[..., None], image.ravel(), rtol=1e-6, atol=1e-4).any(axis=-1).all():
            raise Failure("The result holds values that are nowhere in the image.")
        gain = sign * (values - _inner(image, 1))
        if gain.min() < -1e-4 or gain.mean() < 10:
            raise Failure(f"In noise the result must be {bound} the image at nearly every pixel.")
        agree(function(image * 2 + 50, BOX), result * 2 + 50, inside=1, scale=250.0)

    only_values_of_image.__doc__ = f"The result holds only values of the image, {bound} the image itself."
    hint = f"The {name} of the window is one of its pixels: nothing is averaged."
    task.check(points=0.25, hint=hint)(only_values_of_image)

    def pixel_spreads(function: Recorder, rng: np.random.Generator, reference: Callable[..., Image]) -> None:
        at = int(rng.integers(3, 7)), int(rng.integers(3, 10))
        image = sign * (_spot((10, 13), at, 40.0) - 90)  # so that a 0 from elsewhere would show
        agree(function(image, TEE), reference(image, TEE), inside=1)

    pixel_spreads.__doc__ = f"A single {own} pixel spreads in the form of the footprint."
    task.check(points=0.25, hint=f"{_SELECT} {_ORIGIN}")(pixel_spreads)
    quarter = dict.fromkeys(("inside", "border", "even_sides", "whole_numbers", "input_left_alone"), 0.25)
    sight = Sight(noise, shift=-50 - 60 * sign, bright=0.5 - 0.4 * sign, rim=RING)
    _expect_footprints(task, quarter, sight=sight)
    _expect(
        task,
        "stack",
        "It works for stacks (3-D), too.",
        lambda rng: [(noise(rng, 6, 7, 8), CUBE)],
        points=0.25,
        hint=_STACK,
        inside=1,
    )


_expect_extremes(minimum, -1, ("dark", "minimum", "darker than"))
_expect_extremes(maximum, 1, ("bright", "maximum", "brighter than"))


@minimum.mistake
def _(image: Image, footprint: Image) -> Image:
    """takes the maximum instead of the minimum"""
    return _brightest(image, footprint)


@maximum.mistake
def _(image: Image, footprint: Image) -> Image:
    """takes the minimum instead of the maximum"""
    return _darkest(image, footprint)


@minimum.mistake
def _(image: Image, footprint: Image) -> Image:
    """leaves out what lies outside the image instead of mirroring"""
    return _darkest(image, footprint, border=math.inf)


@maximum.mistake
def _(image: Image, footprint: Image) -> Image:
    """leaves out what lies outside the image instead of mirroring"""
    return _brightest(image, footprint, border=-math.inf)


@minimum.mistake
def _(image: Image, footprint: Image) -> Image:
    """filters a stack slice by slice, with the middle slice of the footprint"""
    return (
        _darkest(image, footprint[len(footprint) // 2][None])
        if image.ndim == 3
        else _darkest(image, footprint)
    )


@maximum.mistake
def _(image: Image, footprint: Image) -> Image:
    """filters a stack slice by slice, with the middle slice of the footprint"""
    return (
        _brightest(image, footprint[len(footprint) // 2][None])
        if image.ndim == 3
        else _brightest(image, footprint)
    )


_declare_footprint_mistakes(minimum, _darkest, lambda values: values.min(axis=0))
_declare_footprint_mistakes(maximum, _brightest, lambda values: values.max(axis=0))

# --- median ---------------------------------------------------------------------------------------------


def reference_median(image: Image, footprint: Image) -> Image:
    """Return the median of the values below the footprint."""
    return _middle(image, footprint)


median = Task("Median filter", reference=reference_median)
_SORT = "np.median of the values below the footprint: the middle one of the sorted values."


@median.check(points=0.5, hint=_SORT)
def hot_pixel_goes_edge_stays(function: Recorder, rng: np.random.Generator) -> None:
    """Single hot and dead pixels go, and an edge stays as sharp as it was."""
    image, _ = _edge((11, 16), 1, 8)
    noisy = image + 20
    noisy[int(rng.integers(2, 9)), int(rng.integers(2, 6))] = 255
    noisy[int(rng.integers(2, 9)), int(rng.integers(10, 14))] = 0
    agree(function(noisy, BOX), image + 20, inside=1)


_expect_footprints(
    median,
    {
        "inside": 0.25,
        "footprint": 0.5,
        "border": 0.5,
        "even_sides": 0.25,
        "whole_numbers": 0.25,
        "input_left_alone": 0.25,
    },
    sight=Sight(even=EVEN),  # no number of pixels is even: this has a check of its own
)
_expect(
    median,
    "even_count",
    "For an even number of pixels the median is the mean of the two middle ones.",
    lambda rng: [(_noise(rng, 10, 13), DIAMOND), (_bytes(rng, 10, 13), DIAMOND)],
    points=0.25,
    hint="np.median does it; sorted(values)[n // 2] takes the upper one.",
    inside=1,
)


@median.check(points=0.25, hint=_SORT)
def only_order_counts(function: Recorder, rng: np.random.Generator) -> None:
    """Only the order of the values counts: the median of the cubes is the cube of the median."""
    image = rng.random((9, 12)) * 10
    result = image_of(function(image, BOX), image.shape)
    agree(function(image**3, BOX), result**3, inside=1, scale=1000.0)
    if not 0.1 < _inner(result, 1).std() < 0.8 * _inner(image, 1).std():
        raise Failure("The median must leave less noise in the image.")


@median.mistake
def _(image: Image, footprint: Image) -> Image:
    """takes the mean instead of the median"""
    return np.asarray(_pick(image, footprint).mean(axis=0))


@median.mistake
def _(image: Image, footprint: Image) -> Image:
    """takes the upper one of the two middle values where their number is even"""
    values = np.sort(_pick(image, footprint), axis=0)
    return np.asarray(values[len(values) // 2])


@median.mistake
def _(image: Image, footprint: Image) -> Image:
    """takes the lower one of the two middle values where their number is even"""
    values = np.sort(_pick(image, footprint), axis=0)
    return np.asarray(values[(len(values) - 1) // 2])


@median.mistake
def _(image: Image, footprint: Image) -> Image:
    """takes the value in the middle of the window without sorting"""
    values = _pick(image, footprint)
    return np.asarray(values[len(values) // 2])


@median.mistake
def _(image: Image, footprint: Image) -> Image:
    """leaves out what lies outside the image instead of mirroring"""
    return np.asarray(np.nanmedian(_pick(image, footprint, border=math.nan), axis=0))


_declare_footprint_mistakes(median, _middle, lambda values: np.median(values, axis=0))
_declare_integer_cut(median, _middle)

# --- variance and standard deviation --------------------------------------------------------------------


def reference_variance(image: Image, footprint: Image) -> Image:
    """Return the population variance of the values below the footprint."""
    return _scatter(image, footprint)


def reference_std(image: Image, footprint: Image) -> Image:
    """Return the population standard deviation of the values below the footprint."""
    return _deviation(image, footprint)


variance = Task("Variance filter", reference=reference_variance)
std = Task("Standard deviation filter", reference=reference_std)
_POPULATION = "Divide by the number of pixels below the footprint, not by one less."


def _stripes(shape: tuple[int, int], low: float, high: float) -> Image:
    """Return upright stripes one pixel wide."""
    return np.where(np.arange(shape[1]) % 2, high, low) * np.ones(shape)


@variance.check(points=0.5, hint=_POPULATION)
def stripes_variance(function: Recorder) -> None:
    """In stripes of 3 and 15 the variance is 32, everywhere."""
    image = _stripes((8, 11), 3, 15)
    agree(function(image, BOX), np.full(image.shape, 32.0), inside=1, scale=225.0)
    agree(function(image.T, BOX), np.full(image.T.shape, 32.0), inside=1, scale=225.0)


@variance.check(points=0.25, hint="Subtract the mean of the window from its values before squaring them.")
def flat_and_edge_variance(function: Recorder) -> None:
    """In flat parts the variance is 0, beside an edge from 4 to 10 it is 8."""
    image, expected = np.full((8, 12), 4.0), np.zeros((8, 12))
    image[:, 6:], expected[:, 5:7] = 10, 8
    agree(function(image, BOX), expected, inside=1, scale=100.0)


@variance.check(points=0.25, hint="The variance is the mean of (value - mean)**2.")
def contrast_variance(function: Recorder, rng: np.random.Generator) -> None:
    """A brighter image has the same variance, three times the contrast nine times the variance."""
    image = _noise(rng, 9, 12)
    result = image_of(function(image, BOX), image.shape)
    agree(function(3 * image + 50, BOX), 9 * result, inside=1, scale=350.0**2)
    if not (_inner(result, 1).min() > -1e-3 and 200 < _inner(result, 1).mean() < 2000):
        raise Failure(
            "The variance is never negative, and the noise has a variance of about 800 in this image."
        )


_expect_footprints(
    variance,
    {
        "inside": 0.5,
        "footprint": 0.25,
        "border": 0.5,
        "even_sides": 0.25,
        "whole_numbers": 0.25,
        "input_left_alone": 0.25,
    },
    power=2,
)


@std.check(points=0.25, hint=f"The root of the variance. {_POPULATION}")
def stripes_std(function: Recorder) -> None:
    """In stripes of 3 and 15 the standard deviation is the root of 32, everywhere."""
    image = _stripes((8, 11), 3, 15)
    agree(function(image, BOX), np.full(image.shape, math.sqrt(32)), inside=1, scale=15.0)
    agree(function(image.T, BOX), np.full(image.T.shape, math.sqrt(32)), inside=1, scale=15.0)


@std.check(points=0.25, hint="The root of the mean of (value - mean)**2.")
def contrast_std(function: Recorder, rng: np.random.Generator) -> None:
    """A brighter image has the same standard deviation, three times the contrast three times as much."""
    image = _noise(rng, 9, 12)
    result = image_of(function(image, BOX), image.shape)
    agree(function(3 * image + 50, BOX), 3 * result, inside=1, rtol=1e-4, scale=350.0)
    if not (_inner(result, 1).min() > -1e-3 and 15 < _inner(result, 1).mean() < 45):
        raise Failure(
            "It is never negative, and the noise has a standard deviation of about 28 in this image."
        )


_expect_footprints(
    std,
    dict.fromkeys(("inside", "footprint", "border", "even_sides", "whole_numbers", "input_left_alone"), 0.25),
)


def _declare_spread_mistakes(task: Task, finish: Callable[[Image], Image], others: dict[str, Any]) -> None:
    """Declare the mistakes that variance and standard deviation share; `finish` makes one of the other."""

    def sample(image: Image, footprint: Image) -> Image:
        """divides by n - 1 instead of n (this is the sample's, not the population's)"""
        return finish(_pick(image, footprint).var(axis=0, ddof=1))

    def no_mean(image: Image, footprint: Image) -> Image:
        """forgets to subtract the mean"""
        return finish((_pick(image, footprint) ** 2).mean(axis=0))

    def from_pixel(image: Image, footprint: Image) -> Image:
        """subtracts the pixel in the middle instead of the mean of the window"""
        return finish(((_pick(image, footprint) - image.astype(float)) ** 2).mean(axis=0))

    def summed(image: Image, footprint: Image) -> Image:
        """adds up the squared differences without dividing by their number"""
        return finish(_scatter(image, footprint) * footprint.sum())

    def box_count(image: Image, footprint: Image) -> Image:
        """divides by the size of the footprint's rectangle instead of by its pixels"""
        return finish(_scatter(image, footprint) * footprint.sum() / footprint.size)

    def cropped(image: Image, footprint: Image) -> Image:
        """leaves out what lies outside the image instead of mirroring"""
        return finish(np.nanvar(_pick(image, footprint, border=math.nan), axis=0))

    for mistake in (sample, no_mean, from_pixel, summed, box_count, cropped):
        task.mistake(mistake)
    for words, wrong in others.items():

        def other(image: Image, footprint: Image, wrong: Callable[[Image], Image] = wrong) -> Image:
            return wrong(_pick(image, footprint))

        other.__doc__ = words
        task.mistake(other)


_declare_spread_mistakes(
    variance,
    np.asarray,
    {
        "returns the standard deviation instead of the variance": lambda values: values.std(axis=0),
        "takes the absolute differences instead of the squared ones": lambda values: np.abs(
            values - values.mean(axis=0)
        ).mean(axis=0),
        "takes the mean instead of the variance": lambda values: values.mean(axis=0),
        "takes the difference between the largest and the smallest value": lambda values: np.ptp(
            values, axis=0
        ),
    },
)
_declare_spread_mistakes(
    std,
    np.sqrt,
    {
        "returns the variance instead of the standard deviation": lambda values: values.var(axis=0),
        "takes the absolute differences instead of the squared ones": lambda values: np.abs(
            values - values.mean(axis=0)
        ).mean(axis=0),
        "takes the mean instead of the standard deviation": lambda values: values.mean(axis=0),
        "halves the variance instead of taking its root": lambda values: values.var(axis=0) / 2,
    },
)
_declare_footprint_mistakes(variance, _scatter, lambda values: values.var(axis=0))
_declare_footprint_mistakes(std, _deviation, lambda values: values.std(axis=0))
_declare_integer_cut(variance, _scatter)
_declare_integer_cut(std, _deviation)

# --- difference of Gaussians ----------------------------------------------------------------------------


def reference_dog(image: Image, sigma_low: float, sigma_high: float) -> Image:
    """Subtract the image blurred with `sigma_high` from the one blurred with `sigma_low`."""
    return reference_gaussian(image, sigma_low) - reference_gaussian(image, sigma_high)


dog = Task("Difference of Gaussians", reference=reference_dog)
_ORDER = "gaussian_filter(image, sigma_low) - gaussian_filter(image, sigma_high), in this order."


@dog.check(points=0.25, hint=_ORDER)
def bright_spot_positive(function: Recorder, rng: np.random.Generator) -> None:
    """A bright spot gives a positive centre in a negative ring; flat parts give 0."""
    row, column = int(rng.integers(15, 18)), int(rng.integers(15, 19))
    image = 20 + _spot((34, 38), (row, column), 100.0)
    result = image_of(function(image, 0.8, 1.6), image.shape)
    if not (result[row, column] > 10 and result[row, column + 3] < -0.1 and result[row - 3, column] < -0.1):
        raise Failure("The centre of a bright spot must be above 0, and the ring around it below 0.")
    if not (abs(result[27, 30]) < 1e-3 and abs(_inner(result, 6).sum()) < 1e-2):
        raise Failure("In flat parts the result must be 0, and its sum over an image with one spot, too.")


_expect(
    dog,
    "inside",
    "Away from the border the result is the difference of two blurred images.",
    lambda rng: [(_noise(rng, 20, 24), 0.9, 1.5)],
    points=0.5,
    hint=_ORDER,
    inside=6,
)
_expect(
    dog,
    "border",
    "At the border the image is mirrored, with the edge pixel repeated.",
    lambda rng: [(_noise(rng, 14, 18), 0.7, 1.2)],
    points=0.25,
    hint=_MIRROR,
)


@dog.check(points=0.25, hint=_ORDER)
def special_sigmas(function: Recorder, rng: np.random.Generator, reference: Callable[..., Image]) -> None:
    """With sigma_low 0 the image itself is what is subtracted from; swapped sigmas turn the sign."""
    image = _noise(rng, 13, 15)
    agree(function(image, 0, 1.0), reference(image, 0, 1.0), inside=4, scale=100.0)
    agree(function(image, 1.0, 0), reference(image, 1.0, 0), inside=4, scale=100.0)


_expect_linear(dog, 0.7, 1.3, points=0.25)
_expect(
    dog,
    "whole_numbers",
    "Images of whole numbers or bools are no problem: the result may be negative.",
    lambda rng: [(_bytes(rng, 13, 15), 0.6, 1.0), (_mask(rng, 13, 15), 0.6, 1.0)],
    points=0.25,
    hint=_FLOAT,
    inside=4,
)
_expect_input_left_alone(dog, lambda rng: [(_noise(rng, 12, 13), 0.6, 1.0)], points=0.25, inside=4)


def _dog_with(image: Image, low: float, high: float, *, border: Border = "symmetric", **parts: Any) -> Image:
    return _blur(image, low, border=border, **parts) - _blur(image, high, border=border, **parts)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """subtracts in the wrong order: sigma_high minus sigma_low"""
    return _dog_with(image, high, low)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """returns the absolute difference"""
    return np.abs(_dog_with(image, low, high))


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """cuts off what is below 0"""
    return np.maximum(_dog_with(image, low, high), 0)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """adds both blurred images instead of subtracting"""
    return _blur(image, low) + _blur(image, high)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """subtracts the blurred image from the image itself, and does not use sigma_low"""
    return image.astype(float) - _blur(image, high)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """returns only the image blurred with sigma_low"""
    return _blur(image, low)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """returns only the image blurred with sigma_high"""
    return _blur(image, high)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """blurs the blurred image once more, instead of blurring the image itself with sigma_high"""
    return _blur(image, low) - _blur(_blur(image, low), high)


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """blurs once with the difference of both sigmas"""
    return _blur(image, abs(high - low))


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """takes sigma for the variance"""
    return _dog_with(image, low, high, weights=lambda s: _shape(s, lambda x: x**2 / (2 * s)))


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """cuts the weights off after 3 sigma instead of 4"""
    return _dog_with(image, low, high, weights=lambda s: _bell(s, reach=3))


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """does not divide the weights by their sum"""
    return _dog_with(image, low, high, weights=lambda s: _shape(s, lambda x: x**2 / (2 * s**2), total=1.0))


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """blurs along the rows (the last axis) only"""
    return _dog_with(image, low, high, axes=[image.ndim - 1])


@dog.mistake
def _(image: Image, low: float, high: float) -> Image:
    """blurs into arrays of the image's dtype and subtracts there, where digits and signs are lost"""
    blurred = (_store(_blur(image, sigma), image.dtype) for sigma in (low, high))
    return np.asarray(np.subtract(*blurred))


def _dog_radius(image: Image, low: float, high: float) -> list[int]:
    return _radius(image, max(low, high))


_declare_borders(dog, _dog_with, _dog_radius)
_declare_integer_cut(dog, _dog_with)

# --- white top-hat --------------------------------------------------------------------------------------


def reference_top_hat(image: Image, footprint: Image) -> Image:
    """Subtract the opening (maximum of the minimum) from the image."""
    return image.astype(float) - _open(image, footprint)


top_hat = Task("White top-hat", reference=reference_top_hat)
_STEPS = "First the minimum filter, then the maximum filter of that, then image minus the result."


@top_hat.check(points=0.5, hint=_STEPS)
def spots_on_slope(function: Recorder, rng: np.random.Generator, reference: Callable[..., Image]) -> None:
    """Small bright spots stay, and the slowly changing background goes."""
    rows, columns = np.mgrid[:16, :22].astype(float)
    image = 40 + 2 * rows + columns
    for row, column in ((5, 6), (9, 15)):
        row += int(rng.integers(0, 2))  # noqa: PLW2901 - the spots are not always in the same place
        image[row : row + 2, column : column + 2] += 60
    square = np.ones((5, 5), dtype=bool)
    agree(function(image, square), reference(image, square), inside=4, scale=100.0)


@top_hat.check(points=0.25, hint="An object that the footprint fits into is background.")
def small_stays_large_goes(function: Recorder) -> None:
    """What is smaller than the footprint stays, what is larger goes."""
    image = np.full((14, 18), 10.0)
    image[3:10, 3:11] = 70
    expected = np.zeros((14, 18))
    image[5:7, 13:15], expected[5:7, 13:15] = 60, 50
    agree(function(image, BOX), expected, inside=2)


_expect(
    top_hat,
    "inside",
    "Away from the border the result is the image minus its opening.",
    lambda rng: [(_noise(rng, 12, 17), BOX)],
    points=0.5,
    hint=_STEPS,
    inside=2,
)
_expect(
    top_hat,
    "footprint",
    "Only the pixels below the footprint count.",
    lambda rng: [(_noise(rng, 14, 17), CROSS), (_noise(rng, 14, 17), SLANT)],
    points=0.5,
    hint=_SELECT,
    inside=4,
)
_expect(
    top_hat,
    "border",
    "At the border the image is mirrored, with the edge pixel repeated, before each of the two filters.",
    lambda rng: [(_noise(rng, 12, 17), RING), (_noise(rng, 12, 17) - 110, RING)],
    points=0.5,
    hint=_MIRROR,
)
_expect(
    top_hat,
    "whole_numbers",
    "Images of whole numbers or bools are no problem.",
    lambda rng: [(_bytes(rng, 10, 13), BOX), (_mask(rng, 10, 13, bright=0.9), BOX)],
    points=0.25,
    hint=_FLOAT,
    inside=2,
)


@top_hat.check(points=0.25, hint=_STEPS)
def nothing_left_to_remove(function: Recorder, rng: np.random.Generator) -> None:
    """The result is never negative, a brighter background changes nothing, and a second top-hat neither."""
    image = _noise(rng, 14, 17)
    result = image_of(function(image + 200, BOX), image.shape)
    if not (_inner(result, 2).min() > -1e-3 and 10 < _inner(result, 2).mean() < 100):
        raise Failure("The result must be between 0 and the contrast of the image.")
    agree(function(image, BOX), result, inside=2, scale=300.0)
    agree(function(result, BOX), result, inside=4, scale=300.0)


_expect_input_left_alone(
    top_hat,
    lambda rng: [(_noise(rng, 9, 11), BOX.copy())],
    points=0.25,
    inside=2,
)


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """leaves out the second step: it subtracts the minimum, without the maximum of it"""
    return image.astype(float) - _darkest(image, footprint)


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """is a black top-hat: the closing minus the image"""
    return np.asarray(_close(image, footprint) - image.astype(float))


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """subtracts the closing (minimum of the maximum) instead of the opening"""
    return image.astype(float) - _close(image, footprint)


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """returns the opening and forgets to subtract it from the image"""
    return _open(image, footprint)


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """subtracts the image from the opening"""
    return np.asarray(_open(image, footprint) - image.astype(float))


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """subtracts the maximum of the image, without the minimum"""
    return image.astype(float) - _brightest(image, footprint)


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """subtracts the minimum from the maximum (this is the morphological gradient)"""
    return _brightest(image, footprint) - _darkest(image, footprint)


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """subtracts the median instead of the opening"""
    return image.astype(float) - _middle(image, footprint)


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """leaves out what lies outside the image instead of mirroring"""
    small = _darkest(image, footprint, border=math.inf)
    return image.astype(float) - _brightest(small, footprint, border=-math.inf)


def _top_hat_with(
    image: Image, footprint: Image, *, border: Border = "symmetric", late: bool = False
) -> Image:
    del late  # the sides are odd here
    return image.astype(float) - _open(image, footprint, border=border)


def _two_half_sides(_image: Image, footprint: Image) -> list[int]:
    return [2 * (n // 2) for n in footprint.shape]


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """ignores the footprint's values and uses its whole rectangle"""
    return _top_hat_with(image, np.ones_like(footprint))


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """always uses a window of 3x3 pixels"""
    return _top_hat_with(image, np.ones((3, 3), dtype=bool))


@top_hat.mistake
def _(image: Image, footprint: Image) -> Image:
    """swaps rows and columns of the footprint"""
    return _top_hat_with(image, footprint.T)


_declare_borders(top_hat, _top_hat_with, _two_half_sides)
