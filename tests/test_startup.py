"""What is left out at the start is there where it is needed."""

import subprocess
import sys


def run(code):
    """Run code in a process that has left out what takes long."""
    lines = "from fairmark.startup import skip_slow_imports", "skip_slow_imports()", code
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False, timeout=120
    )


def test_the_gradebook_comes_without_what_it_does_not_use():
    """nbgrader imports them for archives, and to check web addresses."""
    done = run(
        "import sys\n"
        "import fairmark.gradebook.assignments\n"
        "print([name for name in ('setuptools', 'rfc3987_syntax', 'lark') "
        "if sys.modules.get(name)])"
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_archives_are_unpacked_where_nbgrader_is_asked_to(tmp_path):
    """Its own function works as if nothing had been left out."""
    done = run(
        "import pathlib, zipfile\n"
        "from nbgrader.utils import unzip\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "with zipfile.ZipFile(folder / 'work.zip', 'w') as archive:\n"
        "    archive.writestr('a.txt', 'words')\n"
        "(folder / 'out').mkdir()\n"
        "unzip(str(folder / 'work.zip'), str(folder / 'out'))\n"
        "print(*sorted(path.name for path in (folder / 'out').rglob('*.txt')))\n"
        "import setuptools.archive_util\n"
        "print(setuptools.archive_util.__file__ != '')"
    )
    assert (done.stdout, done.stderr) == ("a.txt\nTrue\n", "")
