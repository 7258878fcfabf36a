"""The checks of the assignment ``filters`` against a library of right and wrong answers."""

import copy
import importlib
import inspect
import math

import numpy as np
import pytest
import skimage
from scipy import ndimage

from autograder import filters

SEEDS = range(20)
POINTS = {
    "convolve": 4,
    "mean": 4,
    "gaussian": 4,
    "sobel": 3,
    "laplace": 3,
    "minimum": 2,
    "median": 3,
    "maximum": 2,
    "variance": 3,
    "std": 2,
    "dog": 2,
    "top_hat": 3,
}


def _answers(name, prefix):
    """Return the answers of one filter whose names begin with `prefix`."""
    module = importlib.import_module(f"answers.{name}")
    return {key: value for key, value in vars(module).items() if key.startswith(prefix)}


def _each(prefix):
    return [(name, answer) for name in POINTS for answer in _answers(name, prefix)]


def _task(name):
    return getattr(filters, name)


def _without_diagnosis(name):
    """Return the task without its mistakes: marks do not depend on them, and it is faster."""
    task = copy.copy(_task(name))
    task.mistakes = []
    return task


def _lost(report):
    return [(check.title, check.status, check.message) for check in report.checks if check.status != "passed"]


@pytest.mark.parametrize(("name", "answer"), _each("right_"))
def test_right_answer_gets_all_points(name, answer):
    """Every correct style gets full marks on every seed."""
    task, function = _task(name), _answers(name, "right_")[answer]
    for seed in SEEDS:
        report = task.grade(function, seed=seed)
        assert _lost(report) == []
        assert report.score == POINTS[name]


def _passed_with_each_seed(task, function):
    """Return which checks a function passes, once for every seed; no check may break."""
    reports = [task.grade(function, seed=seed) for seed in SEEDS]
    for report in reports:
        assert "error" not in {check.status for check in report.checks}, _lost(report)
    return [[check.title for check in report.checks if check.status == "passed"] for report in reports]


@pytest.mark.parametrize(("name", "answer"), _each("wrong_"))
def test_wrong_answer_loses_the_same_points_on_every_seed(name, answer):
    """Every wrong answer fails at least one check, the same ones on every seed, and no check breaks on it."""
    task = _without_diagnosis(name)
    passed = _passed_with_each_seed(task, _answers(name, "wrong_")[answer])
    assert len(passed[0]) < len(task.checks)
    assert passed == [passed[0]] * len(passed)


@pytest.mark.parametrize("name", POINTS)
def test_library_is_large_enough(name):
    """Each filter has at least 8 wrong and 4 right answers of different style."""
    assert len(_answers(name, "wrong_")) >= 8
    assert len(_answers(name, "right_")) >= 4


@pytest.mark.parametrize("name", POINTS)
def test_points_are_those_of_the_notebook(name):
    """The sum of a task's checks is what its cell is worth."""
    assert _task(name).points == POINTS[name]


def _overwrites(image, *_rest):
    image[...] = 0
    return image


def _overwrites_and_returns_nothing(image, *_rest):
    image[...] = image[::-1].copy()


IDLE = {
    "input": lambda image, *_: image,
    "copy": lambda image, *_: image.astype(float),
    "zeros": lambda image, *_: np.zeros(image.shape),
    "zeros of the dtype": lambda image, *_: np.zeros_like(image),
    "ones": lambda image, *_: np.ones(image.shape),
    "mean everywhere": lambda image, *_: np.full(image.shape, image.mean()),
    "negative": lambda image, *_: -image.astype(float),
    "twice": lambda image, *_: image * 2.0,
    "noise": lambda image, *_: np.random.default_rng().random(image.shape),
    "nan": lambda image, *_: np.full(image.shape, np.nan),
    "nothing": lambda *_: None,
    "a number": lambda *_: 0.0,
    "a list": lambda image, *_: image.tolist(),
    "an error": lambda *_: 1 / 0,
    "overwrites": _overwrites,
    "overwrites and returns nothing": _overwrites_and_returns_nothing,
    "no function": None,
}


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("idle", IDLE)
def test_idle_function_gets_nothing(name, idle):
    """Nobody gets a part of the points for the input, zeros, None, or an input that was written over."""
    for seed in range(5):
        report = _without_diagnosis(name).grade(IDLE[idle], seed=seed)
        assert [check.title for check in report.checks if check.score] == []
        assert {check.status for check in report.checks} == {"failed"}, _lost(report)


@pytest.mark.parametrize("name", POINTS)
def test_right_result_in_a_changed_input_is_noticed(name):
    """A function that leaves its right result in the input as well loses the points for that alone."""
    task = _task(name)

    def careless(image, *rest):
        result = task.reference(image, *rest)
        if image.dtype == float:
            image[...] = result
        return result

    failed = [check for check in task.grade(careless, seed=1).checks if check.status != "passed"]
    assert [check.title.split()[-1] for check in failed] == ["afterwards."]
    assert "altered its argument `image`" in failed[0].message


