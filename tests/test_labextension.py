"""Quiz cells answered with a click: the built wheel's extension in a real JupyterLab and a real browser."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
axe_package = pytest.importorskip(
    "axe_playwright_python", reason="the browser tests need axe-playwright-python"
)
pytest.importorskip("jupyterlab", reason="the browser tests need JupyterLab")
pytest.importorskip("hatchling", reason="the wheel under test is built with hatchling")

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("the browser tests need chromium", allow_module_level=True)

ORDINARY = "# Quiz\n\n- [ ] an ordinary list\n- [x] of things to do"
ONE = "**Q1.** Which filter removes bad pixels?\n\n- [ ] Gaussian, $\\sigma = 3$\n- [ ] Median\n- [ ] Sobel"
ANY = "**Q2.** What does FAIR stand for?\n\n- [x] Findable\n\n- [ ] Fast\n\n- [ ] Interoperable"
CLASH = (
    "**Q3.** Which one?\n\n```\n- [ ] decoy\n```\n\n- [x] yes\n- [X] no\n- [ ] maybe\n\n> - [ ] quoted decoy"
)
PICTURES = (
    "**Q4.** Which is which?\n\n1. [ ] ![dark square](attachment:dark.png)\n2. [ ] $x^2$\n3. [x] `x ** 2`"
)
FREE = "**Q5.** Which number?\n\nAnswer: "


def question(source, grade_id, kind, **more):
    """Give a Markdown cell as the release has it."""
    nbgrader = {"grade": True, "solution": True, "locked": False, "task": False, "schema_version": 3}
    metadata = {"nbgrader": nbgrader | {"grade_id": grade_id, "points": 1}, "fairmark": {"kind": kind}}
    return nbformat.v4.new_markdown_cell(source, id=grade_id, metadata=metadata | more)


def quiz():
    """Give a notebook with questions of all sorts, one of them closed for editing."""
    pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
    pictures = question(PICTURES, "pictures", "one")
    pictures["attachments"] = {"dark.png": {"image/png": pixel}}
    cells = [
        nbformat.v4.new_markdown_cell(ORDINARY, id="ordinary"),
        question(ONE, "one", "one"),
        question(ANY, "any", "any"),
        question(CLASH, "clash", "one"),
        pictures,
        question(FREE, "free", "number"),
        question("**Q6.** Closed\n\n- [x] a\n- [ ] b", "closed", "any", editable=False),
        nbformat.v4.new_code_cell("1 + 1", id="code"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture(scope="module")
def shared_data(tmp_path_factory):
    """Build the wheel, and give the folder that `pip install` would put into `share/jupyter`."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    (data,) = folder.glob("*.data/data/share/jupyter")
    return data


@pytest.fixture(scope="module")
def environment(shared_data, tmp_path_factory):
    """Give variables that keep Jupyter away from the settings of whoever runs the tests."""
    home = tmp_path_factory.mktemp("home")
    news = home / "settings" / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    folders = {"CONFIG_DIR": "config", "RUNTIME_DIR": "runtime", "DATA_DIR": "data"}
    return os.environ | {
        "HOME": str(home),
        "JUPYTER_PATH": str(shared_data),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        **{f"JUPYTER_{name}": str(home / folder) for name, folder in folders.items()},
    }


