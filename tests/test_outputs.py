"""Whatever a room sends as outputs becomes valid, bounded and harmless."""

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairmark.outputs import MAX_BYTES, MAX_OUTPUTS, clean_html, clean_outputs, measure

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=15,
)
likely = st.fixed_dictionaries(
    {"output_type": st.sampled_from(["stream", "error", "display_data", "execute_result", "pyout", 3])},
    optional={
        "name": plain,
        "text": plain,
        "ename": plain,
        "evalue": plain,
        "traceback": plain,
        "execution_count": plain,
        "metadata": plain,
        "data": plain
        | st.dictionaries(st.sampled_from(["text/plain", "text/html", "image/png", "image/svg+xml"]), plain),
    },
)


@given(st.lists(plain | likely, max_size=6))
@settings(max_examples=300, deadline=None)
def test_any_plain_data_becomes_valid_outputs(given_outputs):
    """The notebook they stand in is valid, and can be written."""
    cell = nbformat.v4.new_code_cell(
        "", id="a", outputs=[nbformat.from_dict(o) for o in clean_outputs(tuple(given_outputs))[0]]
    )
    node = nbformat.v4.new_notebook(cells=[cell])
    nbformat.validate(node)
    nbformat.writes(node).encode()


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<iframe src='https://example.org'></iframe>",
        "<style>@import url(https://example.org)</style>",
        "<form action=x><input></form>",
        "<div style='background:url(https://example.org/x)'>x</div>",
        "<link rel=stylesheet href=//example.org>",
        "<meta http-equiv=refresh content='0;url=//example.org'>",
        "<math><mtext></table><mglyph><style><img src=x onerror=alert(1)>",
        "<base href='//example.org'>",
        "<object data=x>",
    ],
)
def test_html_is_made_inert(html):
    """Nothing that runs, loads or leads anywhere is left; words are."""
    clean = clean_html(f"<p>words</p>{html}").lower()
    assert "words" in clean
    for part in (
        "script",
        "onerror",
        "onload",
        "example.org",
        "<svg",
        "<form",
        "<style",
        "<meta",
        "<base",
        "<object",
    ):
        assert part not in clean


def test_formulas_cannot_become_links():
    """MathJax would make links and styles of some commands; they become text, the others stay."""
    clean = clean_html(
        r"<p>$\href{javascript:alert(1)}{x} \frac{1}{2}$ &#92;href{y}{z} \style{position:fixed}{w}</p>"
    )
    assert "\\href" not in clean
    assert "\\style" not in clean
    assert r"\frac{1}{2}" in clean


def test_a_table_keeps_its_shape():
    """What pandas shows can still be read."""
    table = '<table class="dataframe"><thead><tr><th colspan="2">a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table>'
    assert clean_html(table) == table


@pytest.mark.parametrize(
    "markup",
    [
        "<div>" * 200_000,
        "<ul><li>" * 100_000,
        "<b>x</b>" * 200_000,
        "<div></x>" * 50_000,  # what is not open cannot be closed
        '<div a="></div>" b>' * 20_000,
        "<div><!-- </div> -->" * 20_000,
        "".join(f"<p><b class=k{number}></p>" for number in range(9_000)),  # gigabytes, once cleaned
    ],
)
def test_html_that_takes_long_to_clean_is_shown_as_text(markup):
    """Deep nesting would hold up the grader itself, where no limit of a room applies."""
    assert clean_html(markup).startswith("<pre>&lt;")


def test_a_large_table_is_shown_as_a_table():
    """What is nested as it should be takes no longer than it is long."""
    rows = "<tr class=\"k\"><th>1</th><td title='a' colspan=2>x<br></td></tr>\n" * 5_000
    assert clean_html(f"<style scoped>\n a > b {{}}\n</style><table>{rows}</table>").count("<td") == 5_000


def test_nothing_takes_the_place_of_a_button_or_a_field_of_the_page():
    """On formgrader's page classes and ids say which button gives full credit, and what a mark belongs to."""
    clean = clean_html(
        '<h2 id="mean">x</h2><a href="#mean">y</a><p class="full-credit nb">z</p><i class="score">u</i>'
    )
    assert 'id="mean"' not in clean
    assert 'id="text:mean"' in clean
    assert 'href="#text:mean"' in clean
    assert clean == clean_html(clean)
    assert '<p class="nb">z</p><i>u</i>' in clean


def test_ticks_and_pictures_of_lecture_text_stay():
    """A task list, a picture beside the page and an embedded one are shown; one from elsewhere is not."""
    kept = '<li><input type="checkbox" disabled="" checked=""> yes</li><img src="pictures/a b.svg" alt="x">'
    assert clean_html(kept).count("<in") == 1
    assert "pictures/a b.svg" in clean_html(kept)
    assert "data:image/png;base64,aGk=" in clean_html('<img src="data:image/png;base64,aGk=">')
    assert clean_html('<input type="text"><img src="//example.org/x.png">').count("example") == 0


def test_svg_and_javascript_are_dropped_and_text_stays():
    """A bundle keeps its harmless parts."""
    data = {
        "text/plain": "figure",
        "image/svg+xml": "<svg/>",
        "application/javascript": "alert(1)",
        "image/png": "aGk=",
    }
    ([output], _) = clean_outputs(({"output_type": "display_data", "data": data},))
    assert output["data"] == {"text/plain": "figure", "image/png": "aGk="}


def test_numbers_and_sizes_are_bounded():
    """A flood is cut, and the cut is told."""
    assert (
        len(clean_outputs(tuple({"output_type": "stream", "text": "x"} for _ in range(10_000)))[0])
        == MAX_OUTPUTS
    )
    many, met = clean_outputs(tuple({"output_type": "stream", "text": "x" * 10**6} for _ in range(200)))
    assert sum(len(output["text"]) for output in many) == MAX_BYTES
    assert met == "output_size"


def test_what_fits_of_a_long_text_is_kept_and_so_is_the_exception():
    """The beginning is worth reading, and the exception tells why the cell ended."""
    flood = {"output_type": "stream", "text": "x" * 1000}
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["E"]}
    kept, met = clean_outputs((flood, flood, flood, error), size=1500)
    assert [len(output.get("text", "")) for output in kept] == [1000, 500, 0]
    assert (kept[-1]["ename"], met) == ("E", "output_size")
    kept, met = clean_outputs((flood,) * 4 + (error,), count=2)
    assert (len(kept), met) == (3, "outputs")
    assert clean_outputs((flood, error), size=1001, count=2)[1] == ""


def test_errors_without_end_are_bounded_and_the_last_one_is_kept():
    """A room can tell of any number of exceptions, each as long as it likes."""
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["x" * 30_000] * 9}
    kept, met = clean_outputs((error,) * 100 + (error | {"ename": "Last"},), size=100_000, count=50)
    assert [output["ename"] for output in kept] == ["E", "E", "Last"]
    assert (met, measure(kept) < 100_000) == ("output_size", True)
    ([output], met) = clean_outputs((error,), size=0)
    assert (measure([output]) < 3_000, met) == (True, "")
