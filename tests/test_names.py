"""Names that code binds are found without running it."""

import pytest

from fairmark.names import Names, find_imports


@pytest.mark.parametrize(
    ("solution", "names", "imports"),
    [
        (
            "import numpy as np\nfrom os import path",
            set(),
            {"np": "import numpy as np", "path": "from os import path"},
        ),
        ("x = y = 1\nz: int = 2\nw: int", {"x", "y", "z", "w"}, {}),
        ("a, (b, *c) = 1, (2, 3)\nd.e = f[0] = 1", {"a", "b", "c"}, {}),
        ("for i in []:\n    j = i\nwith open('f') as g: pass", {"i", "j", "g"}, {}),
        ("def f(a):\n    global h\n    h = k = a\nclass C:\n    m = 1", {"f", "C", "h"}, {}),
        ("n = [o for p in q if (r := p)]\ns = lambda t: t", {"n", "r", "s"}, {}),
        (
            "match u:\n    case {'v': v, **w}: pass\n    case [*x]: pass\n    case y: pass",
            {"v", "w", "x", "y"},
            {},
        ),
        ("%matplotlib inline\nfiles = !ls\npow = 2", {"files", "pow"}, {}),
        ("this is no Python", set(), {}),
    ],
)
def test_names_are_read_from_the_reference_solution(solution, names, imports):
    """Every way to bind a name in a module is known; what only a function sees is none of them."""
    found = Names()
    found.read(solution, "student")
    assert found.of_student == names
    assert found.imports == imports


@pytest.mark.parametrize("again", ["mean = None", "import mean", "def mean(): pass"])
def test_a_name_that_is_bound_again_is_no_longer_the_students(again):
    """What the instructor binds after the reference solution is the instructor's, however it is bound."""
    found = Names()
    found.read("mean = median = 1", "student")
    found.read(again, "instructor")
    assert found.of_student == {"median"}


def test_imports_are_found_beside_magics():
    """Only those at the top level: what stands in a branch or a function may not be meant to run."""
    source = "%matplotlib inline\nfiles = !ls\nimport os, sys\nfrom math import *\nif files:\n    import json"
    assert list(find_imports(source)) == ["import os, sys", "from math import *"]


def test_a_test_that_rebinds_a_students_name_leaves_it_the_students():
    """nbgrader's introduction takes a function away and puts it back; a name of its own is the instructor's."""
    found = Names()
    found.read("def square(x): return x * x", "student")
    found.read("kept = square\ndel square\nsquare = kept", "test")
    assert found.of_student == {"square"}
    assert found.of_instructor == {"kept"}
