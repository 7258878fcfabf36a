"""The checks of the smaller assignments against right answers, wrong answers, and mutants of the right ones."""

import ast
import copy
import importlib
import inspect
import math
from pathlib import Path

import nbformat
import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SEEDS = range(10)
TASKS = {
    "environments": {"repair": 4},
    "images": {
        "crop": 2,
        "flip": 1,
        "subsample": 2,
        "stretch": 3,
        "project": 3,
        "side_view": 2,
        "volume": 2,
    },
    "segmentation": {
        "binarize": 2,
        "segment": 2,
        "count": 3,
        "intensities": 2,
        "brightness": 2,
    },
    "restoring": {"outliers": 2, "flat_field": 2, "background": 2, "spots": 2},
}
NAMES = [(module, name) for module, names in TASKS.items() for name in names]
each_task = pytest.mark.parametrize(("module", "name"), NAMES)


def _task(module, name, *, diagnosis=False):
    task = copy.copy(getattr(importlib.import_module(f"autograder.{module}"), name))
    if not diagnosis:  # marks do not depend on it, and it takes time
        task.mistakes = []
    return task


def _answers(module, name, prefix):
    found = vars(importlib.import_module(f"answers.{module}"))
    return {key: value for key, value in found.items() if key.startswith(f"{prefix}_{name}_")}


def _each(prefix):
    return [(module, name, key) for module, name in NAMES for key in _answers(module, name, prefix)]


def _lost(report):
    return [(check.title, check.status, check.message) for check in report.checks if check.status != "passed"]


def _passed(task, function, seeds=SEEDS):
    reports = [task.grade(function, seed=seed) for seed in seeds]
    for report in reports:
        assert "error" not in {check.status for check in report.checks}, _lost(report)
    return [[check.title for check in report.checks if check.status == "passed"] for report in reports]


@pytest.mark.parametrize(("module", "name", "key"), _each("right"))
def test_right_answer_gets_all_points(module, name, key):
    """Every correct style gets full marks on every seed."""
    for seed in SEEDS:
        report = _task(module, name).grade(_answers(module, name, "right")[key], seed=seed)
        assert _lost(report) == []
        assert report.score == TASKS[module][name]


@pytest.mark.parametrize(("module", "name", "key"), _each("wrong"))
def test_wrong_answer_loses_the_same_points_on_every_seed(module, name, key):
    """Every wrong answer fails at least one check, the same ones on every seed, and no check breaks on it."""
    task = _task(module, name)
    passed = _passed(task, _answers(module, name, "wrong")[key])
    assert len(passed[0]) < len(task.checks)
    assert passed == [passed[0]] * len(passed)


@each_task
def test_declared_mistakes_are_named_and_cost_the_same(module, name):
    """A function that makes a declared mistake, and no other, is told so, and pays the same on every seed."""
    task = _task(module, name, diagnosis=True)
    for mistake in task.mistakes:
        report = task.grade(mistake.body, seed=3)
        said = {check.diagnosis for check in report.checks if check.diagnosis}
        assert said == {f"Your result is exactly what comes out when the function {mistake.words}."}
        passed = _passed(_task(module, name), mistake.body, range(4))
        assert len(passed[0]) < len(task.checks)
        assert passed == [passed[0]] * len(passed), mistake.words


@each_task
def test_library_is_large_enough(module, name):
    """There are several right answers of different style, and many wrong ones."""
    wrong = len(_answers(module, name, "wrong")) + len(_task(module, name, diagnosis=True).mistakes)
    assert len(_answers(module, name, "right")) >= 3
    assert wrong >= 13


SWAPS = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Or: ast.And,
    ast.And: ast.Or,
}


class _Mutator(ast.NodeTransformer):
    """Changes one place of a function, the one with the number `target`; `count` tells how many there are."""

    def __init__(self, target):
        self.target, self.count = target, 0

    def _here(self):
        self.count += 1
        return self.count - 1 == self.target

    def visit_Constant(self, node):
        if isinstance(node.value, int | float) and not isinstance(node.value, bool) and self._here():
            return ast.copy_location(ast.Constant(node.value + 1), node)
        return node

    def visit_Name(self, node):
        arguments = self.arguments
        if isinstance(node.ctx, ast.Load) and node.id in arguments and len(arguments) > 1 and self._here():
            other = arguments[(arguments.index(node.id) + 1) % len(arguments)]
            return ast.copy_location(ast.Name(other, ast.Load()), node)
        return node

    def visit_Raise(self, node):
        return node

    def visit_If(self, node):
        if self._here():
            node.test = ast.Constant(value=False)
            return node
        return self.generic_visit(node)

    def generic_visit(self, node):
        for field in ("op", "ops"):
            old = getattr(node, field, None)
            first = old[0] if isinstance(old, list) and old else old
            if type(first) in SWAPS and self._here():
                new = SWAPS[type(first)]()
                setattr(node, field, [new, *old[1:]] if isinstance(old, list) else new)
        return super().generic_visit(node)


def _mutants(function):
    """Yield each function that differs from this one in one place, with its text."""
    tree = ast.parse(inspect.getsource(function))
    arguments = [argument.arg for argument in tree.body[0].args.args]
    number, total = 0, 1
    while number < total:
        mutator = _Mutator(number)
        mutator.arguments = arguments
        changed = ast.fix_missing_locations(mutator.visit(copy.deepcopy(tree)))
        total = mutator.count
        number += 1
        if not total:
            return
        space = dict(function.__globals__)
        exec(compile(changed, "<mutant>", "exec"), space)  # our own text
        yield ast.unparse(changed), space[function.__name__]


