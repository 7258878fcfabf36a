"""Feedback pages and the class report in a real browser: light, dark, and as narrow as a phone."""

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
axe_package = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="the browser tests need axe-playwright-python"
)
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("the browser tests need chromium", allow_module_level=True)

sys.path[:0] = [str(Path(__file__).parent / name) for name in ("feedback", "statistics")]

from test_feedback import (  # noqa: E402
    ATTACKS,
    BEFORE,
    CELLS,
    CODE,
    NUMBER,
    cell,
    page,
    quiz_item,
)
from test_statistics import small_class  # noqa: E402

from fairmark.results import CellMarks, CheckResult, Item, NotebookMarks  # noqa: E402
from fairmark.statistics import count, make_report  # noqa: E402

LOOKS = {
    "light": (1000, "light"),
    "dark": (1000, "dark"),
    "phone": (360, "light"),
    "dark phone": (320, "dark"),
}


def full_page():
    """Give a page with everything on it."""
    attack = "".join(ATTACKS)
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": attack * 20},
        {"output_type": "error", "ename": attack, "evalue": attack, "traceback": []},
        {
            "output_type": "display_data",
            "data": {
                "text/html": f"<table><tr><th></th></tr><tr><td>{'wide' * 200}{attack}</td></tr></table>"
            },
        },
    ]
    git = Item(
        "git", "filters", "git", "Version control", "partial", 1, 2,
        checks=(
            CheckResult("Pushed.", "passed", 1, 1),
            CheckResult("No big files.", "failed", 0, 1, "`a.tif` has 38 MB.", "`git rm a.tif`"),
            CheckResult("A pull request.", "skipped", 0, 0, "Nobody was asked."),
            CheckResult("Broken.", "error", 0, 0, "Ours."),
        ),
    )  # fmt: skip
    written = Item("why", "filters", "written", attack, "skipped", 0, 3, needs_review=True)
    marks = NotebookMarks(
        "filters",
        0.5,
        (CellMarks("smooth", comment=attack), CellMarks("git", 1.5, manual=True, extra_credit=0.5)),
    )
    stop = {"output_type": "error", "ename": "Stopped", "evalue": "stopped after 10 s", "traceback": []}
    return page(
        CODE,
        quiz_item(),
        Item("n", "filters", "quiz", "How many?", "failed", 0, 1, answer=NUMBER),
        git,
        written,
        Item("later", "filters", "quiz", "Later", "failed", 0, 1, "after_published"),
        Item("ok", "filters", "code", "Fine", "passed", 1, 1),
        Item(
            "bad",
            "filters",
            "code",
            "Bad",
            "failed",
            0,
            1,
            message="AssertionError: wrong\nexpected:\n[[1 2]]",
        ),
        cells=[
            cell(source=attack, outputs=[stop]),
            cell("smooth", attack, outputs=outputs, solution=True),
            *CELLS[1:],
            cell("n", "Answer: 600", "markdown", grade=True, solution=True),
            cell("git", "", grade=True),
            cell("why", attack, "markdown", grade=True, solution=True),
            cell("later", "", "markdown", grade=True, solution=True),
            cell("ok", "", grade=True),
            cell("bad", "", grade=True),
        ],
        marks=marks,
        notes=(attack, "The cell `x` was missing."),
        status="timeout",
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "feedback": full_page(),
        "feedback before the due date": page(CODE, quiz_item(visibility="after_due_date"), occasion=BEFORE),
        "report": make_report("course", [count(small_class()), count(small_class())], datetime.now(UTC)),
    }
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser():
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet, timeout=180_000)
        yield chromium
        chromium.close()


def look(browser, path, look_, *, bypass_csp):
    width, scheme = LOOKS[look_]
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=bypass_csp
    )
    context.set_default_timeout(180_000)
    tab = context.new_page()
    told, asked = [], []
    tab.on("dialog", lambda dialog: (told.append("dialog"), dialog.dismiss()))
    tab.on("console", lambda message: told.append(message.text))
    tab.on("pageerror", lambda error: told.append(str(error)))
    tab.on("request", lambda request: asked.append(request.url))
    tab.goto(path.as_uri())
    if "report" in path.name:
        tab.wait_for_selector("[data-plot] svg")
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    return context, tab, told, [url for url in asked if not url.startswith("data:")]


@pytest.mark.parametrize("look_", LOOKS)
@pytest.mark.parametrize("name", ["feedback", "feedback before the due date", "report"])
def test_pages_have_no_accessibility_fault_and_fit(pages, browser, name, look_):
    """All of axe's rules pass, WCAG 2.2 AA among them; nothing is wider than the screen."""
    context, tab, _, _ = look(browser, pages / f"{name}.html", look_, bypass_csp=True)
    found = axe_package.Axe().run(tab, options={"runOnly": [
        "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice",
    ]})  # fmt: skip
    wide = tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    assert [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]] == []
    assert wide <= 0


@pytest.mark.parametrize("name", ["feedback", "report"])
def test_nothing_runs_and_nothing_leaves_the_page(pages, browser, name):
    """Whatever students wrote: no dialog, no error, no request but for the file itself."""
    context, _, told, asked = look(browser, pages / f"{name}.html", "light", bypass_csp=False)
    context.close()
    assert told == []
    assert asked == [(pages / f"{name}.html").as_uri()]


def test_a_feedback_page_works_without_scripts(pages, browser):
    """Links lead to the questions, folded parts open."""
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto((pages / "feedback.html").as_uri())
    tab.get_by_role("link", name="1. Smooth a picture").click()
    assert tab.url.endswith("#q1")
    assert not tab.get_by_text("Expected above, yours below it").first.is_visible()
    tab.get_by_text("Numbers around the largest difference").first.click()
    assert tab.get_by_text("Expected above, yours below it").first.is_visible()
    context.close()


def test_plots_can_be_pointed_at(pages, browser):
    """And are drawn anew when the computer goes dark."""
    context, tab, told, _ = look(browser, pages / "report.html", "light", bypass_csp=False)
    assert tab.locator("[data-plot] svg").count() == 6
    bar = tab.locator("[data-plot] svg .mark-rect path").nth(9)
    bar.hover()
    tab.wait_for_selector("#vg-tooltip-element.visible")
    assert "students" in tab.inner_text("#vg-tooltip-element")
    before = bar.get_attribute("fill")
    tab.emulate_media(color_scheme="dark")
    tab.wait_for_function(
        "before => document.querySelectorAll('[data-plot] svg .mark-rect path')[9]?.getAttribute('fill') !== before",
        arg=before,
    )
    context.close()
    assert told == []
