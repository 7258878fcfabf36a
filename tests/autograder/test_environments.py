"""The exercise on `selem` judges as pip, conda and Python do: what is stated here was installed and run."""

import asyncio
import json

import pytest

from autograder.environments import channel, median

STEPS = ("readable", "solvable", "version", "python", "imports", "open")
PROJECT = """[project]
name = "coins"
version = "1"
requires-python = "{python}"
dependencies = [{dependencies}]
"""


def judge(name, text, **beside):
    report = median.judge(
        name, {name: text.encode()} | {key: value.encode() for key, value in beside.items()}
    )
    passed = [step for step, check in zip(STEPS, report.checks, strict=True) if check.status == "passed"]
    return passed, report


def with_pip(python, *lines):
    return judge("requirements.txt", "\n".join(lines), **{".python-version": python})


def installed(report):
    return report.checks[1].message


# Installed from PyPI with these wishes and this Python: what came, and how the import and the call ended.
TRIED = [
    ("3.7", ["scikit-image<0.20"], "scikit-image 0.19.3, scipy 1.7.3", None),
    ("3.8", ["scikit-image<0.20"], "numpy 1.24.4, pywavelets 1.4.1, scikit-image 0.19.3, scipy 1.10.1", None),
    ("3.8", ["scikit-image==0.18.3"], "numpy 1.24.4", None),
    (
        "3.8",
        ["scikit-image==0.17.2"],
        "numpy 1.24.4",
        "AttributeError: module 'numpy' has no attribute 'bool'",
    ),
    ("3.8", ["scikit-image==0.17.2", "numpy<1.24"], "numpy 1.23.5", None),
    ("3.9", ["scikit-image<0.20"], "numpy 2.0.2, pywavelets 1.6.0", "ValueError: numpy.dtype size changed"),
    ("3.9", ["scikit-image<0.19"], "numpy 2.0.2", "ValueError: numpy.dtype size changed"),
    ("3.9", ["scikit-image==0.18.3", "numpy<2"], "numpy 1.26.4", None),
    ("3.9", ["scikit-image==0.18.0", "numpy<2"], "numpy 1.26.4", None),
    ("3.10", ["scikit-image<0.20"], "numpy 2.2.6, pywavelets 1.8.0", "ValueError: numpy.dtype size changed"),
    ("3.10", ["scikit-image<0.20", "numpy<2"], "numpy 1.26.4, pywavelets 1.8.0", None),
    ("3.10", ["scikit-image==0.19.0", "numpy<2"], "scipy 1.15.3, tifffile 2025.5.10", None),
    ("3.10", ["scikit-image==0.19.3", "numpy==1.26.4", "scipy<1.12"], "scipy 1.11.4", None),
    ("3.10", ["scikit-image==0.20.0", "numpy<2"], "numpy 1.26.4", "'selem'"),
    ("3.10", ["scikit-image==0.23.1"], "numpy 2.2.6, scikit-image 0.23.1", "'selem'"),
    ("3.12", ["scikit-image==0.22.0"], "numpy 2.5.5, scikit-image 0.22.0, scipy 1.18.1", "'selem'"),
    ("3.10", ["scikit-image<0.19", "numpy<2"], "scikit-image 0.18.3", "no wheel of scikit-image 0.18.3"),
    ("3.11", ["scikit-image<0.20", "numpy<2"], "scikit-image 0.19.3", "no wheel of scikit-image 0.19.3"),
]


@pytest.mark.parametrize(("python", "wishes", "versions", "raises"), TRIED)
def test_pip_would_install_what_it_did_install(python, wishes, versions, raises):
    """The same versions, and the same end."""
    passed, report = with_pip(python, *wishes)
    for version in versions.split(", "):
        assert version in installed(report)
    told = " ".join(check.message for check in report.checks[2:] if check.status == "failed")
    if raises is None:
        assert passed == list(STEPS), told
        assert report.score == report.max_score == 9
    else:
        assert raises in told


def test_the_near_miss_is_worth_five_of_nine_and_a_hint():
    """scikit-image is bounded, numpy is not; in each kind of file that pip reads."""
    files = {
        "requirements.txt": "scikit-image<0.20",
        "pyproject.toml": PROJECT.format(python=">=3.9,<3.11", dependencies='"scikit-image<0.20"'),
        "environment.yml": "dependencies:\n- python=3.10\n- pip\n- pip:\n  - scikit-image<0.20",
    }
    for name, text in files.items():
        passed, report = judge(name, text, **{"runtime.txt": "python-3.10"})
        assert passed == ["readable", "solvable", "version", "python"], name
        assert report.score == 5
        assert "Bound numpy, too" in report.checks[4].hint


