"""The throw-away course that attacks are graded in: one notebook with every kind of graded cell."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from fairmark.course import Course, open_course
from fairmark.release import release_assignment
from fairmark.simulation import Recipe
from tests.courses import answer, check, code, make_course, markdown, notebook, question, task, written

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ("HIDDEN", "TRUSTED", "SOLUTION", "PEER", "PRIVATE", "ENVIRONMENT", "SECRET")

_MEAN = '''def mean(numbers):
    """Return the mean of a list of numbers; raise a ValueError where there are none."""
    ### BEGIN SOLUTION
    # {SOLUTION}
    if not numbers:
        raise ValueError("no numbers")
    return sum(numbers) / len(numbers)
    ### END SOLUTION'''
_MEAN_TEST = """assert mean([1, 2, 3]) == 2
### BEGIN HIDDEN TESTS
hint = "{HIDDEN}"
assert mean([2, 4, 8, 16]) == 7.5, "the mean of four numbers"
assert type(mean([1, 2])) is float
import random
numbers = [random.randint(1, 10**6) for _ in range(9)]
assert abs(mean(numbers) - sum(numbers) / 9) < 1e-6
try:
    mean([])
    assert False, "the mean of nothing is an error"
except ValueError:
    pass
### END HIDDEN TESTS"""
_NORMALISE = '''def normalise(image):
    """Return the image stretched to the range from 0 to 1, as floating-point numbers."""
    ### BEGIN SOLUTION
    low, high = image.min(), image.max()
    return (image - low) / (high - low)
    ### END SOLUTION'''
_NORMALISE_TEST = """assert normalise(np.array([[0.0, 2.0]])).shape == (1, 2)
### BEGIN HIDDEN TESTS
image = np.random.default_rng().normal(size=(5, 7))
expected = (image - image.min()) / (image.max() - image.min())
np.testing.assert_allclose(normalise(image), expected)
assert np.allclose(normalise(image), expected)
assert np.array_equal(normalise(np.array([[1, 3], [2, 3]])), np.array([[0, 1], [0.5, 1]]))
assert (normalise(image) == expected).all()
### END HIDDEN TESTS"""
_NORMALISE_REPORT = """### BEGIN HIDDEN TESTS
from autograder import tasks
tasks.stretch.grade(normalise)
### END HIDDEN TESTS"""
_TOTAL = """### BEGIN SOLUTION
total = sum(range(101))
### END SOLUTION"""
_TOTAL_TEST = """assert isinstance(total, int)
### BEGIN HIDDEN TESTS
assert total == 5050
assert total in [5050]
assert not total != 5050
### END HIDDEN TESTS"""
_STACK = '''class Stack:
    """A stack with push, pop and len."""
    ### BEGIN SOLUTION
    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        return self.items.pop()

    def __len__(self):
        return len(self.items)
    ### END SOLUTION'''
_STACK_TEST = """stack = Stack()
stack.push(4)
### BEGIN HIDDEN TESTS
stack.push("x")
assert len(stack) == 2
assert stack.pop() == "x"
assert stack.pop() == 4
assert len(stack) == 0
### END HIDDEN TESTS"""
_COUNT = '''def count(text):
    """Return how often each word is in a text."""
    ### BEGIN SOLUTION
    words = text.split()
    return {{word: words.count(word) for word in words}}
    ### END SOLUTION'''
_COUNT_TEST = """### BEGIN HIDDEN TESTS
points = 0
if count("a b a") == {{"a": 2, "b": 1}}:
    points += 1
if count("") == {{}}:
    points += 1
if sorted(count("z y x")) == ["x", "y", "z"]:
    points += 1
points
### END HIDDEN TESTS"""
_RECORD = """### BEGIN SOLUTION
with open("squares.txt", "w") as file:
    for number in range(5):
        print(number**2, file=file)
### END SOLUTION"""
_RECORD_TEST = """### BEGIN HIDDEN TESTS
with open("squares.txt") as file:
    assert [int(line) for line in file] == [0, 1, 4, 9, 16]
### END HIDDEN TESTS"""
_TRIPLE = '''def triple(number):
    """Return three times the number."""
    ### BEGIN SOLUTION
    return 3 * number
    ### END SOLUTION'''
