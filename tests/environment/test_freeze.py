"""A package index is frozen by asking for metadata alone: here a small real one, served over HTTP."""

import io
import json
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from packaging.version import Version

from fairmark.environment import read_index
from fairmark.environment.freeze import main

METADATA = "Metadata-Version: 2.1\nName: spots\nVersion: %s\n%s\n"
LINUX = "manylinux_2_17_x86_64"


def wheel(version, requires):
    """Return a wheel that holds metadata alone."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        lines = "".join(f"Requires-Dist: {text}\n" for text in requires)
        archive.writestr(f"spots-{version}.dist-info/METADATA", METADATA % (version, lines))
    return buffer.getvalue()


FILES = {
    "spots-1.0.tar.gz": {"requires-python": ">=3.8"},
    "spots-1.0-cp310-cp310-manylinux2014_x86_64.whl": {"requires-python": ">=3.8"},
    f"spots-1.0-cp311-cp311-{LINUX}.whl": {"requires-python": ">=3.8"},
    "spots-1.0-cp312-cp312-win_amd64.whl": {"requires-python": ">=3.8"},
    "spots-1.0-cp312-cp312-musllinux_1_2_x86_64.whl": {"requires-python": ">=3.8"},
    f"spots-1.0-cp313-cp313t-{LINUX}.whl": {"requires-python": ">=3.8"},
    "spots-1.1-py3-none-any.whl": {"yanked": "broken"},
    "spots-1.2.tar.gz": {},
    "spots-1.3rc1-py3-none-any.whl": {},
    "spots-2.0-py3-none-any.whl": {},
    "spots-0.9-py3-none-any.whl": {},
    "spots-1.0.exe": {},
}
REQUIRES = ["numpy>=1.20", "scipy; python_version < '3.9'", "pytest; extra == 'test'", "other<3"]


@pytest.fixture(scope="module")
def server():
    """An index that has the metadata of one release apart, and of the others inside of their wheels."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            name = self.path.rpartition("/")[2]
            body = None
            if self.path in ("/simple/spots/", "/simple/numpy/", "/simple/scipy/"):
                names = FILES if "spots" in self.path else {"numpy-2.0-py3-none-any.whl": {}}
                body = json.dumps(
                    {
                        "files": [
                            {"filename": key, "url": f"{base}/files/{key}", **more}
                            for key, more in names.items()
                        ]
                    }
                ).encode()
            elif name == f"spots-1.0-cp311-cp311-{LINUX}.whl.metadata":
                body = (METADATA % ("1.0", "".join(f"Requires-Dist: {text}\n" for text in REQUIRES))).encode()
            elif name.endswith(".whl"):
                body = wheel(name.split("-")[1], ["NumPy>=2"])
            self.send_response(200 if body else 404)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    asked = []
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    base = f"http://127.0.0.1:{httpd.server_port}"
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield base, asked
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture(scope="module")
def frozen(server, tmp_path_factory):
    path = tmp_path_factory.mktemp("frozen") / "index.json"
    assert main([str(path), "spots>=1", "numpy", "--index", f"{server[0]}/simple/"]) == 0
    return path


def test_an_index_is_frozen_and_read_again(frozen):
    """Releases that were asked for, without pre-releases; the Pythons that wheels for Linux serve."""
    index = read_index(frozen)
    assert [str(release.version) for release in index.by_name["spots"]] == ["2.0", "1.2", "1.1", "1.0"]
    newest, source, yanked, first = index.by_name["spots"]
    assert first.wheels == ("3.10", "3.11")
    assert str(first.requires_python) == ">=3.8"
    assert [first.has_wheel_for(Version(python)) for python in ("3.11.5", "3.12.0")] == [True, False]
    assert (source.wheels, source.requires) == ((), ())
    assert not source.has_wheel_for(Version("3.11.0"))
    assert newest.has_wheel_for(Version("3.20.0"))
    assert (yanked.yanked, newest.yanked) == (True, False)
    assert index.pythons[-1] > Version("3.13")


def test_requirements_on_packages_that_are_not_named_are_left_out(frozen):
    """And so are those of extras; where metadata is not apart, it is read from inside of the wheel."""
    newest, *_, first = read_index(frozen).by_name["spots"]
    assert [str(requirement) for requirement in first.requires] == ["numpy>=1.20"]
    assert [str(requirement) for requirement in newest.requires] == ["NumPy>=2"]


def test_only_metadata_is_asked_for_where_the_index_has_it(frozen, server):
    """One file of each release."""
    assert frozen.is_file()
    asked = [path for path in server[1] if "/spots-1.0-" in path]
    assert asked == [f"/files/spots-1.0-cp311-cp311-{LINUX}.whl.metadata"]


def test_other_addresses_than_of_the_web_are_refused(tmp_path):
    """A file is none."""
    with pytest.raises(ValueError, match="no address on the web"):
        main([str(tmp_path / "x.json"), "spots", "--index", "file:///etc/"])
