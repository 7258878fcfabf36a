"""How a task judges a function, and what the student reads."""

import gc
import html
import json
import sys
import warnings
from collections import namedtuple

import numpy as np
import pytest

from fairmark.checks import Failure, Task, agree, image_of, unaltered
from fairmark.errors import RoomLost
from fairmark.results import read_checks


def _double(image):
    return image * 2


def _task():
    task = Task("Double the image", reference=_double)

    @task.check(points=1.5, hint="Multiply by 2.")
    def ones_become_twos(function):
        """Ones become twos."""
        agree(function(np.ones((3, 4))), np.full((3, 4), 2.0))

    @task.check(points=0.5, hint="Multiply every pixel.")
    def noise(function, rng, reference):
        """Every pixel of noise
        is doubled.

        More for the teacher.
        """
        image = rng.random((3, 4))
        agree(function(image), reference(image))

    @task.mistake
    def squared(image):
        """squares the image"""
        return image**2

    @task.mistake
    def tripled(image):
        """multiplies by 3"""
        return image * 3

    return task


def test_right_function_gets_all_points():
    """Where all checks return, the report holds all points, and reads as this number."""
    report = _task().grade(lambda image: image + image)
    assert repr(report) == "2"
    assert (float(report), report.score, report.max_score) == (2.0, 2.0, 2.0)
    assert [check.status for check in report.checks] == ["passed", "passed"]
    assert {check.message + check.hint + check.diagnosis for check in report.checks} == {""}
    assert _task().points == 2.0


def test_partial_points_read_as_a_number():
    """A part of the points is written so that nbgrader can read it."""
    task = _task()
    report = task.grade(lambda image: image * 2 if (image == 1).all() else image)
    assert repr(report) == "1.5"


def test_failed_check_tells_message_and_hint():
    """A failed check says what differs and what to try; its title is the docstring's first paragraph."""
    check = _task().grade(lambda image: image * 2 + 1).checks[1]
    assert check.title == "Every pixel of noise is doubled."
    assert (check.status, check.score, check.max_score) == ("failed", 0.0, 0.5)
    assert "All 12 pixels differ; they are too bright." in check.message
    assert check.hint == "Multiply every pixel."


def test_known_mistake_is_named():
    """A result that a declared mistake gives is diagnosed where it is wrong."""
    for check in _task().grade(lambda image: image * image).checks:
        assert check.diagnosis == (
            "Your result is exactly what comes out when the function squares the image."
        )


def test_mistake_that_explains_all_checks_comes_first():
    """Of two mistakes with the same result in one check, the one that explains the others is named."""
    task = _task()

    @task.mistake
    def always_three(image):
        """returns 3"""
        return np.full(image.shape, 3.0)

    task.mistakes.reverse()
    said = {check.diagnosis for check in task.grade(lambda image: image * 3).checks}
    assert len(said) == 1
    assert "multiplies by 3" in said.pop()


def test_right_result_is_never_diagnosed():
    """A mistake that gives the right result on a check's inputs is not named."""
    task = _task()

    @task.check(points=1)
    def something_else(function):
        """Fails for another reason."""
        agree(function(np.zeros((2, 2))), np.zeros((2, 2)))  # squares, triples and doubles are all 0
        raise Failure("no")

    assert task.grade(_double).checks[2].diagnosis == ""


def test_nearly_right_result_is_not_taken_for_a_mistake():
    """A mistake that hardly differs from the right result is named only for those who really make it."""
    task = Task("Double", reference=_double)

    @task.check(points=1)
    def exact(function):
        """Doubles, and never below 1."""
        function(np.array([1.0, 2.0]))
        raise Failure("no")

    @task.mistake
    def slightly(image):
        """multiplies by a little more than 2"""
        return image * (2 + 1e-7)

    assert task.grade(_double).checks[0].diagnosis == ""
    assert task.grade(slightly).checks[0].diagnosis != ""


@pytest.mark.parametrize(
    ("thing", "words"),
    [
        (None, "there is None"),
        (3.5, "there is a number"),
        (np.zeros(3), "there is an array"),
        ("double", "there is an object of the class str"),
        (NotImplemented, "NotImplementedType"),
    ],
)
def test_what_is_no_function_fails_with_words(thing, words):
    """Anything may be graded; what cannot be called fails every check."""
    report = _task().grade(thing)
    assert report.score == 0
    assert all(words in check.message for check in report.checks)
    assert {check.status for check in report.checks} == {"failed"}


