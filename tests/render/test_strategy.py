"""What the strategy screen says of a rung."""

import pytest

from workbench.experiment.strategies import FIGURES
from workbench.render.strategy import rung_details

ROOM = 46  # cells, which is what a terminal of 80 leaves


def book_line(preset: str) -> str:
    return rung_details(preset, None, "").plain.splitlines()[-1]


@pytest.mark.parametrize("preset", FIGURES)
def test_figures_of_the_book_fit_a_line(preset: str) -> None:
    assert book_line(preset).startswith("book  ")
    assert len(book_line(preset)) <= ROOM


def test_figures_of_the_book_tell_whose_images_they_are_of() -> None:
    assert book_line("convnet") == "book  0.724 on cats and dogs"
    assert book_line("feature-extraction") == "book  0.903 on cats and dogs; its readers 0.97"
    assert book_line("book-mnist") == "book  0.991 on MNIST"
