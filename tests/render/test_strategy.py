"""A strategy as text: its reference accuracy, and how often its base runs."""

import re
from dataclasses import replace

import pytest

from workbench.experiment.estimate import make_forecast
from workbench.experiment.presets import BOOK_FACTS, REFERENCE_ACCURACY, preset_tree
from workbench.experiment.toml import parse_spec
from workbench.render.strategy import describe_start, strategy_details

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


@pytest.mark.parametrize(
    ("preset", "how"),
    [
        ("linear-probe", "runs twice an image, mirrored too, "),
        ("book-feature-extraction", "runs once an image, "),
    ],
)
def test_how_often_the_base_runs_is_said(preset: str, how: str) -> None:
    spec = parse_spec(preset_tree(preset, "photos", BOOK_FACTS), "")
    cost = make_forecast(spec, BOOK_FACTS, None)
    text = strategy_details(preset, cost, "", wide=True).plain
    assert re.search(rf"^base +{how}[0-9.]+ [kMG]?B on disk$", text, re.MULTILINE)


@pytest.mark.parametrize("preset", [*REFERENCE_ACCURACY, "linear-probe", "fine-tuning"])
def test_the_lines_of_a_stage_fit(preset: str) -> None:
    spec = parse_spec(preset_tree(preset, "photos", BOOK_FACTS), "")
    text = strategy_details(preset, make_forecast(spec, BOOK_FACTS, None), "").plain
    stage = [line for line in text.splitlines()[2:] if line.startswith(("stage", "      "))]
    assert stage
    assert max(map(len, stage)) <= ROOM


def test_the_question_before_the_start_says_how_the_images_are_split() -> None:
    spec = parse_spec(preset_tree("convnet", "photos", BOOK_FACTS), "")
    forecast = make_forecast(spec, BOOK_FACTS, None)
    images = replace(forecast, images={"train": 1528, "validation": 0, "test": 269})
    assert describe_start(spec, images) == (
        "Train convnet: 1 stage. Images: train 1,528, validation none, test 269."
    )
    assert describe_start(spec, None) == "Train convnet: ."
