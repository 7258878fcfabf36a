"""The course is complete: its map is that of the notebooks, and every question explains itself."""

import re
from collections import Counter
from typing import get_args

import pytest

from autograder import course_map
from fairmark.quiz import QuestionKind

COURSE = course_map.read_course()
QUESTIONS = [
    pytest.param(question, id=f"{notebook.name}-{number}")
    for notebook in COURSE
    for number, question in enumerate(notebook.questions, 1)
]
SOURCE = re.compile(r"Source: |Read more: |https?://|\bdoi\b")


def test_the_map_is_made_from_the_notebooks():
    """After a change of a notebook, run `python -m autograder.course_map`."""
    assert course_map.PAGE.read_text(encoding="utf-8") == course_map.write_map(COURSE)


def test_every_assignment_has_its_place():
    """The order of the course names each folder of `source/`, and no other."""
    folders = {path.name for path in (course_map.ROOT / "source").iterdir() if path.is_dir()}
    assert set(course_map.ORDER) == folders


@pytest.mark.parametrize("notebook", COURSE, ids=lambda notebook: notebook.name)
def test_every_notebook_tells_goals_and_time(notebook):
    """And is worth points."""
    assert len(notebook.goals) >= 3
    assert notebook.time
    assert notebook.points > 0


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_is_explained_with_a_source(question):
    """Each variant of it, for everyone after grading."""
    assert len(question.explanation) > 15
    assert len(SOURCE.findall(question.explanation)) >= question.variants


def test_the_bank_is_large_and_varied():
    """Every kind of question, pictures, and pools."""
    questions = [question for notebook in COURSE for question in notebook.questions]
    kinds = Counter(question.kind for question in questions)
    assert len(questions) >= 100
    assert kinds.keys() == set(get_args(QuestionKind))
    assert min(kinds.values()) >= 4
    assert sum(question.has_picture for question in questions) >= 12
    assert sum(question.variants > 1 for question in questions) >= 4