# with a 3x3 window the repeated edge pixel is what the mirror gives
HARMLESS = {
    "sobel": {"repeats the edge pixel"},
    "laplace": {"repeats the edge pixel"},
}


def _mistakes():
    return [
        pytest.param(name, index, id=f"{name}-{mistake.words[:60]}")
        for name in POINTS
        for index, mistake in enumerate(_task(name).mistakes)
        if not any(mistake.words.startswith(words) for words in HARMLESS.get(name, ()))
    ]


@pytest.mark.parametrize(("name", "index"), _mistakes())
def test_declared_mistake_is_named(name, index):
    """A function that makes a declared mistake, and no other, is told so."""
    task = _task(name)
    mistake = task.mistakes[index]
    for seed in range(4):
        report = task.grade(mistake.body, seed=seed)
        said = {check.diagnosis for check in report.checks if check.diagnosis}
        assert said == {f"Your result is exactly what comes out when the function {mistake.words}."}


@pytest.mark.parametrize(("name", "index"), _mistakes())
def test_declared_mistake_costs_the_same_on_every_seed(name, index):
    """What a declared mistake costs is no matter of luck."""
    passed = _passed_with_each_seed(_without_diagnosis(name), _task(name).mistakes[index].body)
    assert passed == [passed[0]] * len(passed)


# what is left of the points where one usual thing is wrong, and all else is right
LEFT = {
    "convolve": {"does not flip the kernel (": 2.25, "flips the kernel": 2.75, "divides by the sum": 2.5},
    "gaussian": {"cuts the weights off after 3": 2.25, "takes sigma for the variance": 2.5},
    "minimum": {"flips the footprint, as": 1.5, "ignores the footprint's values": 1.5},
    "maximum": {"flips the footprint, as": 1.5, "ignores the footprint's values": 1.5},
    "median": {"takes the upper one": 2.75, "takes the lower one": 2.75, "flips the footprint, as": 2.25},
    "variance": {"flips the footprint, as": 2.5, "ignores the footprint's values": 2.75},
    "std": {"flips the footprint, as": 1.5, "ignores the footprint's values": 1.75},
    "top_hat": {"ignores the footprint's values": 2, "swaps rows and columns": 2.5},
}


@pytest.mark.parametrize(("name", "words"), [(name, words) for name in LEFT for words in LEFT[name]])
def test_usual_mistake_costs_what_belongs_to_it(name, words):
    """Who mistakes one thing keeps the points for the others."""
    found = [mistake for mistake in _task(name).mistakes if mistake.words.startswith(words)]
    assert found
    for mistake in found:
        assert _without_diagnosis(name).grade(mistake.body, seed=7).score == LEFT[name][words]


@pytest.mark.parametrize("name", POINTS)
def test_wrong_border_costs_the_check_of_the_border_alone(name):
    """Where the window stays inside the image nobody loses points for what is beyond its edge."""
    task = _without_diagnosis(name)
    wrong = ("treats everything outside", "continues the image with its opposite", "leaves the pixels along")
    for mistake in _task(name).mistakes:
        if mistake.words.startswith(wrong):
            lost = _lost(task.grade(mistake.body, seed=11))
            assert [title.startswith("At the border") for title, *_ in lost] == [True], mistake.words


def test_top_hat_sees_only_symmetric_footprints():
    """The notebook promises footprints with odd sides that are the same when turned by 180 degrees."""
    seen = []

    def watch(image, footprint):
        seen.append(footprint)
        return filters.reference_top_hat(image, footprint)

    filters.top_hat.grade(watch, seed=1)
    assert len(seen) > 10
    assert all(n % 2 for footprint in seen for n in footprint.shape)
    assert all((footprint == np.flip(footprint)).all() for footprint in seen)


def test_only_one_median_check_has_an_even_number_of_pixels():
    """The mean of two middle values is the subject of one check, and costs points there alone."""
    counts = {}
    for check in filters.median.checks:

        def watch(image, footprint, title=check.name):
            counts.setdefault(title, set()).add(int(footprint.sum()) % 2)
            return filters.reference_median(image, footprint)

        task = _without_diagnosis("median")
        task.checks = [check]
        task.grade(watch, seed=1)
    assert {title for title, parity in counts.items() if parity != {1}} == {"even_count"}


@pytest.mark.parametrize("name", POINTS)
def test_unknown_mistake_is_not_named(name):
    """A result that no declared mistake gives has no diagnosis."""
    task = _task(name)
    report = task.grade(lambda *arguments: task.reference(*arguments) * 1.37 + 3, seed=3)
    assert report.score < task.points
    assert {check.diagnosis for check in report.checks} == {""}


@pytest.mark.parametrize("name", POINTS)
def test_student_reads_title_and_hint(name):
    """Every check has a title that is a sentence, a hint, and points in quarters."""
    for check in _task(name).checks:
        assert check.title.endswith(".")
        assert check.title[0].isupper()
        assert check.hint
        assert math.isclose(check.points * 4 % 1, 0)
        assert len(check.title) <= 160
        assert len(check.hint) <= 300


