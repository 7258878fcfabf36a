"""nbgrader's plug points, which `fairmark.enable` sets in a course's configuration; no logic of their own."""

from __future__ import annotations

import json
import os
import signal
import threading
from contextlib import nullcontext
from datetime import UTC, datetime
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter, NotebookExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from nbformat.v4 import reads
from nbgrader import preprocessors as stock
from traitlets import Bool

from fairmark import quiz
from fairmark.assembly import AssembledNotebook, assemble, read_questions, to_notebook
from fairmark.authoring import clear, read_assignment
from fairmark.course import Course
from fairmark.errors import AuthorError, Ungradable, UsageError
from fairmark.fingerprint import take_fingerprint, take_ground
from fairmark.gradebook.assignments import ensure_assignment, read_due_date
from fairmark.gradebook.writing import Writer
from fairmark.intake import (
    find_submissions,
    is_active,
    is_entered,
    read_notebook,
    read_timestamp,
)
from fairmark.interrupts import Interrupted, hear_interrupts
from fairmark.outputs import clean_html
from fairmark.publishing import RESULT, Desk, read_result
from fairmark.results import to_json
from fairmark.rooms.policy import NONE, WARNING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nbformat import NotebookNode

    from fairmark.ahead import Ahead
    from fairmark.course import Assignment, Parcel, Submission
    from fairmark.fingerprint import Ground
    from fairmark.worker import Written


def _course_of(converter: Any) -> Course:
    """Return the course that one of nbgrader's converters works in."""
    return Course(Path(converter.coursedir.root), converter.config, converter.coursedir)


# ---------------------------------------------------------------------------------------------------------
# nbgrader generate_assignment


class ClearSolutions(stock.ClearSolutions):  # type: ignore[misc]
    """Blanks quiz questions as questions; leaves everything else to nbgrader."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Take solutions and keys out of a notebook."""
        return clear(nb, resources, super().preprocess)


class ReleaseExporter(NotebookExporter):
    """Puts our `ClearSolutions` in place of nbgrader's, whatever list of preprocessors the course has set."""

    def register_preprocessor(self, preprocessor: Any, enabled: bool = False) -> Any:  # noqa: FBT001, FBT002
        """Take one of the course's preprocessors."""
        ours = ClearSolutions if preprocessor is stock.ClearSolutions else preprocessor
        return super().register_preprocessor(ours, enabled)  # type: ignore[no-untyped-call]


# ---------------------------------------------------------------------------------------------------------
# nbgrader autograde


def _is_a_command() -> bool:
    """Tell whether Ctrl-C is for nbgrader's own command: a server that grades hears it in its own way."""
    own = threading.current_thread() is threading.main_thread()
    return own and signal.getsignal(signal.SIGINT) is signal.default_int_handler


