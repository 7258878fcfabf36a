"""The pictures of questions are what their script draws, and say nothing by their names."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from autograder import pictures


@pytest.mark.parametrize("name", pictures.PICTURES)
def test_pictures_are_those_of_the_script(name):
    """Drawn again, every pixel is the same, but for the rounding of another machine."""
    kept = np.asarray(Image.open(pictures.SOURCE / name)).astype(int)
    drawn = pictures.PICTURES[name]().astype(int)
    assert kept.shape == drawn.shape
    assert np.abs(kept - drawn).max() <= 1


def test_file_names_give_nothing_away():
    """No name of a filter or an axis stands in the name of a question's picture."""
    telling = r"median|mean|gauss|sobel|laplac|minimum|maximum|hat|dog|otsu|key|answer|solution"
    assert [name for name in pictures.PICTURES if re.search(telling, Path(name).stem)] == []
