"""A cell that only looks is known as such, and whatever may see what it has done is known, too."""

import pytest

from fairmark.traces import UNKNOWN, Tracer

SETUP = """import numpy as np
import matplotlib.pyplot as plt
from skimage import filters
import os
image = np.ones((3, 3))
results = []
stack = [results]
helper = lambda x: results.append(x)
log = open("log.txt", "w")
def again(start):
    np.random.seed(start)
class Luck:
    def again(self):
        os.chdir("/")
luck = Luck()
from numpy import random as chance
from numpy import save as keep
from scipy import stats
import pandas as pd
frame = pd.DataFrame()
def show(x):
    print(x)"""
STUDENTS = frozenset({"mean", "edges"})


def trace(*cells):
    tracer = Tracer()
    return [tracer.read(cell, STUDENTS) for cell in (SETUP, *cells)][-1]


@pytest.mark.parametrize(
    ("cell", "changes"),
    [
        ("print(mean([1, 2]), round(mean([3]), 2))", set()),
        ("mean([1, 2])", set()),
        ("[mean([n]) for n in range(3)]", {"n"}),
        ("print(mean(image).max())", {"image"}),
        ("np.abs(edges(filters.sobel(image)))", {"image"}),
        ("plt.imshow(edges(image), cmap='gray')\nplt.show()", {"image", "plt"}),
        ("print(edges(image).mean(), image.max())", {"image"}),
        ("print(edges(helper))", {"helper"}),
        ("print(f'{mean([1]):.2f}')", set()),
    ],
)
def test_a_cell_that_only_looks_changes_nothing_but_what_it_names(cell, changes):
    """Names of the student's live in another room; pure modules keep nothing."""
    assert trace(cell).changes == changes


@pytest.mark.parametrize(
    "cell",
    [
        "value = mean([1])",
        "results.append(mean([1]))",
        "print(mean([1]), file=log)",
        "print(edges(log))",
        "show_all(mean([1]))",
        "list(map(again, [1]))",
        "luck.again()",
        "print(edges(luck))",
        "np.save('x.npy', image)",
        "plt.savefig('x.png')",
        "keep('x.npy', image)",
        "print(chance.rand())",
        "print(stats.norm.rvs())",
        "frame.plot()",
        "print(value := mean([1]))",
        "import json",
        "for n in range(3):\n    print(mean([n]))",
        "del image",
        "assert mean([1]) == 1",
        "print(mean([1]))\nhelper(3)",
        "show(mean([1]))",
        "os.chdir('/')",
        "open('x', 'w')",
        "np.random.seed(mean([1]))",
        "print(np.random.random(3))",
        "np.set_printoptions(3)",
        "exec('value = 1')",
        "%timeit mean([1])",
        "%matplotlib inline\nprint(mean([1]))",
        "!ls",
        "helper(3)",
        "(lambda: results)().append(1); (helper or print)(3)",
        "await mean([1])",
    ],
)
def test_any_other_cell_runs_at_once(cell):
    """It binds a name, or calls what may do anything."""
    assert trace(cell).changes is None


def test_a_name_that_hides_a_builtin_or_a_module_is_not_trusted():
    """The instructor's own print may do anything."""
    assert trace("def print(x): results.append(x)", "print(mean([1]))").changes is None
    assert trace("np = os", "np.chdir(mean([1]))").changes is None
    assert trace("np = os", "print(edges(np))").changes is None
    assert trace("import os as plt", "plt.chdir(mean([1]))").changes is None


@pytest.mark.parametrize(
    ("cell", "sees", "not_seen"),
    [
        ("assert mean([1]) == 1", set(), {"image", "results", "plt"}),
        ("assert mean(image) == 1", {"image"}, {"results", "plt"}),
        ("assert stack[0] == []", {"stack", "results", "helper"}, {"image", "plt"}),
        ("assert helper(2) is None", {"stack", "results", "helper"}, {"image", "plt"}),
        ("assert plt.gcf().axes", {"plt"}, {"image", "results"}),
        ("from matplotlib import pyplot\nassert pyplot.gcf().axes", {"plt"}, {"image", "results"}),
    ],
)
def test_a_test_sees_what_it_names_and_what_may_be_the_same_object(cell, sees, not_seen):
    """Names that stand in one statement may share objects from then on."""
    found = trace(cell).sees
    assert sees <= found
    assert not not_seen & found


@pytest.mark.parametrize(
    "cell",
    [
        "eval('image')",
        "import IPython\nIPython.get_ipython().user_ns",
        "globals()['image']",
        "import sys\nsys.modules",
        "assert _ == 3",
        "%%time\nx = 1",
    ],
)
def test_whoever_may_name_anything_sees_everything(cell):
    """Nothing is known of what they see."""
    assert trace(cell).sees is None


@pytest.mark.parametrize(
    "cell", ["from os import *", "%run other.ipynb", "exec(text)", "globals().update(a=1)"]
)
def test_after_a_cell_that_may_bind_anything_nothing_is_known(cell):
    """Also not of cells that come later."""
    assert trace(cell, "print(mean([1]))") == UNKNOWN


def test_magics_that_set_a_notebook_up_are_no_riddle():
    """Many notebooks begin with one; the cells below can still wait."""
    assert trace("%matplotlib inline\nsmall = image[:2]", "print(mean(small))").changes == {"small"}
    assert trace("%matplotlib inline\nsmall = image[:2]", "assert mean(image)").sees >= {"small", "image"}