def test_every_kind_of_file_can_be_right():
    """A student chooses."""
    files = {
        "requirements.txt": "scikit-image>=0.18,<0.20\nnumpy<2\nmatplotlib",
        "pyproject.toml": PROJECT.format(python=">=3.8,<3.11", dependencies='"scikit-image<0.20", "numpy<2"'),
        "environment.yml": "name: old\nchannels: [conda-forge]\ndependencies:\n- python=3.10\n"
        "- scikit-image=0.19\n- numpy<2\n- matplotlib",
    }
    for name, text in files.items():
        passed, report = judge(name, text, **{"runtime.txt": "python-3.10"})
        assert passed == list(STEPS), (name, report.checks)


@pytest.mark.parametrize(
    ("lines", "versions"),
    [
        (["scikit-image<0.20"], ["Python 3.11", "numpy 1.26.4", "scikit-image 0.19.3"]),
        (["python=3.9", "scikit-image=0.18"], ["Python 3.9", "numpy 1.26.4", "scikit-image 0.18.3"]),
        (["python=3.10.4", "scikit-image=0.18.3"], ["Python 3.10", "scikit-image 0.18.3"]),
        (
            ["python=3.10", "numpy=1.23", "pip", "pip: [scikit-image<0.20]"],
            ["numpy 1.23.5", "scikit-image 0.19.3"],
        ),
    ],
)
def test_conda_packages_say_what_they_were_built_for(lines, versions):
    """With conda-forge's builds a bound of scikit-image is enough: they say `numpy <2.0a0` themselves."""
    passed, report = judge("environment.yml", "dependencies:\n" + "".join(f"- {line}\n" for line in lines))
    assert all(version in installed(report) for version in versions), installed(report)
    assert passed == list(STEPS)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["python=3.12", "scikit-image=0.19"], "scikit-image 0.19"),
        (["scikit-image<0.20", "numpy>=2"], "numpy >=2"),
        (["scikit-image=0.19.7"], "scikit-image 0.19.7"),
        (["scikit-image>=<0.20"], "conda does not understand"),
        (["scikit-image<0.20", "python=9"], "python 9"),
    ],
)
def test_what_conda_cannot_solve_is_told_in_its_words(lines, told):
    """With the packages that are in each other's way."""
    passed, report = judge("environment.yml", "dependencies:\n" + "".join(f"- {line}\n" for line in lines))
    assert passed == ["readable"]
    assert told in report.checks[1].message
    assert len(report.checks[1].message) <= 400


def test_conda_and_pip_in_one_file_get_into_each_others_way():
    """pip replaces the numpy of conda, as in the lecture; what it keeps, it keeps."""
    text = "dependencies:\n- python=3.10\n- scikit-image=0.19\n- pip:\n  - numpy>=2\n"
    passed, report = judge("environment.yml", text)
    assert "numpy 2.2.6" in installed(report)
    assert passed == ["readable", "solvable", "version", "python"]
    text = "dependencies:\n- python=3.10\n- numpy=1.24\n- pip:\n  - scikit-image<0.20\n"
    assert "numpy 1.24.4" in installed(judge("environment.yml", text)[1])


def test_what_pip_freeze_and_conda_export_write_is_tied_down_too_far():
    """It works, and costs one point."""
    frozen = [
        "imageio==2.38.0",
        "numpy==1.26.4",
        "PyWavelets==1.8.0",
        "scikit-image==0.19.3",
        "tifffile==2025.5.10",
    ]
    passed, report = with_pip("3.10", *frozen)
    assert passed == list(STEPS[:-1])
    assert "imageio, PyWavelets, tifffile" in report.checks[5].message
    text = "dependencies:\n- python=3.10.4\n- numpy=1.26.4=py310_0\n- scikit-image=0.19.3=py310_0\n"
    passed, report = judge("environment.yml", text)
    assert passed == list(STEPS[:-1])
    assert "numpy, scikit-image exist for one operating system" in report.checks[5].message
    assert report.score == 8


def test_the_channel_is_what_its_script_writes():
    """Nothing in it was edited by hand."""
    assert json.loads(channel.FILE.read_text()) == channel.write_channel()


def test_a_solver_runs_where_an_event_loop_runs():
    """As in a notebook's kernel."""

    async def cell():
        return judge("environment.yml", "dependencies: [scikit-image<0.20]")[0]

    assert asyncio.run(cell()) == list(STEPS)
