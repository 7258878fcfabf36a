"""Environment files are read as hostile text; what is wrong is told with its place and what to write."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairmark.environment.files import (
    MAX_BYTES,
    READERS,
    FileError,
    read_conda,
    read_pyproject,
    read_requirements,
)

PROJECT = '[project]\nname = "n"\nversion = "1"\n'


def requirements(text, python=None):
    return read_requirements("requirements.txt", text if isinstance(text, bytes) else text.encode(), python)


def conda(text):
    return read_conda("environment.yml", text.encode())


def pyproject(text):
    return read_pyproject("pyproject.toml", text.encode())


def test_requirements_are_read_as_pip_reads_them():
    """Comments, continued lines, markers, extras, byte order marks and UTF-16, as PowerShell writes it."""
    text = "# all\n\nnumpy >=1.20, \\\n  <2  # why\nscipy[dev]==1.9.* ; python_version < '4'\n"
    for content in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")):
        file = requirements(content)
        assert [str(one) for one in file.pip] == [
            "numpy<2,>=1.20",
            'scipy[dev]==1.9.*; python_version < "4"',
        ]
        assert (file.style, file.python, file.exact) == ("pip", None, ())


def test_requirements_get_their_python_from_a_file_beside_them():
    """As pyenv and uv write it, and as Binder does."""
    for name, text in ((".python-version", "3.10\n"), ("runtime.txt", "python-3.10")):
        python = requirements("numpy", (name, text.encode())).python
        assert "3.10.9" in python
        assert "3.11.0" not in python
    assert str(requirements("numpy", (".python-version", b"3.10.4")).python) == "==3.10.4"
    for name, shown in ((".python-version", "such as 3.10"), ("runtime.txt", "such as python-3.10")):
        with pytest.raises(FileError, match=shown):
            requirements("numpy", (name, b"ten"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("-r more.txt", "options such as -r"),
        ("--index-url https://evil.example/simple", "options such as --index-url"),
        ("-e .", "options such as -e"),
        ("numpy @ https://evil.example/numpy.whl", "address or a path"),
        ("git+https://evil.example/x.git", "address or a path"),
        ("https://evil.example/x.tar.gz", "address or a path"),
        ("./wheels/numpy.whl", "address or a path"),
        ("~/numpy", "address or a path"),
        ("C:\\wheels\\numpy", "address or a path"),
        ("numpy=1.26", "two equals signs"),
        ("numpy>=1.20 <2", "A comma stands"),
        ("numpy<2 scipy", "line of its own"),
        ("${HOME}", "no requirement"),
        ("numpy<" + "9" * 5000, "no requirement"),
        ("numpy; python_version < '3' and " * 50, "no requirement"),
    ],
)
def test_what_pip_would_follow_or_not_understand_is_told_with_its_line(line, told):
    """Nothing is fetched, and no other file is read."""
    with pytest.raises(FileError, match=told) as caught:
        requirements(f"scipy\n{line}\n")
    assert "requirements.txt, line 2" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_is_tied_to_one_version_is_noted():
    """By pip's and by conda's signs; a star leaves room."""
    assert requirements("a==1.0\nb==1.*\nc===2\nd<3\ne~=1.0").exact == ("a", "c")
    text = (
        "dependencies:\n- a==1.0\n- b=1\n- c=1.2.3\n- d=1.2\n- e>=1,<2\n- f=1.2.3=py310_0\n- g 1.2.*\n"
        "- pip:\n  - h==4"
    )
    file = conda(text)
    assert file.exact == ("a", "c", "f", "h")
    assert file.builds == ("f",)


def test_a_pyproject_says_python_and_dependencies():
    """In the table [project]."""
    file = pyproject(f'{PROJECT}requires-python = ">=3.8,<3.11"\ndependencies = ["numpy<2"]\n')
    assert [str(one) for one in file.pip] == ["numpy<2"]
    assert "3.10.1" in file.python
    assert "3.11.0" not in file.python
    assert pyproject(PROJECT).python is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[project", "not valid TOML"),
        ("a = " + "[" * 5000, "nested too deeply|not valid TOML"),
        ("[tool.poetry.dependencies]\nnumpy = '*'", r"no table \[project\]"),
        ("project = 3", r"no table \[project\]"),
        ('[project]\nname = "n"', "a name and a version"),
        ('[project]\nversion = "1"', "a name and a version"),
        (f'{PROJECT}dependencies = "numpy"', "must be a list of texts"),
        (f'{PROJECT}dynamic = ["dependencies"]', "must be a list of texts"),
        (f"{PROJECT}dependencies = [3]", r"dependencies\[0\]: 3 is no text"),
        (f'{PROJECT}dependencies = ["numpy", "x @ file:///etc/passwd"]', r"dependencies\[1\]"),
        (f'{PROJECT}requires-python = "3.10"', "requires-python is '3.10'"),
        (f"{PROJECT}requires-python = 3.10", "requires-python is 3.1"),
    ],
)
def test_faults_of_a_pyproject_are_told_with_their_key(text, told):
    """And with what to write instead."""
    with pytest.raises(FileError, match=told):
        pyproject(text)


def test_a_conda_file_keeps_what_was_written():
    """3.10 is a text and not the number 3.1; a channel may stand before the name."""
    file = conda(
        "name: n\nchannels: [conda-forge, nodefaults]\ndependencies:\n  - python=3.10\n"
        "  - conda-forge::numpy <2\n  - pip\n  - pip:\n    - scikit-image<0.20\n"
    )
    assert file.conda == ("python=3.10", "numpy <2", "pip")
    assert [str(one) for one in file.pip] == ["scikit-image<0.20"]
    assert file.style == "conda"


BOMB = "a: &a [x, x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a, *a]\n" for n in range(50))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "line 1: anchors"),
        ("dependencies: *a", "line 1: anchors"),
        ("x: !!python/object/apply:os.system ['true']", "line 1: tags"),
        ("x: !!binary aGk=", "line 1: tags"),
        ("a: 1\na: 2", "'a' stands there twice"),
        ("[" * 3000, "nested too deeply"),
        ("a: b: c", "not valid YAML"),
        ("- numpy", "holds no table"),
        ("", "holds no table"),
        ("name: x", "no list `dependencies:`"),
        ("dependencies: numpy", "no list `dependencies:`"),
        ("channels: https://evil.example\ndependencies: []", "channel https://evil.example"),
        ("channels: [file:///etc]\ndependencies: []", "channel file:///etc"),
        ("dependencies:\n- python: 3.10", "Write `- python=VERSION`"),
        ("dependencies:\n- pip: numpy", "begins with -"),
        ("dependencies:\n- pip:\n  - -r x.txt", "options such as -r"),
        ("dependencies:\n- [numpy]", "is no text"),
        ("dependencies:\n- evil::numpy", "channel evil"),
        ("dependencies:\n- numpy[url=https://evil.example/x.conda]", "more than a name"),
        ("dependencies:\n- https://evil.example/x.conda", "more than a name"),
        ("dependencies:\n- <2", "name of a package"),
        ("dependencies:\n- numpy" + ">1," * 200, "more than a name"),
    ],
)
def test_hostile_and_broken_conda_files_are_told_with_their_place(text, told):
    """Bombs, tags that call, addresses: refused in words before anything is built."""
    with pytest.raises(FileError, match=told) as caught:
        conda(text)
    assert "environment.yml" in str(caught.value)


@pytest.mark.parametrize("name", sorted(READERS))
def test_huge_and_binary_files_are_refused(name):
    """Before they are read as anything."""
    with pytest.raises(FileError, match="larger than 64 KiB"):
        READERS[name](name, b"#" * (MAX_BYTES + 1))
    with pytest.raises(FileError, match="UTF-8"):
        READERS[name](name, b"\xfa\xfb")
    with pytest.raises(FileError, match="zero byte"):
        READERS[name](name, b"a\0b")
    many = {
        "requirements.txt": "n\n" * 501,
        "pyproject.toml": PROJECT + "dependencies = [" + "'n'," * 501 + "]",
    }.get(name, "dependencies:\n" + "- n\n" * 501)
    with pytest.raises(FileError, match=r"ore than 500 packages"):
        READERS[name](name, many.encode())


@settings(max_examples=150, deadline=None)
@given(
    name=st.sampled_from(sorted(READERS)),
    text=st.one_of(
        st.binary(max_size=300),
        st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")),
        st.lists(
            st.sampled_from(
                [
                    "dependencies:",
                    "- ",
                    "pip:",
                    "numpy",
                    "<2",
                    "==",
                    "\n",
                    "  ",
                    "[project]",
                    '"',
                    "=",
                    "*",
                    "&",
                ]
            ),
            max_size=40,
        ).map(lambda parts: "".join(parts).encode()),
    ),
)
def test_any_bytes_are_read_or_refused_in_words(name, text):
    """Nothing else is ever raised."""
    try:
        READERS[name](name, text)
    except FileError as error:
        told = str(error)
    else:
        told = "read"
    assert told
