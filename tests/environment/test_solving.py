"""What is rarely asked of the solver: exact Pythons, packages that only conda knows, and endless searches."""

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from fairmark.environment.files import EnvironmentFile, read_requirements
from fairmark.environment.index import Index, Release
from fairmark.environment.solving import NoSolution, _solve_pip, solve

PYTHONS = (Version("3.9.25"), Version("3.10.20"))


def release(name, version, *requires, python=""):
    return Release(name, Version(version), SpecifierSet(python), tuple(map(Requirement, requires)))


def test_a_python_that_was_named_to_the_patch_is_taken_as_it_is():
    """3.9.1 is not the last 3.9, and a release may ask for a later one."""
    index = Index("2026-11-26", PYTHONS, (release("a", "1"), release("a", "2", python=">=3.9.2")))
    for python, version, chosen in (
        ("3.9.1", "3.9.1", "1"),
        ("3.9", "3.9.25", "2"),
        ("3.10", "3.10.20", "2"),
    ):
        file = read_requirements("requirements.txt", b"a", (".python-version", python.encode()))
        solution = solve(file, index)
        assert (str(solution.python), str(solution.chosen["a"])) == (version, chosen)
    with pytest.raises(NoSolution, match="No Python fits ==3"):
        solve(read_requirements("requirements.txt", b"a", (".python-version", b"3.8")), index)


def test_pip_keeps_what_conda_has_installed_where_it_fits():
    """Also a version that the package index does not have; otherwise it is replaced."""
    index = Index("2026-11-26", PYTHONS, (release("a", "1", "b>=1"), release("b", "1"), release("b", "3")))
    file = EnvironmentFile("environment.yml", "conda", (Requirement("a"),))
    for installed, kept in (("1", "1"), ("2", "2"), ("0.9", "3")):
        solution = _solve_pip(file, index, PYTHONS[0], {"b": Version(installed)})
        assert str(solution.chosen["b"]) == kept


def test_an_endless_search_is_given_up():
    """Packages that contradict each other in thousands of ways end in words."""
    releases = [
        release(f"p{n}", str(v), f"p{n + 1}!={v}", "q==1" if v % 2 else "q==2")
        for n in range(12)
        for v in range(1, 40)
    ]
    index = Index("2026-11-26", PYTHONS, (*releases, *(release("q", str(v)) for v in (1, 2, 3))))
    file = EnvironmentFile(
        "requirements.txt", "pip", (*(Requirement(f"p{n}") for n in range(12)), Requirement("q==3"))
    )
    with pytest.raises(NoSolution, match=r"contradict each other|takes too long"):
        solve(file, index)
