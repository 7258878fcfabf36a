"""JUnit XML for the test tabs of GitHub, GitLab and others: a failure is the student's, an error is ours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from fairmark.exporters.standing import show_to_student

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fairmark.exporters.standing import Standing
    from fairmark.results import Item

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean_xml(text: str) -> str:
    """Return a text with the characters replaced that XML cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def write_junit(standings: Iterable[Standing], *, past_due: bool = False) -> str:
    """Return one test suite per student and assignment; what students may not see is one line."""
    root = ET.Element("testsuites", name="fairmark")
    for standing in standings:
        items = show_to_student(standing.items, past_due=past_due)
        suite = ET.SubElement(
            root, "testsuite", name=clean_xml(f"{standing.assignment}/{standing.person.id}")
        )
        counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
        for item in items:
            counts["tests"] += 1
            outcome = _add_case(suite, standing, item)
            if outcome:
                counts[outcome] += 1
        suite.attrib.update({name: str(count) for name, count in counts.items()})
        suite.set("time", f"{sum(item.duration_s for item in items):.3f}")
        for name, count in counts.items():
            root.set(name, str(int(root.get(name, "0")) + count))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_case(suite: ET.Element, standing: Standing, item: Item) -> str:
    group = ".".join(filter(None, (standing.assignment, item.notebook)))
    title = clean_xml(f"{item.title} ({item.score:g} of {item.max_score:g} points)")
    case = ET.SubElement(
        suite, "testcase", classname=clean_xml(group), name=title, time=f"{item.duration_s:.3f}"
    )
    words = clean_xml("\n".join(filter(None, (item.message, item.hint))))
    first = words.partition("\n")[0] or item.status
    if item.status == "error":
        ET.SubElement(case, "error", message=first, type="grader").text = words
        return "errors"
    if item.needs_review or item.status == "skipped":
        ET.SubElement(case, "skipped", message="A person has to look at this.")
        return "skipped"
    if item.status != "passed":
        ET.SubElement(case, "failure", message=first, type=item.status).text = words
        return "failures"
    return ""
