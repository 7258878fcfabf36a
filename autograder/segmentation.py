"""The functions of the assignment ``segmentation``: references, checks with points, and the usual mistakes.

There is more than one right blur and more than one right way to find Otsu's threshold, which differ in a few
pixels at the rim of an object. So the test images have objects with clear rims, far from the border and from
each other, and masks may differ in two per cent of the pixels.

The docstring of a check is the title that students read; the docstring of a mistake completes the sentence
"Your result is exactly what comes out when the function …".
"""

# ruff: noqa: D400, D401, D403 - the docstrings are titles and ends of sentences, see above
# ruff: noqa: ARG001 - a mistake has the signature of the function, and may forget an argument

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import gaussian, threshold_otsu

from autograder.declaring import expect, expect_arguments_left_alone
from fairmark.checks import Failure, Recorder, Task, agree, image_of, unaltered

Image = NDArray[Any]

SHAPE = (72, 100)
_PLACES = ((18, 18), (18, 50), (18, 82), (54, 18), (54, 50), (54, 82))
_DARK = 20.0
_ANY_NEIGHBOUR = np.ones((3, 3))


def _discs(rng: np.random.Generator, *, noise: float = 0.0, levels: bool = False) -> Image:
    """Return an image of six bright discs on a dark ground; with `levels`, each is differently bright."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    image = np.full(SHAPE, _DARK)
    brightness = rng.permutation([150.0, 160, 170, 180, 190, 200]) if levels else [180.0] * 6
    for (row, column), bright in zip(_PLACES, brightness, strict=True):
        down, across = rows - row - int(rng.integers(-2, 3)), columns - column - int(rng.integers(-2, 3))
        image[down**2 + across**2 <= int(rng.integers(7, 10)) ** 2] = bright
    return image + rng.normal(0, noise, SHAPE) if noise else image


def _count(mask: Image) -> int:
    """Count the objects of a mask that are larger than a few pixels at a rim."""
    labels, _ = ndimage.label(mask, structure=_ANY_NEIGHBOUR)
    return int(np.count_nonzero(np.bincount(labels.ravel())[1:] >= 8))


def _mask_of(result: object, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a student's mask.

    Raises
    ------
    Failure
        Where it is no image of True and False, or of 0 and one other number.
    """
    if isinstance(result, int | float | np.number) and not isinstance(result, bool | np.bool_):
        raise Failure(f"The result is the number {float(result):.5g}, but a mask is an image: True or False.")
    values = image_of(result, shape)
    if not np.isin(values, (0, 1, 255)).all():
        raise Failure("A mask holds True and False (or 0 and 1), and nothing between.")
    return values > 0


def _masks_agree(result: object, expected: Image) -> None:
    """Pass where a student's mask is the expected one, but for a few pixels at rims."""
    mask = _mask_of(result, expected.shape)
    wrong = np.mean(mask != expected)
    if wrong > 0.5:
        raise Failure("Objects and background are the wrong way round: True has to be where it is bright.")
    if wrong > 0.02:
        many = "more" if mask.sum() > expected.sum() else "fewer"
        raise Failure(f"{100 * wrong:.2g} % of the pixels differ; {many} are True than should be.")


# --- binarize: the function with the bug -----------------------------------------------------------------


def reference_binarize(image: Image) -> Image:
    """Return a mask of the pixels that are brighter than Otsu's threshold."""
    return np.asarray(image > threshold_otsu(image))


binarize = Task("The repaired binarize", reference=reference_binarize)
_COMPARE = "threshold_otsu(image) is a number; image > threshold compares each pixel with it: the mask."


