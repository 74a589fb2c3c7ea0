"""Every rung has its words; the recommendation follows from the facts."""

from dataclasses import replace

import pytest

from workbench.experiment.presets import BOOK_FACTS, PRESETS
from workbench.experiment.strategies import LADDER
from workbench.experiment.strategy_texts import RUNG_TEXTS, recommend

LINES_AT_80 = 2 * 46  # what two lines beside the list hold


def test_every_preset_has_its_words():
    assert set(RUNG_TEXTS) == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_words_are_short_sentences(preset):
    for words in (RUNG_TEXTS[preset].does, RUNG_TEXTS[preset].choose):
        assert words.endswith(".")
        assert len(words) <= LINES_AT_80


@pytest.mark.parametrize(
    ("size", "smallest", "preset"),
    [
        ((28, 28), 6000, "convnet"),
        ((374, 499), 300, "feature-extraction"),
        ((374, 499), 2000, "feature-extraction"),
        ((374, 499), 12_500, "fine-tuning"),
    ],
)
def test_where_to_begin(size, smallest, preset):
    facts = replace(BOOK_FACTS, image_size=size, smallest_class=smallest)
    advice = recommend(facts)
    assert advice.preset == preset
    assert advice.preset in LADDER
    assert advice.why.endswith(".")


def test_the_reason_names_the_figure_it_rests_on():
    assert "300 images" in recommend(replace(BOOK_FACTS, smallest_class=300)).why