@pytest.fixture(scope="module")
def lab(environment, tmp_path_factory):
    """Start JupyterLab on a free port of this machine; give its address and its folder."""
    folder = tmp_path_factory.mktemp("course")
    options = ["--no-browser", "--allow-root", "--expose-app-in-browser", "--IdentityProvider.token="]
    options += ["--ServerApp.ip=127.0.0.1", "--ServerApp.port=0", f"--ServerApp.root_dir={folder}"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    with (folder.parent / "jupyterlab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield wait_for(server, Path(environment["JUPYTER_RUNTIME_DIR"])), folder
    finally:
        server.terminate()  # JupyterLab ends its kernels itself
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def wait_for(server, runtime):
    """Wait until a server answers, and return where; fail at once if it has ended instead."""
    for _ in range(1500):
        assert server.poll() is None, "JupyterLab did not start"
        with contextlib.suppress(OSError, ValueError):  # it has not said yet which port it has, or half of it
            port = json.loads((runtime / f"jpserver-{server.pid}.json").read_text())["port"]
            address = f"http://127.0.0.1:{port}"
            with urllib.request.urlopen(f"{address}/api/status"):  # noqa: S310
                return address
        time.sleep(0.2)
    return pytest.fail("JupyterLab did not answer within five minutes")


@pytest.fixture(scope="module")
def browser():
    """Start one browser for all tests of this file."""
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet, timeout=180_000)
        yield chromium
        chromium.close()


@pytest.fixture
def page(lab, browser):
    """Open a fresh copy of the quiz, saved once so that only answers make it unsaved again."""
    address, folder = lab
    nbformat.write(quiz(), folder / "quiz.ipynb")
    page = browser.new_page(viewport={"width": 1100, "height": 1300})
    page.set_default_timeout(180_000)
    page.goto(f"{address}/lab/tree/quiz.ipynb?reset")
    page.wait_for_selector(".fairmark-Options")
    page.wait_for_function(
        "() => jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'"
    )
    page.wait_for_function("() => document.querySelectorAll('.fairmark-Status').length === 5")
    # Which language it is, the kernel tells a moment after it is there; and that is saved with the notebook.
    page.wait_for_function("() => jupyterapp.shell.currentWidget.context.model.getMetadata('language_info')")
    save(page)
    yield page
    page.close()


def save(page):
    """Save with the keyboard, and wait until JupyterLab says that nothing is left to save."""
    page.keyboard.press("Control+s")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.context.model.dirty")


def cell(page, number):
    """Give the cell with this number, counted from 0."""
    return page.locator(".jp-Notebook .jp-Cell").nth(number)


def option(page, text):
    """Give the card of the option with this text."""
    return page.locator(".fairmark-Option", has_text=text)


def box(page, text):
    """Give the button of the option with this text."""
    return option(page, text).locator("input")


def status(page, number):
    """Give what stands below the options of the cell with this number."""
    return cell(page, number).locator(".fairmark-Status").inner_text()


def source(page, number):
    """Give the text that the notebook now holds in the cell with this number."""
    return page.evaluate(
        "(n) => jupyterapp.shell.currentWidget.content.widgets[n].model.sharedModel.getSource()", number
    )


def edit(page, number):
    """Open the text of the cell with this number, and put the cursor into it."""
    cell(page, number).locator("p strong").dblclick()
    cell(page, number).locator(".cm-content").click()


def rendered_anew(page, number, action):
    """Do something, and wait until JupyterLab has rendered the cell with this number anew."""
    first = cell(page, number).locator(".jp-MarkdownOutput > :first-child").element_handle()
    action()
    page.wait_for_function("(first) => !first.isConnected", arg=first)
    cell(page, number).locator(".jp-MarkdownOutput .fairmark-Options").wait_for()


def focused(page):
    """Give the text of the option that has the focus."""
    return page.evaluate("() => document.activeElement.closest('.fairmark-Option')?.textContent.trim()")


def use_theme(page, name):
    """Change the theme, and wait until the page wears it."""
    page.evaluate("(theme) => jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
    page.wait_for_function("(name) => document.body.dataset.jpThemeName === name", arg=name)
    page.wait_for_load_state("networkidle")


def violations(page):
    """Give what axe-core finds inside the options and the status below them."""
    page.add_script_tag(path=Path(axe_package.__file__).with_name("axe.min.js"))
    found = page.evaluate("() => axe.run({ include: [['.fairmark-Options'], ['.fairmark-Status']] })")
    assert found["passes"], "axe-core looked at nothing"
    return [(fault["id"], node["html"]) for fault in found["violations"] for node in fault["nodes"]]


def luminance(page, selector, prop):
    """Give how bright a colour of an element is, from 0 to 255."""
    colour = page.locator(selector).first.evaluate(
        """(node, prop) => {
          const pen = document.createElement('canvas').getContext('2d');
          pen.fillStyle = getComputedStyle(node)[prop];
          pen.fillRect(0, 0, 1, 1);
          return [...pen.getImageData(0, 0, 1, 1).data];
        }""",
        prop,
    )
    return sum(colour[:3]) / 3


def test_the_wheel_installs_an_extension_that_jupyterlab_accepts(environment):
    """`jupyter labextension list` shows the extension as enabled and OK, with the version of the package."""
    listing = subprocess.run(
        [sys.executable, "-m", "jupyter", "labextension", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    lines = re.sub(r"\x1b\[\d*m", "", listing.stdout + listing.stderr)
    assert re.search(rf"fairmark-quiz v{re.escape(version)} enabled +OK", lines), lines


def test_the_entry_is_marked_as_a_module(page):
    """The entry has a property `__esModule` of its own; without it the whole of JupyterLab stays blank."""
    assert page.evaluate(
        """async () => {
          const make = await window._JUPYTERLAB['fairmark-quiz'].get('./extension');
          return Object.hasOwn(make(), '__esModule');
        }"""
    )


def test_questions_get_radio_buttons_or_check_boxes(page):
    """One answer means radio buttons, any number means check boxes; pictures and formulas still work."""
    assert page.get_by_role("radiogroup", name="Q1.").get_by_role("radio").count() == 3
    assert page.get_by_role("group", name="Q2.").get_by_role("checkbox").count() == 3
    assert page.get_by_role("radio", name="dark square").count() == 1
    assert page.get_by_role("radio", name="x^2").count() == 1
    assert cell(page, 4).locator("img[src^='data:']").count() == 1
    cell(page, 1).locator(".fairmark-Option mjx-container").wait_for()
    assert cell(page, 6).get_by_role("checkbox", disabled=True).count() == 2


def test_everything_else_stays_as_it_was(page):
    """Ordinary task lists, quoted lists, code blocks and other kinds of question are not touched."""
    plain = cell(page, 0)
    assert plain.locator("li > input[disabled]").count() == 2
    assert plain.locator(".fairmark-Options").count() == 0
    assert cell(page, 3).get_by_role("radio").count() == 3
    assert cell(page, 3).locator("blockquote input[disabled]").count() == 1
    assert cell(page, 5).locator("input").count() == 0


def test_a_click_changes_one_character_per_option_on_disk(page, lab):
    """After choosing one option, then another, and saving, the file differs in exactly the brackets."""
    file = lab[1] / "quiz.ipynb"
    before = file.read_text()
    option(page, "Gaussian").click()
    assert source(page, 1) == ONE.replace("[ ] Gaussian", "[x] Gaussian")
    assert status(page, 1) == "Answered. Save the notebook (Ctrl+S) to keep it."
    option(page, "Median").click()
    option(page, "Interoperable").click()
    option(page, "Findable").click()
    save(page)
    expected = before.replace("[ ] Median", "[x] Median").replace("[ ] Interoperable", "[x] Interoperable")
    assert file.read_text() == expected.replace("[x] Findable", "[ ] Findable")
    assert status(page, 1) == "Answered and saved."


def test_notebook_7_takes_the_same_answers(page, lab):
    """In Notebook 7 a click ticks the same character, and saving writes it."""
    address, folder = lab
    page.goto(f"{address}/notebooks/quiz.ipynb")
    option(page, "Median").click()
    page.keyboard.press("Control+s")
    cell(page, 1).get_by_text("Answered and saved.").wait_for()
    assert nbformat.read(folder / "quiz.ipynb", 4).cells[1].source == ONE.replace("[ ] Median", "[x] Median")


def test_the_keyboard_answers_and_keeps_the_focus(page):
    """Arrow keys and space answer, and the focus stays where it is while JupyterLab renders the cell anew."""
    box(page, "Gaussian").focus()
    rendered_anew(page, 1, lambda: page.keyboard.press("Space"))
    assert focused(page).startswith("Gaussian")
    rendered_anew(page, 1, lambda: page.keyboard.press("ArrowDown"))
    assert focused(page) == "Median"
    assert source(page, 1) == ONE.replace("[ ] Median", "[x] Median")
    page.keyboard.press("Tab")
    assert focused(page) == "Findable"
    rendered_anew(page, 2, lambda: page.keyboard.press("Space"))
    assert focused(page) == "Findable"
    assert source(page, 2) == ANY.replace("[x]", "[ ]")
    assert status(page, 2) == "Not answered yet. Tick all that apply."


def test_a_click_can_be_undone(page):
    """Undo takes a choice back in the text and on the page."""
    rendered_anew(page, 2, lambda: option(page, "Fast").click())
    assert box(page, "Fast").is_checked()
    rendered_anew(page, 2, lambda: page.keyboard.press("Control+z"))
    assert source(page, 2) == ANY
    assert not box(page, "Fast").is_checked()


def test_a_double_click_on_an_option_does_not_open_the_text(page):
    """The editor opens by a double click on the question, never by two quick clicks on an option."""
    option(page, "Fast").dblclick()
    assert "jp-mod-rendered" in cell(page, 2).get_attribute("class")
    edit(page, 2)
    assert "jp-mod-rendered" not in cell(page, 2).get_attribute("class")


def test_two_ticks_typed_by_hand_are_told(page):
    """Two ticks where one answer counts show a warning and no choice; a click then settles it."""
    warning = "2 options are ticked, but only one answer counts. Choose one."
    assert status(page, 3) == warning
    edit(page, 1)
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(ONE.replace("[ ]", "[x]", 2))
    page.keyboard.press("Control+Enter")
    page.wait_for_function(
        "(words) => document.querySelectorAll('.fairmark-Status')[0]?.textContent === words", arg=warning
    )
    assert cell(page, 1).get_by_role("radio", checked=True).count() == 0
    option(page, "Sobel").click()
    assert source(page, 1) == ONE.replace("[ ] Sobel", "[x] Sobel")


def test_edited_questions_follow_their_new_text(page):
    """Options that are typed in by hand can be clicked, too, as soon as the cell is rendered."""
    edit(page, 1)
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("\n- [ ] Nothing of this")
    page.keyboard.press("Control+Enter")
    option(page, "Nothing of this").click()
    assert source(page, 1) == ONE + "\n- [x] Nothing of this"


def test_the_status_is_read_aloud_only_to_who_answers(page):
    """The status is a live region in the question that has the focus, and silent in all others."""
    rendered_anew(page, 1, lambda: option(page, "Median").click())
    live = page.locator(".fairmark-Status").evaluate_all("(all) => all.map((one) => one.ariaLive)")
    assert live == ["polite", "off", "off", "off", "off"]


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_both_themes_are_legible_and_accessible(page, theme):
    """In light and dark, axe-core finds nothing to object to, and the cards wear the colours of the theme."""
    use_theme(page, theme)
    option(page, "Median").click()
    page.keyboard.press("ArrowDown")
    page.wait_for_function("() => document.getAnimations().every((one) => one.playState === 'finished')")
    assert violations(page) == []
    paper = luminance(page, ".fairmark-Option", "backgroundColor")
    ink = luminance(page, ".fairmark-Option", "color")
    assert paper - ink > 150 if theme.endswith("Light") else ink - paper > 150
    if folder := os.environ.get("FAIRMARK_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"quiz-{theme.split()[-1].lower()}.png")


RELEASES = sorted((ROOT / "release").glob("*/*.ipynb"))


@pytest.mark.parametrize("path", RELEASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_notebooks_of_the_course_open_and_can_be_answered(lab, browser, path):
    """Every cell is there, no dialog complains, and the first question with options takes a click."""
    address, folder = lab
    shutil.copytree(path.parent, folder / path.parent.name, dirs_exist_ok=True)
    node = nbformat.read(path, as_version=4)
    kinds = [cell.metadata.get("fairmark", {}).get("kind") for cell in node.cells]
    number = next(number for number, kind in enumerate(kinds) if kind in ("one", "any"))
    page = browser.new_page(viewport={"width": 1100, "height": 1000})
    page.set_default_timeout(180_000)
    page.goto(f"{address}/lab/tree/{path.parent.name}/{path.name}?reset")
    page.wait_for_function(
        "(n) => globalThis.jupyterapp?.shell.currentWidget?.content?.widgets?.length === n",
        arg=len(node.cells),
    )
    page.evaluate("(n) => { jupyterapp.shell.currentWidget.content.scrollToItem(n) }", number)
    before = source(page, number)
    target = page.locator(f'.jp-Cell[data-windowed-list-index="{number}"] .fairmark-Option input').first
    target.click()
    page.wait_for_function(
        "([n, text]) => jupyterapp.shell.currentWidget.content.widgets[n].model.sharedModel.getSource() !== text",
        arg=[number, before],
    )
    assert source(page, number) == before.replace("[ ]", "[x]", 1)
    assert page.locator(".jp-Dialog").count() == 0
    page.close()