def _raises(error):
    def function(_image):
        raise error

    return function


class StudentError(Exception):
    """What an exception of a student's own class arrives as."""


class StudentStopped(Exception):  # noqa: N818 - the name it has in the rooms
    """What a call ends with when the student's room was stopped."""


class _Silly(BaseException):
    def __str__(self):
        raise ValueError


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("wrong shape"), "Your function raised ValueError: wrong shape"),
        (NotImplementedError(), "Your function is not written yet"),
        (AssertionError(), "Your function raised AssertionError."),
        (Failure("not mine"), "Your function raised Failure: not mine"),
        (SystemExit(0), "must not call exit()"),
        (StudentError("MyError: too dark\n  File ..."), "Your function raised MyError: too dark"),
        (StudentStopped("stopped after 30 s"), "Your function had no result: stopped after 30 s"),
        (_Silly(), "Your function raised _Silly."),
        (GeneratorExit(), "Your function raised GeneratorExit."),
    ],
)
def test_exception_of_the_function_is_a_failure(error, words):
    """Whatever the student's function raises is told, and is not our error."""
    for check in _task().grade(_raises(error)).checks:
        assert check.status == "failed"
        assert words in check.message


def test_wrong_signature_is_a_failure():
    """A function with too few parameters fails with Python's own words."""
    assert "takes 0 positional arguments" in _task().grade(lambda: 1).checks[0].message


def test_lost_room_is_not_swallowed():
    """What ends the room, or a person's interrupt, reaches whoever graded."""
    with pytest.raises(RoomLost):
        _task().grade(_raises(RoomLost("timeout", "stopped")))
    with pytest.raises(KeyboardInterrupt):
        _task().grade(_raises(KeyboardInterrupt()))


def test_our_own_exception_is_an_error_and_not_a_failure():
    """A check that breaks is marked as ours, without the data it worked on."""
    task = _task()

    @task.check(points=1)
    def broken():
        """Divides by zero."""
        secret = [123456789]
        raise ZeroDivisionError(str(secret))

    report = task.grade(_double)
    assert report.score == 2
    assert report.checks[2].status == "error"
    assert "ZeroDivisionError in test_checks.py, line" in report.checks[2].message
    assert "123456789" not in report.checks[2].message


def test_a_result_that_a_check_cannot_go_on_with_is_the_students():
    """An array without elements, of another shape or of texts is told as such, not as a failure of ours."""
    task = Task("Double", reference=_double)

    @task.check(points=1)
    def largest(function):
        """The largest value is doubled."""
        agree(float(function(np.ones((2, 3))).max()), 2.0)

    for odd, words in (
        (lambda image: image[:0], "shape"),
        (lambda image: image.astype("U1"), "dtype"),
        (lambda _: np.array("text"), "dtype"),
    ):
        check = task.grade(odd).checks[0]
        assert check.status == "failed"
        assert words in check.message


def test_assertion_is_a_failure():
    """A plain assert in a check fails, with its message."""
    task = Task("Double", reference=_double)

    @task.check(points=1)
    def asserted(function):
        """Something holds."""
        if function(1) != 3:
            raise AssertionError

    assert task.grade(_double).checks[0].message == "The result is not as it should be."


def test_altered_input_is_noticed_and_never_reaches_the_check():
    """The check's own arrays stay as they are, whatever the function does to its arguments."""
    task = Task("Double", reference=_double)

    @task.check(points=1)
    def input_left_alone(function):
        """The input is left alone."""
        image, parts = np.ones((2, 2)), [np.zeros(2)]
        result = function(image, parts=parts)
        assert image.sum() == 4
        assert parts[0].sum() == 0
        unaltered(function)
        agree(result, image * 2)

    def in_place(image, **_):
        image *= 2
        return image

    def inside_list(image, parts):
        parts[0] += 1
        return image * 2

    def reshaped(image, **_):
        image.resize(4, refcheck=False)
        return np.full((2, 2), 2.0)

    assert task.grade(lambda image, **_: image * 2).score == 1
    for careless, name in ((in_place, "`image`"), (inside_list, "`parts`"), (reshaped, "`image`")):
        check = task.grade(careless).checks[0]
        assert f"altered its argument {name}" in check.message