@binarize.check(points=0.5, hint=_COMPARE)
def mask_of_discs(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """The result is a mask: an image of the same shape, True where the objects are."""
    image = _discs(rng)
    _masks_agree(function(image), reference(image))


@binarize.check(points=0.5, hint="Compute the threshold from the image; 128 is not right for every camera.")
def any_brightness(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Dim and bright images, of other cameras and other dtypes, give the same mask."""
    image = _discs(rng)
    expected = reference(image)
    for other in (image / 255, image * 11 + 2000, image.astype(np.uint8), (image * 40).astype(np.uint16)):
        _masks_agree(function(other), expected)


@binarize.check(points=0.5, hint="threshold_otsu looks at the histogram of the whole image.")
def no_clear_classes(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Where the grey values form no two clear classes, the threshold is still Otsu's."""
    image = rng.random(SHAPE) ** 2 * 200
    image[:4] = _DARK
    _masks_agree(function(image), reference(image))


@binarize.check(points=0.5, hint="image > threshold makes a new array; do not write into the one you got.")
def image_left_alone(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """The image is the same afterwards, and a small bright object is found in a large dark image."""
    image = _discs(rng)
    image[:, 35:] = _DARK
    result = function(image)
    unaltered(function)
    _masks_agree(result, reference(image))


@binarize.mistake
def _(image: Image) -> Image:
    """marks what is darker than the threshold instead of what is brighter"""
    return np.asarray(image < threshold_otsu(image))


@binarize.mistake
def _(image: Image) -> Image:
    """keeps the grey values of the objects, where a mask has True"""
    return np.where(image > threshold_otsu(image), image, 0)


@binarize.mistake
def _(image: Image) -> Image:
    """compares with half of the maximum instead of with Otsu's threshold"""
    return np.asarray(image > image.max() / 2)


@binarize.mistake
def _(image: Image) -> Image:
    """compares with 128 instead of with Otsu's threshold"""
    return np.asarray(image > 128)


@binarize.mistake
def _(image: Image) -> Image:
    """gives back the threshold at every pixel"""
    return np.full(image.shape, threshold_otsu(image))


# --- the message of the commit -----------------------------------------------------------------------------


def reference_message() -> str:
    """Return a message that says what and why."""
    return (
        "Return a mask from binarize instead of a number\n\n"
        "threshold_otsu gives the threshold alone. The image was never compared with it, so that\n"
        "label got a number and no object was counted."
    )


message = Task("The message of the commit", reference=reference_message)
_FIRST_WORDS = re.compile(
    r"(fixed|fixes|fixing|added|adds|adding|changed|changes|changing|updated|updates|updating|corrected|corrects"
    r"|correcting|repaired|repairs|repairing|mended|mends|mending|returned|returns|returning|made|makes|making"
    r"|removed|removes|removing|solved|solves|solving|replaced|replaces|replacing|i|we|this|my)\b",
    re.IGNORECASE,
)
_SUBJECT = re.compile(r"binari[sz]|mask|threshold|otsu|segment", re.IGNORECASE)
_REASON = re.compile(
    r"number|float|scalar|\bvalue|threshold|compar|mask|label|count|array|image", re.IGNORECASE
)


def _lines_of(function: Recorder) -> list[str]:
    text = function()
    if not isinstance(text, str):
        raise Failure('The message has to be a text: return """…""".')
    lines = [line.strip() for line in text.strip().splitlines()]
    if not lines or not lines[0]:
        raise Failure("The message is empty.")
    return lines


@message.check(points=0.5, hint="At most 72 characters, better 50; git log and forges cut off longer ones.")
def short_first_line(function: Recorder) -> None:
    """The first line is short, at most 72 characters, and has no full stop at its end."""
    first = _lines_of(function)[0]
    if len(first) > 72:
        raise Failure(f"The first line has {len(first)} characters.")
    if first.endswith("."):
        raise Failure("The first line is a title: no full stop at its end.")
    if len(first.split()) < 3:
        raise Failure("The first line says too little.")


@message.check(points=0.5, hint="Complete the sentence: if applied, this commit will … return a mask.")
def imperative(function: Recorder) -> None:
    """The first line says what the commit does, and to what, in the imperative: Return, not Returned."""
    first = _lines_of(function)[0]
    found = _FIRST_WORDS.match(first)
    if found:
        raise Failure(f"The first line begins with “{found[0]}”.")
    if not _SUBJECT.search(first):
        raise Failure("The first line does not say which function, or which result, is changed.")


@message.check(
    points=1, hint="Leave one line empty, then say what went wrong before; the diff tells how it was mended."
)
def reason(function: Recorder) -> None:
    """After an empty line, the message says why: what was wrong before."""
    lines = _lines_of(function)
    if len(lines) < 3 or lines[1]:
        raise Failure("An empty line and an explanation have to follow the first line.")
    body = " ".join(lines[2:])
    if len(body.split()) < 6 or not _REASON.search(body):
        raise Failure("The explanation does not tell what the function gave back before, or what that broke.")


# --- segment -----------------------------------------------------------------------------------------------


def reference_segment(image: Image, sigma: float) -> Image:
    """Blur, find Otsu's threshold of the blurred image, and compare."""
    return reference_binarize(gaussian(image.astype(float), sigma, preserve_range=True))


segment = Task("Blur and threshold", reference=reference_segment)


@segment.check(points=0.5, hint="mask = blurred > threshold_otsu(blurred)")
def clear_discs(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Clear objects come out as a mask of the right size, for a weak and for a strong blur."""
    image = _discs(rng)
    for sigma in (1, 5):
        _masks_agree(function(image, sigma), reference(image, sigma))


@segment.check(points=0.75, hint="Threshold the *blurred* image, and compute the threshold from it as well.")
def noise_makes_no_objects(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """In a noisy image, six objects are found, and no specks between them."""
    image = _discs(rng, noise=80)
    result = function(image, 3)
    _masks_agree(result, reference(image, 3))
    found = _count(_mask_of(result, image.shape))
    if found != 6:
        raise Failure(f"The image shows 6 objects; in your mask there are {found}.")


@segment.check(points=0.5, hint="Nothing in the function may depend on the range of the grey values.")
def other_cameras(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Images of uint8 and uint16 and dim ones give the same mask."""
    image = _discs(rng)
    expected = reference(image, 2)
    for other in (image.astype(np.uint8), (image * 40).astype(np.uint16), image / 1000):
        _masks_agree(function(other, 2), expected)


@segment.check(points=0.25, hint="Blurring makes a new array; do not write into the one you got.")
def segment_leaves_image(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """The image is the same afterwards."""
    image = _discs(rng, noise=80)
    result = function(image, 3)
    unaltered(function)
    _masks_agree(result, reference(image, 3))


@segment.mistake
def _(image: Image, sigma: float) -> Image:
    """does not blur before the threshold"""
    return reference_binarize(image)


@segment.mistake
def _(image: Image, sigma: float) -> Image:
    """blurs, but then compares the original image with the threshold"""
    return np.asarray(image > threshold_otsu(gaussian(image.astype(float), sigma, preserve_range=True)))


@segment.mistake
def _(image: Image, sigma: float) -> Image:
    """marks what is darker than the threshold instead of what is brighter"""
    return np.asarray(~reference_segment(image, sigma))


@segment.mistake
def _(image: Image, sigma: float) -> Image:
    """compares with the mean of the blurred image instead of with Otsu's threshold"""
    blurred = gaussian(image.astype(float), sigma, preserve_range=True)
    return np.asarray(blurred > blurred.mean())


@segment.mistake
def _(image: Image, sigma: float) -> Image:
    """gives back the blurred image instead of a mask"""
    return np.asarray(gaussian(image.astype(float), sigma, preserve_range=True))


@segment.mistake
def _(image: Image, sigma: float) -> Image:
    """gives back labels, a different number for each object, instead of a mask"""
    return np.asarray(ndimage.label(reference_segment(image, sigma))[0])


# --- count -------------------------------------------------------------------------------------------------


def reference_count(mask: Image, min_size: int) -> int:
    """Count the objects that have at least `min_size` pixels."""
    labels, _ = ndimage.label(mask, structure=_ANY_NEIGHBOUR)
    return int(np.count_nonzero(np.bincount(labels.ravel())[1:] >= min_size))


count = Task("Count objects", reference=reference_count)
_CORNERS = "skimage.measure.label joins corners; scipy.ndimage.label does with structure=np.ones((3, 3))."
_SIZES = "np.bincount(labels.ravel())[1:] are the sizes of the objects 1, 2, 3, …; entry 0 is the background."


def _squares(rng: np.random.Generator, *sides: int) -> Image:
    """Return a mask of separate squares in random order, each with its side."""
    mask = np.zeros((12, 12 * len(sides)), dtype=bool)
    for number, side in enumerate(rng.permutation(sides)):
        row, column = (int(rng.integers(1, 11 - side)) for _ in range(2))
        mask[row : row + side, 12 * number + column : 12 * number + column + side] = True
    return mask


expect(
    count,
    "separate",
    "Separate objects are counted, however many and however large they are.",
    lambda rng: [(_squares(rng, 3, 4, 5), 1), (_squares(rng, 1, 2, 2, 3, 6, 7, 1), 1)],
    points=0.75,
    hint="label(mask) gives every object a number of its own, from 1 on; the largest number is the count.",
)


@count.check(points=0.75, hint=_CORNERS)
def corners(function: Recorder, rng: np.random.Generator) -> None:
    """Pixels that touch at an edge or at a corner belong together; a gap of one pixel parts them."""
    steps = np.zeros((9, 11), dtype=bool)
    steps[np.arange(1, 8), np.arange(2, 9)] = True
    line = np.zeros((5, 9), dtype=bool)
    line[2, 1:8] = True
    for mask in (steps, steps[:, ::-1], np.eye(6, dtype=bool), line, line.T):
        agree(function(mask, 1), 1)
    gap = np.zeros((3, 11), dtype=bool)
    gap[1, :: int(rng.integers(2, 4))] = True
    for mask in (gap, gap.T):
        agree(function(mask, 1), int(gap.sum()))


@count.check(points=0.75, hint=_SIZES)
def specks(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """Objects with fewer than min_size pixels are left out; one with exactly so many counts."""
    mask = _squares(rng, 1, 2, 3, 4, 5)
    for size in (2, 4, 5, 16, 25, 26):
        agree(function(mask, size), reference(mask, size))


@count.check(points=0.5, hint="Any mask works if you begin with mask != 0.")
def odd_masks(function: Recorder, rng: np.random.Generator) -> None:
    """Masks of 0 and 255 work, a full mask has one object, and an empty one has none."""
    agree(function(_squares(rng, 2, 3, 4).astype(np.uint8) * 255, 1), 3)
    agree(function(np.ones((4, 5), dtype=bool), 3), 1)
    agree(function(np.zeros((4, 5), dtype=bool), 1), 0)


expect_arguments_left_alone(count, lambda rng: [(_squares(rng, 1, 3, 4), 4)], points=0.25)


@count.mistake
def _(mask: Image, min_size: int) -> int:
    """counts the background as an object, too"""
    return reference_count(mask, min_size) + 1


@count.mistake
def _(mask: Image, min_size: int) -> int:
    """does not join pixels that touch at a corner alone"""
    return int(np.count_nonzero(np.bincount(ndimage.label(mask)[0].ravel())[1:] >= min_size))


@count.mistake
def _(mask: Image, min_size: int) -> int:
    """leaves out objects that have exactly min_size pixels"""
    return reference_count(mask, min_size + 1)


@count.mistake
def _(mask: Image, min_size: int) -> int:
    """forgets min_size and counts every speck"""
    return reference_count(mask, 1)


@count.mistake
def _(mask: Image, min_size: int) -> int:
    """counts pixels instead of objects"""
    return int(np.count_nonzero(mask))


@count.mistake
def _(mask: Image, min_size: int) -> int:
    """counts the small objects instead of the large ones"""
    return reference_count(mask, 1) - reference_count(mask, min_size)


# --- mean intensities --------------------------------------------------------------------------------------


def reference_intensities(image: Image, labels: Image) -> Image:
    """Return the mean grey value of each object."""
    numbers = range(1, int(labels.max(initial=0)) + 1)
    return np.array([image[labels == number].mean() for number in numbers])


intensities = Task("Mean grey value of each object", reference=reference_intensities)


def _labels(rng: np.random.Generator, *shape: int, objects: int = 4) -> Image:
    """Return an image of the numbers 0 to `objects`, all of them often enough, in any order."""
    numbers = np.arange(int(np.prod(shape))) % (objects + 1)
    return np.asarray(rng.permutation(numbers).reshape(shape))


def _falling(image: Image, labels: Image) -> tuple[Image, Image]:
    """Make each object darker than the one before it, so that the order of the labels is no sorted one."""
    return image + (labels.max() - labels).astype(image.dtype) * np.array(20).astype(image.dtype), labels


expect(
    intensities,
    "means",
    "The result holds one mean for each object, in the order of the labels.",
    lambda rng: [_falling(rng.random((11, 13)) * 100, _labels(rng, 11, 13)) for _ in range(2)],
    points=0.75,
    hint="image[labels == 3] are the grey values of object 3; loop over range(1, labels.max() + 1).",
)
expect(
    intensities,
    "different_sizes",
    "Objects of different size are averaged over their own pixels.",
    lambda rng: [
        _falling(
            rng.random((8, 12)) * 10, np.repeat([0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 3, 3], 8).reshape(12, 8).T
        )
    ],
    points=0.5,
    hint="Divide by the number of pixels of the object itself.",
)
expect(
    intensities,
    "whole_numbers",
    "Images of uint8 do not overflow, and a single object is enough.",
    lambda rng: [
        _falling(rng.integers(180, 200, (20, 30), dtype=np.uint8), _labels(rng, 20, 30, objects=2)),
        (rng.integers(0, 256, (6, 7), dtype=np.uint8), _labels(rng, 6, 7, objects=1)),
    ],
    points=0.5,
    hint="The mean of numpy is a float; sums of your own need image.astype(float).",
)
expect_arguments_left_alone(
    intensities, lambda rng: [_falling(rng.random((8, 9)) * 50, _labels(rng, 8, 9))], points=0.25
)


@intensities.mistake
def _(image: Image, labels: Image) -> Image:
    """adds up the grey values of an object and does not divide by its size"""
    return np.array([image[labels == n].astype(float).sum() for n in range(1, labels.max() + 1)])


@intensities.mistake
def _(image: Image, labels: Image) -> Image:
    """counts the pixels of an object instead of averaging their grey values"""
    return np.array([(labels == n).sum() for n in range(1, labels.max() + 1)])


@intensities.mistake
def _(image: Image, labels: Image) -> Image:
    """begins with label 0, the background, and leaves out the last object"""
    return np.array([image[labels == n].mean() for n in range(labels.max())])


@intensities.mistake
def _(image: Image, labels: Image) -> Image:
    """divides by the number of pixels of the whole image"""
    return np.array([(image * (labels == n)).mean() for n in range(1, labels.max() + 1)])


@intensities.mistake
def _(image: Image, labels: Image) -> Image:
    """takes the median of an object instead of its mean"""
    return np.array([np.median(image[labels == n]) for n in range(1, labels.max() + 1)])


@intensities.mistake
def _(image: Image, labels: Image) -> Image:
    """takes the brightest pixel of an object instead of its mean"""
    return np.array([image[labels == n].max() for n in range(1, labels.max() + 1)])


@intensities.mistake
def _(image: Image, labels: Image) -> Image:
    """sorts the means instead of leaving them in the order of the labels"""
    return np.sort(reference_intensities(image, labels))


# --- brightness: the whole pipeline ------------------------------------------------------------------------


def reference_brightness(image: Image, sigma: float) -> Image:
    """Segment the blurred image, and measure in the original one."""
    labels, _ = ndimage.label(reference_segment(image, sigma), structure=_ANY_NEIGHBOUR)
    return np.sort(reference_intensities(image, labels))


brightness = Task("Segment, then measure", reference=reference_brightness)
_ORIGINAL = "Find the objects in the blurred image, measure in the original one: image[labels == 3].mean()."


def _brightness_agrees(result: object, expected: Image) -> None:
    """Pass where the means are right within 4 %, which leaves room for another right mask."""
    if isinstance(result, np.ndarray) and result.shape != expected.shape and result.ndim == 1:
        raise Failure(f"The image shows {expected.size} objects; your result has {result.size} values.")
    values = image_of(result, expected.shape)
    if np.any(np.diff(values) < 0):
        raise Failure("The values have to be in ascending order.")
    off = values / expected - 1
    if np.abs(off).max() > 0.04:
        side = "low" if off.mean() < 0 else "high"
        raise Failure(f"The values are too {side}, by {100 * abs(off.mean()):.0f} % on average.")


@brightness.check(points=1, hint=_ORIGINAL)
def measured_on_original(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """The grey values are those of the original image, whatever the blur."""
    image = _discs(rng, levels=True)
    for sigma in (1.5, 3):
        _brightness_agrees(function(image, sigma), reference(image, sigma))


@brightness.check(points=0.5, hint=_ORIGINAL)
def noise(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """A noisy image has six objects and six values, in ascending order."""
    image = _discs(rng, levels=True, noise=35)
    _brightness_agrees(function(image, 2.5), reference(image, 2.5))


@brightness.check(
    points=0.5, hint="A mean of uint8 values has digits behind the point; leave the image as it is."
)
def whole_numbers_left_alone(function: Recorder, rng: np.random.Generator, reference: Any) -> None:
    """It works for uint8 images, and the image is the same afterwards."""
    image = np.clip(_discs(rng, levels=True, noise=20), 0, 255).astype(np.uint8)
    result = function(image, 2)
    unaltered(function)
    _brightness_agrees(result, reference(image, 2))


@brightness.mistake
def _(image: Image, sigma: float) -> Image:
    """measures in the blurred image instead of in the original one"""
    blurred = gaussian(image.astype(float), sigma, preserve_range=True)
    labels, _ = ndimage.label(reference_segment(image, sigma), structure=_ANY_NEIGHBOUR)
    return np.sort(reference_intensities(blurred, labels))


@brightness.mistake
def _(image: Image, sigma: float) -> Image:
    """leaves the values in the order of the labels instead of sorting them"""
    labels, _ = ndimage.label(reference_segment(image, sigma), structure=_ANY_NEIGHBOUR)
    return reference_intensities(image, labels)


@brightness.mistake
def _(image: Image, sigma: float) -> Image:
    """sorts the values in descending order"""
    return reference_brightness(image, sigma)[::-1]


@brightness.mistake
def _(image: Image, sigma: float) -> Image:
    """takes the brightest pixel of each object instead of the mean"""
    labels, number = ndimage.label(reference_segment(image, sigma), structure=_ANY_NEIGHBOUR)
    return np.sort(ndimage.maximum(image.astype(float), labels, range(1, number + 1)))


@brightness.mistake
def _(image: Image, sigma: float) -> Image:
    """gives the sizes of the objects instead of their grey values"""
    labels, _ = ndimage.label(reference_segment(image, sigma), structure=_ANY_NEIGHBOUR)
    return np.sort(np.bincount(labels.ravel())[1:])
