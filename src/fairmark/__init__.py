"""Quizzes and sandboxed auto-grading for nbgrader courses."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

_PLUGS = "fairmark.preprocessors"


def enable(config: Any) -> None:
    """Switch fairmark on in a course's ``nbgrader_config.py``.

    After it, nbgrader's own commands and formgrader release quizzes, grade in sandboxed rooms and write inert
    feedback pages. Nothing heavy is imported here.

    Parameters
    ----------
    config : traitlets.config.Config
        The ``c`` of the configuration file.

    Examples
    --------
    >>> c = get_config()
    >>> import fairmark
    >>> fairmark.enable(c)
    """
    config.GenerateAssignment.exporter_class = f"{_PLUGS}.ReleaseExporter"
    config.Autograde.exporter_class = f"{_PLUGS}.SubmissionExporter"
    config.Autograde.sanitize_preprocessors = ["nbgrader.preprocessors.CheckCellMetadata"]
    config.Autograde.autograde_preprocessors = [
        f"{_PLUGS}.GradeNotebook",
        f"{_PLUGS}.SaveGrades",
        "nbgrader.preprocessors.AssignLatePenalties",
        "nbgrader.preprocessors.CheckCellMetadata",
    ]
    config.GenerateFeedback.exporter_class = f"{_PLUGS}.FeedbackExporter"
    config.GenerateFeedback.preprocessors = [
        "nbgrader.preprocessors.GetGrades",
        f"{_PLUGS}.HideTests",
        f"{_PLUGS}.ExplainQuizzes",
        "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
    ]
    config.HTMLExporter.sanitize_html = True
    config.HTMLExporter.filters = {
        **config.HTMLExporter.get("filters", {}),
        "markdown2html": f"{_PLUGS}.render_markdown",
        "clean_html": f"{_PLUGS}.clean_page",
    }