def test_altered_arguments_of_a_stand_in_are_noticed():
    """A callable that crosses to another process brings alterations back into the arrays it was given."""

    class StandIn:
        def __call__(self, image):
            copy = image.copy()
            result = copy * 2
            image[...] = 0  # what came back
            return result

    task = Task("Double", reference=_double)

    @task.check(points=1)
    def input_left_alone(function):
        """The input is left alone."""
        function(np.ones(3))
        unaltered(function)

    assert "altered its argument `image`" in task.grade(StandIn()).checks[0].message


def test_result_is_a_copy():
    """A function that hands out the same array twice cannot change an earlier result."""
    shared = np.zeros(3)

    def function(image):
        shared[:] = image
        return shared

    task = Task("Copy", reference=lambda image: image)

    @task.check(points=1)
    def two_results(function):
        """Two results are two arrays."""
        one, two = function(np.ones(3)), function(np.zeros(3))
        agree(one, np.ones(3))
        agree(two, np.zeros(3))

    assert task.grade(function).score == 1


def test_output_and_warnings_of_the_function_are_dropped(capfd, recwarn):
    """What a function prints could show the inputs, and nbgrader takes warnings for an error."""

    def chatty(image):
        sys.stdout.write(str(image))
        sys.stderr.write(str(image))
        warnings.warn("careful", stacklevel=1)
        np.seterr(all="raise")
        return np.divide(image, 0.5)

    before = np.geterr()
    assert _task().grade(chatty).score == 2
    assert np.geterr() == before
    assert capfd.readouterr() == ("", "")
    assert len(recwarn) == 0


def test_seed_makes_a_run_repeatable(monkeypatch):
    """The same seed gives the same inputs; it is an argument, or the environment's, or new every time."""
    task, seen = _task(), []

    def function(image):
        seen.append(float(image.sum()))
        return image * 2

    for seed in (1, 1, 2, None, None):
        task.grade(function, seed=seed)
    monkeypatch.setenv("FAIRMARK_SEED", "1")
    task.grade(function)
    sums = seen[1::2]
    assert sums[0] == sums[1] == sums[5]
    assert len(set(sums)) == 4


def test_inputs_of_one_check_do_not_depend_on_the_others():
    """Every check has a random generator of its own, made from the seed and its name."""
    whole, part = _task(), _task()
    part.checks = part.checks[1:]
    seen = []
    whole.grade(lambda image: seen.append(image) or image, seed=5)
    part.grade(lambda image: seen.append(image) or image, seed=5)
    assert (seen[1] == seen[2]).all()


def test_authors_mistakes_are_told_at_once():
    """A check that asks for something unknown, has no title, no points, or another's name is refused."""
    task = _task()
    with pytest.raises(TypeError, match=r"asks for image, seed: a check may name function, rng, reference"):

        @task.check(points=1)
        def curious(image, seed):
            """Asks too much."""

    with pytest.raises(ValueError, match="'silent' of 'Double the image' has no docstring"):

        @task.check(points=1)
        def silent(function):
            pass

    with pytest.raises(ValueError, match="give it more than 0"):
        task.check(points=0)
    with pytest.raises(ValueError, match="two checks named 'noise'"):

        @task.check(points=1)
        def noise(function):
            """Comes again."""

    assert len(task.checks) == 2


def test_report_is_plain_data():
    """What fairmark's grader reads can be written as JSON."""
    document = _task().grade(lambda image: image * 3, seed=1)._fairmark_report_()
    assert read_checks(json.loads(json.dumps(document))) == read_checks(document)
    assert (document["score"], document["max_score"], document["kind"]) == (0, 2, "code")
    assert set(document["checks"][0]) == {
        "title",
        "status",
        "score",
        "max_score",
        "message",
        "hint",
        "diagnosis",
        "comparison",
    }