@pytest.mark.parametrize("name", POINTS)
def test_mistakes_complete_the_sentence(name):
    """Every mistake is named once, in words that begin small and end without a full stop."""
    words = [mistake.words for mistake in _task(name).mistakes]
    assert len(words) == len(set(words))
    assert all(text[0].islower() and not text.endswith(".") for text in words)


def _images():
    rng = np.random.default_rng(5)
    return [skimage.data.coins()[40:57, 50:73], rng.random((9, 14)), rng.random((12, 7)) < 0.4]


@pytest.mark.parametrize("image", _images(), ids=["uint8", "float", "bool"])
def test_references_equal_scipy(image):
    """The references for footprints are what scipy's generic filter gives."""
    footprints = [
        filters.BOX,
        filters.TEE,
        filters.RING,
        filters.EVEN,
        filters.EVEN.T,
        filters.HOOK,
        filters.TALL,
        filters.DIAMOND,
    ]
    values = {
        filters.reference_minimum: np.min,
        filters.reference_maximum: np.max,
        filters.reference_median: np.median,
        filters.reference_variance: np.var,
        filters.reference_std: np.std,
    }
    for footprint in footprints:
        for reference, oracle in values.items():
            expected = ndimage.generic_filter(
                image.astype(float), oracle, footprint=footprint, mode="reflect"
            )
            np.testing.assert_allclose(reference(image, footprint), expected, atol=1e-10)


@pytest.mark.parametrize("image", _images(), ids=["uint8", "float", "bool"])
def test_open_parts_equal_scipy(image):
    """The filters that the mistakes are made from are right as long as no part is changed."""
    rng = np.random.default_rng(6)
    for shape in ((3, 3), (2, 2), (4, 3), (1, 5), (5, 2)):
        kernel = rng.normal(size=shape)
        np.testing.assert_allclose(filters._weigh(image, kernel), filters.reference_convolve(image, kernel))
    for size in (1, 2, 3, 4, 5):
        np.testing.assert_allclose(filters._mean(image, size), filters.reference_mean(image, size), atol=1e-9)
    for sigma in (0, 0.5, 0.7, 1.3):
        expected = filters.reference_gaussian(image, sigma)
        np.testing.assert_allclose(filters._blur(image, sigma), expected, atol=1e-9)
    np.testing.assert_allclose(filters._sobel_with(image), filters.reference_sobel(image), atol=1e-9)
    np.testing.assert_allclose(filters._curvature(image), filters.reference_laplace(image), atol=1e-9)
    for footprint in (filters.BOX, filters.CROSS, filters.RING, filters.SLANT):
        expected = ndimage.white_tophat(image.astype(float), footprint=footprint, mode="reflect")
        np.testing.assert_allclose(filters.reference_top_hat(image, footprint), expected)


def test_references_equal_scikit_image():
    """Where scikit-image has the same filter, it gives the same image."""
    image = skimage.data.coins()[40:80, 50:97]
    grey = image.astype(float)
    expected = skimage.filters.gaussian(grey, 1.3, mode="reflect", preserve_range=True)
    np.testing.assert_allclose(filters.reference_gaussian(image, 1.3), expected)
    expected = skimage.filters.median(grey, filters.DIAMOND | filters.TEE, mode="reflect")
    np.testing.assert_allclose(filters.reference_median(image, filters.DIAMOND | filters.TEE), expected)
    expected = skimage.morphology.white_tophat(grey, np.ones((5, 5)))
    np.testing.assert_allclose(filters.reference_top_hat(image, np.ones((5, 5), dtype=bool)), expected)
    expected = skimage.filters.sobel(grey) * math.sqrt(32)
    np.testing.assert_allclose(filters.reference_sobel(image)[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-9)
    expected = skimage.filters.difference_of_gaussians(grey, 1.0, 2.0, mode="reflect")
    np.testing.assert_allclose(filters.reference_dog(image, 1.0, 2.0), expected, atol=1e-9)


def test_convolution_is_the_written_sum():
    """The reference is the formula of the assignment, for odd and even sides."""
    rng = np.random.default_rng(7)
    image = rng.random((7, 9))
    for shape in ((3, 3), (4, 3), (2, 5)):
        kernel = rng.random(shape)
        wide = np.pad(image, 6, mode="symmetric")
        expected = np.zeros(image.shape)
        for i, j in np.ndindex(*image.shape):
            for k, m in np.ndindex(*shape):
                expected[i, j] += kernel[k, m] * wide[6 + i - k + shape[0] // 2, 6 + j - m + shape[1] // 2]
        np.testing.assert_allclose(filters.reference_convolve(image, kernel), expected)


@pytest.mark.parametrize("name", POINTS)
def test_references_have_the_students_signature(name):
    """A reference takes what the student's function takes, and leaves it as it was."""
    parameters = list(inspect.signature(_task(name).reference).parameters)
    assert parameters[0] == "image"
    assert parameters[1:] == {
        "convolve": ["kernel"],
        "mean": ["size"],
        "gaussian": ["sigma"],
        "sobel": [],
        "laplace": [],
        "dog": ["sigma_low", "sigma_high"],
    }.get(name, ["footprint"])
