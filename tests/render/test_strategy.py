"""A strategy as text: its reference accuracy."""

import pytest

from workbench.experiment.presets import REFERENCE_ACCURACY
from workbench.render.strategy import strategy_details

ROOM = 46  # cells, which is what a terminal of 80 leaves


def book_line(preset: str) -> str:
    return strategy_details(preset, None, "").plain.splitlines()[-1]


@pytest.mark.parametrize("preset", REFERENCE_ACCURACY)
def test_reference_accuracies_fit_a_line(preset: str) -> None:
    assert book_line(preset).startswith("book  ")
    assert len(book_line(preset)) <= ROOM


def test_reference_accuracies_name_their_images() -> None:
    assert book_line("convnet") == "book  0.724 on cats and dogs"
    assert book_line("feature-extraction") == "book  0.903 on cats and dogs; its readers 0.97"
    assert book_line("book-mnist") == "book  0.991 on MNIST"