def test_html_is_escaped():
    """Nothing that a student's function says becomes a tag on a feedback page."""
    page = _task().grade(_raises(ValueError("<script>alert(1)</script>")))._repr_html_()
    assert "<script" not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert "Ones become twos." in page
    assert "0 of 2 points" in page


def test_messages_are_short_and_printable():
    """A flood of words, control characters and broken text is cut to one line."""
    report = _task().grade(_raises(ValueError("\x1b[31m\ud800\u202e" + "a\n" * 10**6)))
    message = report.checks[0].message
    assert len(message) <= 400
    assert message.isprintable()
    message.encode()

    task = Task("Long", reference=_double)

    @task.check(points=1, hint="h" * 10**5)
    def long():
        """Says much."""
        raise Failure("m" * 10**6)

    check = task.grade(_double).checks[0]
    assert len(check.message) <= 400
    assert len(check.hint) <= 300


def test_message_holds_no_more_of_the_input_than_one_pixel():
    """Only the worst pixel's numbers are told."""
    values = []

    def function(image):
        values.extend(f"{value:.4g}" for value in image.ravel() * 2)
        return image * 0

    report = _task().grade(function, seed=4)
    told = [value for value in values[12:] if value in report.checks[1].message]
    assert len(told) == 1


def test_image_of_gives_numbers_or_words():
    """A check can calculate with what `image_of` returns; everything else is a failure."""
    assert image_of(np.array([[True, False]]), (1, 2)).tolist() == [[1.0, 0.0]]
    assert image_of(np.array([[3, 4]], dtype=np.uint8), (1, 2)).dtype == float
    for bad in (None, 1.0, [[1.0, 2.0]], np.zeros((2, 1)), np.full((1, 2), np.nan), np.array([["a", "b"]])):
        with pytest.raises(Failure):
            image_of(bad, (1, 2))


def test_grading_keeps_no_inputs():
    """After grading nothing of the hidden inputs is left in the report."""
    report = _task().grade(lambda image: image)
    assert not any(isinstance(thing, np.ndarray) for thing in gc.get_referents(report, *report.checks))


@pytest.mark.parametrize("answer", [None, "text", {"a": 1}])
def test_a_result_that_a_check_cannot_go_on_with_is_no_fault_of_ours(answer):
    """Whoever forgets ``return`` is told what came back, and nobody has to look."""
    task = Task("Double", reference=lambda image: image * 2)

    @task.check(points=1)
    def keeps_the_shape(function):
        """The shape is kept."""
        assert function(np.ones((2, 3))).shape == (2, 3)

    [check] = task.grade(lambda image: answer, seed=1).checks  # noqa: ARG005
    assert check.status == "failed"
    assert "gave back" in check.message


class _Extremes:
    """Has the methods of an array, and answers them as it likes."""

    def min(self):
        return 0.0

    def max(self):
        return 1.0


@pytest.mark.parametrize(
    ("function", "points"),
    [
        (lambda image: image / image.max(), 1),
        (lambda _: np.float32([0, 1]), 1),
        (lambda _: np.float64(1), 0),
        (lambda _: _Extremes(), 0),
        (lambda _: namedtuple("ndarray", "min max")(lambda: 0.0, lambda: 1.0), 0),  # noqa: PYI024
    ],
)
def test_what_only_has_the_methods_of_an_array_is_none(function, points):
    """A check that asks a result for its minimum would believe whatever the student's object says."""
    task = Task("Stretch", reference=lambda image: image / image.max())

    @task.check(points=1)
    def from_0_to_1(function):
        """The range is 0 to 1."""
        result = function(np.arange(3.0))
        agree([result.min(), result.max()], [0.0, 1.0])

    report = task.grade(function)
    assert report.score == points
    if function(np.ones(1)).__class__.__module__ != "numpy":
        assert "ndarray was expected" in report.checks[0].message


def test_a_reference_that_gives_an_object_allows_for_others():
    """Only where an array or a number is expected, nothing else will do."""

    def count(number):
        return range(number)

    task = Task("Count", reference=count)

    @task.check(points=1)
    def numbers(function):
        """Counts."""
        agree(list(function(3)), [0, 1, 2])

    assert task.grade(lambda number: (each for each in range(number))).score == 1
