"""The strategy to begin with follows from the facts of the data."""

from dataclasses import replace

import pytest

from workbench.experiment.presets import BOOK_FACTS, LADDER, PRESETS, recommend

LINES_AT_80 = 2 * 46  # what two lines beside the list hold


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_texts_of_presets_are_short_sentences(preset):
    for text in (preset.does, preset.choose):
        assert text.endswith(".")
        assert len(text) <= LINES_AT_80


@pytest.mark.parametrize(
    ("size", "smallest", "preset"),
    [
        ((28, 28), 6000, "convnet"),
        ((374, 499), 300, "feature-extraction"),
        ((374, 499), 2000, "feature-extraction"),
        ((374, 499), 12_500, "fine-tuning"),
    ],
)
def test_the_strategy_to_begin_with(size, smallest, preset):
    advice = recommend(replace(BOOK_FACTS, image_size=size, smallest_class=smallest))
    assert advice.preset == preset
    assert advice.preset in LADDER
    assert advice.why.endswith(".")


def test_the_reason_gives_the_number_it_rests_on():
    assert "300 images" in recommend(replace(BOOK_FACTS, smallest_class=300)).why