class SubmissionExporter(NotebookExporter):
    """Reads what was handed in so that nothing of it can stop the batch, and gives the assembled notebook.

    nbgrader makes one of these for a whole batch, before it touches the first submission: so here is also
    where it is kept from copying and reading students' files itself, and where the rooms live.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._converter: Any = self.parent
        self.course = _course_of(self._converter)
        self._classes: dict[str, Ahead] = {}
        self._grounds: dict[str, Ground] = {}
        self._graded: dict[tuple[str, str], Written] = {}
        self._writer = Writer(self.course)
        self._saved: Written | None = None
        if not stock.Execute(config=self.course.config).enabled:
            self.log.warning("--no-execute is not heeded: outputs that students hand in prove nothing.")
        self._take_over_intake()
        self._close_at_the_end()

    def _close_at_the_end(self) -> None:
        """Let nothing outlive the batch, however it ends: at the program's own end it would be too late."""
        convert = self._converter.convert_notebooks

        def convert_and_close() -> None:
            try:
                with hear_interrupts() if _is_a_command() else nullcontext():
                    convert()
            except Interrupted:
                raise KeyboardInterrupt from None  # by which Python ends as shells know it
            finally:
                for each in self._classes.values():
                    each.session.close(at_once=True)
                self._writer.close()

        self._converter.convert_notebooks = convert_and_close

    def _take_over_intake(self) -> None:
        """Let nbgrader copy nothing that was handed in: it follows links, waits for pipes, and has no limits.

        What may lie beside a graded notebook is written when it is graded. nbgrader also stops at a timestamp
        that it does not understand; one that tells no time is none.
        """
        directory = self._converter.coursedir
        for folder in tuple(self._converter.assignments):
            if not is_entered(self.course, Path(folder)):
                self.log.error(
                    "%s is left out: it, or a folder above it, is a link or has an odd name.", folder
                )
                del self._converter.assignments[folder]
        directory.ignore = [*directory.ignore, *map(escape, self._converter.assignments)]
        directory.get_existing_timestamp = _tell_time

    def from_filename(
        self, filename: str, resources: Any = None, **kwargs: Any
    ) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the assembled notebook for a submitted one."""
        place = resources["nbgrader"]
        source = self.class_of(place["assignment"]).session.assignment.notebook(place["notebook"])
        try:
            assembled: AssembledNotebook = assemble(source, read_notebook(Path(filename)))
        except Ungradable as error:
            self.log.warning("%s: %s", filename, error)
            assembled = assemble(source, None)
        resources["metadata"] = {"name": source.name, "path": str(Path(filename).parent)}
        return self.from_notebook_node(to_notebook(assembled), resources=resources, **kwargs)  # type: ignore[no-any-return, no-untyped-call]

    def class_of(self, assignment_id: str) -> Ahead:
        """Return an assignment's submissions, which are graded ahead of nbgrader."""
        from fairmark.ahead import Ahead  # noqa: PLC0415 - the other plug points need no rooms
        from fairmark.batch import open_session  # noqa: PLC0415

        if assignment_id not in self._classes:
            self._grounds[assignment_id] = take_ground(self.course, self.course.list_source(assignment_id))
            upcoming = self._expect(assignment_id)
            session = open_session(self.course, assignment_id, workers=None if len(upcoming) > 1 else 1)
            self._classes[assignment_id] = Ahead(session, upcoming)
            ensure_assignment(self.course, session.assignment)
            if self.course.sandbox == NONE:
                self.log.warning(WARNING)
        return self._classes[assignment_id]

    def _expect(self, assignment_id: str) -> tuple[Submission, ...]:
        """Return which submissions nbgrader will probably ask for, in its order."""
        folders = {os.path.normpath(folder) for folder in self._converter.assignments}
        if len(folders) == 1:
            return ()
        found = find_submissions(self.course, assignment_id)
        due = (each for each in found if str(each.folder) in folders and self._is_due(each))
        return tuple(sorted(due, key=lambda each: str(each.folder)))

    def _is_due(self, submission: Submission) -> bool:
        """Tell whether nbgrader will not leave a submission out: it is new, or `--force` was given."""
        graded = self.course.autograded(submission.student, submission.assignment)
        if self._converter.force or not graded.exists():
            return True
        before, _ = read_timestamp(graded)
        return bool(before and submission.timestamp and submission.timestamp > before)

    def grade(self, student: str, assignment_id: str) -> Written:
        """Grade a whole submission; nbgrader asks for its notebooks one by one."""
        if (student, assignment_id) not in self._graded:
            found = find_submissions(self.course, assignment_id, (student,))
            if not found:
                raise Ungradable(f"The folder of {student!r} cannot be read.")
            parcel, written = self.class_of(assignment_id).grade(found[0])
            written = written.stamped(take_fingerprint(self._grounds[assignment_id], parcel))
            self._graded = {(student, assignment_id): written}
            _lay_beside(self.course.autograded(student, assignment_id), parcel)
        return self._graded[student, assignment_id]

    def save(self, student: str, assignment_id: str) -> None:
        """Write a whole submission's result into the gradebook and beside its notebooks, once."""
        graded = self.grade(student, assignment_id)
        if self._saved is graded:  # nbgrader asks with each of its notebooks
            return
        result = graded.result
        self._writer.save(result, graded.untouched)
        path = self.course.autograded(student, assignment_id) / RESULT
        path.unlink(missing_ok=True)  # from last time, and read-only
        path.write_text(to_json(result), encoding="utf-8")
        self._saved = graded


def _tell_time(folder: str) -> datetime | None:
    """Return when a folder's work was handed in, as nbgrader has it: in UTC, which is not said."""
    moment, _ = read_timestamp(Path(folder))
    return moment.replace(tzinfo=None) if moment else None


def _lay_beside(folder: Path, parcel: Parcel) -> None:
    """Write the files that were handed in beside the graded notebooks, but for what a browser might run."""
    for name, content in parcel.files:
        if not is_active(name):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)  # from last time, and read-only
            path.write_bytes(content)


class GradeNotebook(stock.NbGraderPreprocessor):  # type: ignore[misc]
    """Puts the graded notebook in the place of the assembled one."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:  # noqa: ARG002
        """Grade the submission."""
        place = resources["nbgrader"]
        graded: Written = self.parent.grade(place["student"], place["assignment"])
        return reads(graded.notebooks[place["notebook"]]), resources


class SaveGrades(stock.NbGraderPreprocessor):  # type: ignore[misc]
    """Writes the result into the gradebook and beside the notebooks."""

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Save the submission's result."""
        place = resources["nbgrader"]
        self.parent.save(place["student"], place["assignment"])
        return nb, resources


# ---------------------------------------------------------------------------------------------------------
# nbgrader generate_feedback


