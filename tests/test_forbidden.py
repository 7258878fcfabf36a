"""What an assignment forbids does not exist in the student's room, and everybody is told so."""

import json

import nbformat
import pytest
from courses import answer, check, make_course, markdown, notebook, run_nbgrader_commands, write

from fairmark.batch import grade_assignment
from fairmark.errors import AuthorError
from fairmark.packages import find_package
from fairmark.release import release_assignment
from fairmark.rooms.policy import Policy
from fairmark.rooms.room import Zygote
from fairmark.sitting import Sitting, TestCell

pytest.importorskip("scipy")
pytest.importorskip("skimage")

SOLUTION = "def largest(a):\n    ### BEGIN SOLUTION\n    return max(a)\n    ### END SOLUTION"
TEST = "assert largest([1, 3, 2]) == 3\n### BEGIN HIDDEN TESTS\nimport scipy.ndimage as n, numpy\nassert largest([4, 5]) == n.maximum(numpy.array([4, 5]))\n### END HIDDEN TESTS"
WAYS_IN = [
    "import scipy.ndimage",
    "from scipy import ndimage",
    "import sys\nsys.meta_path = sys.meta_path[1:]\nfrom scipy import ndimage",
    "import sys\n[sys.meta_path.remove(f) for f in list(sys.meta_path) if 'Absent' in str(f)]\nimport scipy.ndimage",
    "import skimage.filters",
    "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import scipy.ndimage'], check=True)",
    "import subprocess\nsubprocess.run(['/usr/bin/python3', '-c', 'import scipy.ndimage'], check=True)",
    "import importlib.metadata as m\nassert m.version('scipy')",
    "import glob, sys\nfound = [p for base in {sys.prefix, sys.base_prefix, '/usr'} for p in glob.glob(base + '/lib*/python3*/**/scipy*/**/*.so', recursive=True)]\nassert found",
    "import glob, sys\nassert glob.glob(sys.prefix + '/lib/python3*/site-packages/scipy.libs/*')",
    "import sys\nassert [m for m in sys.modules if m.split('.')[0] in ('scipy', 'skimage')]",
    "import ctypes, sys\np = [p for p in sys.path if p.endswith('site-packages')][0] + '/scipy'\nassert ctypes.CDLL(None).umount2(p.encode(), 2) == 0",
    "import gc\nassert [o for o in gc.get_objects() if getattr(o, '__name__', '') == 'scipy']",
]


def forbid(*names, cells=()):
    node = notebook(markdown("# Maxima", "title"), answer(SOLUTION, "largest"), check(TEST, "test"), *cells)
    node.metadata["fairmark"] = {"forbidden": list(names)}
    return node


@pytest.fixture(scope="module")
def packages():
    return find_package("scipy"), find_package("scikit-image")


@pytest.fixture(scope="module")
def zygote(packages):
    policy = Policy(
        "student",
        preload=("import numpy", "import skimage.filters", "import scipy.ndimage"),
        without=tuple(module for package in packages for module in package.modules),
    )
    with Zygote(policy) as zygote:
        assert zygote.needed == ()
        yield zygote


@pytest.mark.parametrize("way", WAYS_IN)
def test_there_is_no_way_to_a_forbidden_package(zygote, examiner_zygote, packages, way):
    """Not by an import, not by another process or another Python, not by what was loaded before."""
    with Sitting(zygote, examiner_zygote, work={}, trusted={}, seeds=(1, 2), without=packages) as sitting:
        run = sitting.run_student(way)
        assert not run.good, run.outputs
        assert sitting.run_student("import numpy, matplotlib.pyplot").good
        assert sitting.run_test(TestCell("import scipy.ndimage")).good


def test_a_copy_beside_the_notebook_is_left_out(zygote, examiner_zygote, packages):
    """Neither as a folder nor as a file; other helpers stay."""
    work = {"scipy/__init__.py": b"", "./skimage.py": b"", "helper.py": b"x = 1"}
    with Sitting(zygote, examiner_zygote, work=work, trusted={}, seeds=(1, 2), without=packages) as sitting:
        assert not sitting.run_student("import scipy").good
        assert not sitting.run_student("import skimage").good
        assert sitting.run_student("import helper").good


def test_another_notebook_of_the_assignment_may_use_the_package(zygote, examiner_zygote):
    """What one notebook forbids is merely not loaded before for the others."""
    with Sitting(zygote, examiner_zygote, work={}, trusted={}, seeds=(1, 2)) as sitting:
        run = sitting.run_student("import scipy.ndimage, skimage.filters")
        assert run.good, run.outputs


def test_students_are_told_in_the_release_and_at_the_import_through_both_doors(tmp_path):
    """The release says it in its first text; the page says why the import failed; the bystander is graded."""
    course = make_course(tmp_path, {"maxima": forbid("scipy", "scikit-image")})
    release_assignment(course, "ps1")
    released = nbformat.read(course.release("ps1") / "maxima.ipynb", as_version=4)
    assert "Do without `scipy`, `scikit-image`" in released.cells[0].source
    for student, source in (
        ("cheat", "from scipy import ndimage\ndef largest(a): return ndimage.maximum(a)"),
        ("honest", "def largest(a): return sorted(a)[-1]"),
    ):
        handed = json.loads(json.dumps(released))
        handed["metadata"].pop("fairmark")
        handed["cells"][1]["source"] = source
        write(course.submitted(student, "ps1") / "maxima.ipynb", nbformat.from_dict(handed))
    batch = grade_assignment(course, "ps1", workers=1)
    assert {result.submission.student: result.score for result in batch.results} == {"cheat": 0, "honest": 4}
    run_nbgrader_commands(course.root, ("autograde", "ps1", "--force"), ("generate_feedback", "ps1"))
    page = (course.feedback("cheat", "ps1") / "maxima.html").read_text()
    assert "this notebook has to be solved without scipy, skimage" in page


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (forbid("scpy"), "Did you mean 'scipy'?"),
        (forbid("sys"), "built into Python"),
        (forbid("numpy"), "fairmark's own room needs it"),
        (
            forbid(
                "statistics",
                cells=[answer("### BEGIN SOLUTION\nimport statistics\n### END SOLUTION", "more")],
            ),
            "imports statistics",
        ),
    ],
)
def test_what_cannot_be_forbidden_is_the_authors_fault(tmp_path, node, words):
    """It is told at the release, with the file."""
    course = make_course(tmp_path, {"n": node})
    with pytest.raises(AuthorError) as caught:
        release_assignment(course, "ps1")
    [fault] = caught.value.faults
    assert fault.file == "source/ps1/n.ipynb"
    assert words in fault.message


def test_the_setting_has_one_shape(tmp_path):
    """A text in the place of a list is told, and so is a notebook that has no text."""
    node = forbid("scipy")
    node.metadata["fairmark"] = {"forbidden": "scipy"}
    bare = notebook(answer(SOLUTION, "largest"), check(TEST, "test"))
    bare.metadata["fairmark"] = {"forbidden": ["scipy"]}
    with pytest.raises(AuthorError) as caught:
        release_assignment(make_course(tmp_path, {"a": node, "b": bare}), "ps1")
    told = {fault.file: fault.message for fault in caught.value.faults}
    assert 'must look like {"forbidden"' in told["source/ps1/a.ipynb"]
    assert "begin it with a title" in told["source/ps1/b.ipynb"]