_TRIPLE_TEST = """assert FACTOR == 3
### BEGIN HIDDEN TESTS
for number in (5, -2, 0.5):
    assert triple(number) == enlarge(number)
table = np.loadtxt("table.csv", delimiter=",")
assert triple(float(table[0])) == 33
### END HIDDEN TESTS"""
_TASKS = '''"""References and checks that hidden tests import; {TRUSTED}."""

import numpy as np

from fairmark.checks import Task, agree, unaltered


def reference(image):
    image = np.asarray(image, dtype=float)
    return (image - image.min()) / (image.max() - image.min())


stretch = Task("Stretch an image", reference=reference)


@stretch.check(points=3)
def random_images_are_stretched(function, rng, reference):
    """Random images are stretched."""
    for _ in range(3):
        image = rng.normal(size=(6, 4))
        agree(function(image), reference(image))


@stretch.check(points=2)
def the_ends_are_0_and_1(function, rng):
    """The darkest pixel becomes 0, the brightest 1."""
    result = function(rng.uniform(5, 9, size=(4, 4)))
    agree([result.min(), result.max()], [0, 1])


@stretch.check(points=1)
def the_image_stays_as_it_was(function, rng):
    """The argument is not altered, and the result is stretched."""
    image = rng.normal(size=(3, 3))
    agree(function(image).max() - function(image).min(), 1.0)
    unaltered(function)
'''
_CONFIG = """
c.Execute.timeout = {seconds}
c.ExecutePreprocessor.timeout = {seconds}
c.Execute.raise_on_iopub_timeout = False
c.GenerateFeedback.force = True
c.Fairmark.sandbox = {sandbox!r}
"""
PEER_ANSWER = '''def mean(numbers):
    """The mean. {PEER}"""
    if len(numbers) == 0:
        raise ValueError("nothing")
    return float(sum(numbers)) / len(numbers)'''


def make_canaries() -> dict[str, str]:
    """Return words by what they give away; no two runs have the same."""
    token = secrets.token_hex(6)
    return {kind: f"canary-{kind.lower()}-{token}" for kind in KINDS}


def make_exam(
    root: Path, canaries: dict[str, str], *, seconds: int = 5, sandbox: str | None = None
) -> Course:
    """Write and release the course.

    Parameters
    ----------
    root : Path
    canaries : dict of str to str
        What is laid where no student may see it.
    seconds : int
        For one cell.
    sandbox : str, optional
        The level of the sandbox.
    """

    def put(text: str) -> str:
        return text.format(**canaries)

    cells = [
        markdown("# Exam", "title"),
        code("import numpy as np", "imports"),
        code(
            "FACTOR = 3\n\ndef enlarge(number):\n    return FACTOR * number",
            "helper",
            grade_id="helper",
            locked=True,
        ),
        answer(put(_MEAN), "mean"),
        check(put(_MEAN_TEST), "mean-test", 4),
        answer(_NORMALISE, "normalise"),
        check(_NORMALISE_TEST, "normalise-test", 4),
        check(_NORMALISE_REPORT, "normalise-report", 6),
        answer(_TOTAL, "total"),
        check(_TOTAL_TEST, "total-test", 2),
        answer(_STACK, "stack"),
        check(_STACK_TEST, "stack-test", 3),
        answer(_COUNT.format(), "count"),
        check(_COUNT_TEST.format(), "count-test", 3),
        question(),
        written(),
        answer(_RECORD, "record"),
        check(_RECORD_TEST, "record-test", 2),
        task(),
        answer(_TRIPLE, "triple"),
        check(_TRIPLE_TEST, "triple-test", 2),
    ]
    files = {
        "autograder/__init__.py": "",
        "autograder/tasks.py": put(_TASKS),
        "private.txt": canaries["PRIVATE"],
        "source/ps1/table.csv": "11,12\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    course = make_course(root, {"exam": notebook(*cells)}, _CONFIG.format(seconds=seconds, sandbox=sandbox))
    release_assignment(course, "ps1")
    return open_course(root)


def bystander(number: int, canaries: dict[str, str]) -> Recipe:
    """Return an honest student, whose work is right and nobody else's business."""
    return Recipe(
        student=f"{number:04}-bystander",
        about="Honest.",
        answers={"mean": PEER_ANSWER.format(**canaries), "why": "Because."},
    )