# one pixel that is exactly as bright as a threshold may be on either side of it
SAME = (
    ">= threshold_otsu(",
    ">= _otsu(",
    ">= filters.threshold_otsu(",
    "difference >= limit",
    "sigma * 2) >= limit",
    "low - high >= limit",
)


def _survivors(module, name):
    task = _task(module, name)
    total, alive = 0, []
    for key, function in _answers(module, name, "right").items():
        for text, mutant in _mutants(function):
            total += 1
            if all(task.grade(mutant, seed=seed).score == task.points for seed in (1, 2)):
                alive.append((key, text))
    return total, alive


@each_task
def test_every_mutant_of_a_right_answer_loses_points(module, name):
    """One changed number, operator, argument or condition is noticed."""
    total, alive = _survivors(module, name)
    declared = len(_answers(module, name, "wrong")) + len(_task(module, name, diagnosis=True).mistakes)
    assert total + declared >= 20
    assert [text for _, text in alive if not any(part in text for part in SAME)] == []


def _blackens(image, *_rest):
    image[...] = 0
    return image


IDLE = {
    "input": lambda image, *_: image,
    "zeros": lambda image, *_: np.zeros(image.shape),
    "ones": lambda image, *_: np.ones(image.shape),
    "a zero": lambda *_: 0.0,
    "nothing": lambda *_: None,
    "nan": lambda image, *_: np.full(image.shape, np.nan),
    "noise": lambda image, *_: np.random.default_rng().random(image.shape),
    "first element": lambda image, *_: image[0],
    "text": lambda *_: "done",
    "an error": lambda *_: 1 / 0,
    "the expected error": lambda *_: int("x"),
    "blackens": _blackens,
    "no function": None,
}


@each_task
def test_idle_functions_get_nothing(module, name):
    """Nobody gets a part of the points for the input, a constant, nothing, or an error."""
    for idle, function in IDLE.items():
        report = _task(module, name).grade(function, seed=1)
        assert [check.title for check in report.checks if check.score] == [], idle
        assert {check.status for check in report.checks} == {"failed"}, (idle, _lost(report))


@each_task
def test_students_read_titles_hints_and_mistakes(module, name):
    """Titles are sentences, every check has a hint, mistakes complete the sentence of the diagnosis."""
    task = _task(module, name, diagnosis=True)
    for check in task.checks:
        assert check.title.endswith(".")
        assert check.title[0].isupper()
        assert check.hint
        assert math.isclose(check.points * 4 % 1, 0)
        assert len(check.title) <= 160
        assert len(check.hint) <= 300
    words = [mistake.words for mistake in task.mistakes]
    assert len(words) == len(set(words))
    assert all(text[0].islower() and not text.endswith(".") for text in words)


@pytest.mark.parametrize("module", TASKS)
def test_points_are_those_of_the_notebook(module):
    """Each task is graded in one cell that is worth the sum of its checks."""
    points = {}
    for path in (ROOT / "source").glob("*/*.ipynb"):
        for cell in nbformat.read(path, as_version=4).cells:
            settings = cell.metadata.get("nbgrader", {})
            for name in TASKS[module]:
                if f"{module}.{name}.grade(" in cell.source and settings.get("grade"):
                    points.setdefault(name, []).append(settings["points"])
    assert points == {name: [TASKS[module][name]] for name in TASKS[module]}
    assert {name: _task(module, name).points for name in TASKS[module]} == TASKS[module]


MESSAGES = {
    "Return a mask from binarize instead of a number\n\nlabel got the threshold alone, so no cell was counted.": 2,
    "binarize: compare the image with the threshold\n\n\nIt gave back the number of threshold_otsu and not a mask.": 2,
    "Make binarise return a mask\n\n* threshold_otsu gives one number\n* count_cells failed because of that\n": 2,
    "Fix binarize to return the mask\n\nBefore, a single value was returned and labelling stopped with an error.": 2,
    "Fixed binarize so that it returns a mask\n\nIt returned the threshold, a number, so that label failed.": 1.5,
    "Return a mask from binarize.\n\nIt returned the threshold, a number, so that label failed.": 1.5,
    "Fix the bug\n\nIt returned the threshold, a number, so that label failed.": 1.5,
    "Return a mask from binarize instead of a number": 1,
    "Return a mask from binarize\nIt returned the threshold, a number, so that label failed.": 1,
    "Return a mask from binarize\n\nIt was wrong and is now right, as it should be.": 1,
    "Return a mask from binarize\n\nwrong number": 1,
    "Returns a mask from binarize" + " and more" * 9: 0,
    "update": 0,
    "stuff.": 0,
    "": 0,
}


@pytest.mark.parametrize(("text", "points"), MESSAGES.items())
def test_messages_of_a_commit_get_what_they_deserve(text, points):
    """A short title in the imperative that names its subject, and a reason; each counts for itself."""
    report = _task("segmentation", "message").grade(lambda: text)
    assert report.score == points, _lost(report)
    assert "error" not in {check.status for check in report.checks}


@pytest.mark.parametrize("thing", [None, 3, ["Return a mask"], b"Return a mask from binarize"])
def test_a_message_is_a_text(thing):
    """Whatever else stands in its place gets nothing, and breaks nothing."""
    report = _task("segmentation", "message").grade(lambda: thing)
    assert report.score == 0
    assert {check.status for check in report.checks} == {"failed"}