class FeedbackExporter(HTMLExporter):
    """Writes fairmark's page in place of nbgrader's, where fairmark has graded.

    What stock nbgrader graded earlier gets nbgrader's page. The result document, which may say more than the
    page, is kept from being copied beside it.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        directory = cast("Any", self.parent).coursedir
        directory.ignore = [*directory.ignore, RESULT]
        self._desks: dict[str, Desk] = {}

    def from_filename(
        self, filename: str, resources: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the page of a graded notebook."""
        path, place = Path(filename), resources["nbgrader"]
        if not (path.parent / RESULT).is_file():
            return super().from_filename(filename, resources=resources, **kwargs)
        assignment = place["assignment"]
        if assignment not in self._desks:
            self._desks[assignment] = Desk(_course_of(self.parent), assignment)
        node = json.loads(path.read_text(encoding="utf-8"))
        page = self._desks[assignment].write(
            place["student"], place["notebook"], read_result(path.parent), node
        )
        return page, resources | {"output_extension": self.file_extension}


class HideTests(Preprocessor):
    """Leaves hidden tests out of feedback pages."""

    enabled = Bool(default_value=True).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Put a comment in the place of each hidden region."""
        marks = stock.ClearHiddenTests(config=_course_of(cast("Any", self.parent).parent).config)
        for cell in nb.cells:
            if cell.cell_type == "code" and marks.begin_test_delimeter in cell.source:
                cell.source = _hide_tests(cell.source, marks)
                for output in cell.outputs:
                    if output.output_type == "error":  # its traceback shows the lines around
                        output.traceback = [f"{output.ename}: {output.evalue}"]
        return nb, resources


def _hide_tests(source: str, marks: stock.ClearHiddenTests) -> str:
    lines = []
    hidden = False
    for line in source.split("\n"):
        if marks.begin_test_delimeter in line:
            hidden = True
            indent = line[: len(line) - len(line.lstrip())]
            lines.append(f"{indent}# (Tests that are not shown ran here.)")
        elif marks.end_test_delimeter in line:
            hidden = False
        elif not hidden:
            lines.append(line)
    return "\n".join(lines)


class ExplainQuizzes(Preprocessor):
    """Adds to each quiz question what was right, and why."""

    enabled = Bool(default_value=True).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # type: ignore[no-untyped-call]
        self._read: dict[str, tuple[Assignment, datetime | None]] = {}

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        """Explain a notebook's questions."""
        place = resources["nbgrader"]
        try:
            assignment, due = self._read_assignment(place["assignment"])
            questions = read_questions(assignment.notebook(place["notebook"]))
        except (AuthorError, UsageError, KeyError) as error:
            self.log.warning("Quiz questions are not explained: %s", error)
            return nb, resources
        for cell in nb.cells:
            question = questions.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
            if question is not None and _may_explain(question, due):
                question = quiz.pick_variant(question, cell.source)
                mark = quiz.mark(question, quiz.read_answer(question, cell.source))
                cell.source = f"{cell.source}\n\n---\n\n{quiz.explain(question, mark)}"
        return nb, resources

    def _read_assignment(self, assignment_id: str) -> tuple[Assignment, datetime | None]:
        if assignment_id not in self._read:
            course = _course_of(cast("Any", self.parent).parent)
            due = read_due_date(course, assignment_id)
            self._read[assignment_id] = read_assignment(course, assignment_id), due
        return self._read[assignment_id]


def _may_explain(question: quiz.Question, due: datetime | None) -> bool:
    if question.visibility == "after_due_date":
        return due is None or due <= datetime.now(UTC)
    return question.visibility != "hidden"


# ---------------------------------------------------------------------------------------------------------
# Pages: nothing that a student wrote may run in the browser of whoever reads it

MAX_MARKDOWN = 20_000


def clean_page(markup: Any) -> str:
    """Return what a template shows of a cell with nothing in it that runs; a filter for its HTML."""
    return clean_html(markup.decode("utf-8", "replace") if isinstance(markup, bytes) else str(markup))


class _Renderer(IPythonRenderer):
    """nbconvert's, except that a picture that is not there costs the picture and not the page."""

    def _embed_image_or_attachment(self, src: str) -> str:
        name = src.removeprefix("attachment:")
        if name != src and not self.attachments.get(name):
            return ""
        return str(super()._embed_image_or_attachment(src))


@pass_context
def render_markdown(context: Mapping[str, Any], source: str) -> str:
    """Return Markdown as HTML in which nothing can run; a filter for nbconvert's templates."""
    cell = context.get("cell") or {}
    if len(source) > MAX_MARKDOWN:  # some texts take a time that grows with the square of their length
        source = source[:MAX_MARKDOWN] + "\n\n[The rest is left out: the text is too long.]"
    renderer = _Renderer(escape=False, attachments=cell.get("attachments", {}), exclude_anchor_links=True)
    return clean_html(MarkdownWithMath(renderer=renderer).render(source))
