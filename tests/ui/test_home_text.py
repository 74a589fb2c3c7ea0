"""Home in words: exact cells and lines, of runs that were never on a disk."""

from pathlib import Path
from typing import Any

import pytest

from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.runs.state import State, summary_of
from workbench.ui.feed import RunView
from workbench.ui.home_text import column_widths, detail_of, run_cells, runs_words
from workbench.ui.train_text import strategy_words

EPOCH = {"event": "epoch_finished", "stage": 0, "epoch": 1, "val_accuracy": 0.6111, "best": True}
TEST = {"event": "evaluated", "split": "test", "accuracy": 0.951}
CONVNET = {"model": {"strategy": "convnet"}, "data": {"source": "/photos/birds"}}


def view(word: str, *events: dict[str, Any], spec: dict[str, Any] = CONVNET) -> RunView:
    folder, history = RunFolder(Path("birds-1")), fold(events)
    return RunView(folder, summary_of(folder, spec, history, State(word, False, "")), history, spec)


@pytest.mark.parametrize(
    ("events", "cell", "line"),
    [
        ((), "-", "birds, convnet"),
        ((EPOCH,), "0.611 v", "birds, convnet, validation (v) 0.6111"),
        ((EPOCH, TEST), "0.951", "birds, convnet, validation (v) 0.6111, test 0.9510"),
        ((TEST,), "0.951", "birds, convnet, test 0.9510"),
    ],
)
def test_an_accuracy_on_validation_images_is_marked(
    events: tuple[dict[str, Any], ...], cell: str, line: str
) -> None:
    told = view("stopped", *events)
    assert run_cells(told, 80, utf8=True, theme={})[3].plain == cell
    assert detail_of(told).plain == line


def test_a_narrow_terminal_has_room_for_all_columns() -> None:
    widths = column_widths(80)
    assert widths["acc"] == len("0.611 v")
    assert sum(widths.values()) + 2 * len(widths) <= 80 - 2


def test_a_run_goes_by_its_preset_where_it_has_one() -> None:
    augmented = view("stopped", spec={**CONVNET, "preset": "convnet-augmented"})
    assert detail_of(augmented).plain == "birds, convnet-augmented"
    assert strategy_words(augmented) == "convnet-augmented"
    assert strategy_words(view("stopped")) == "convnet"
    longest = {**CONVNET, "preset": "feature-extraction-augmented", "base": {"name": "vgg16"}}
    assert strategy_words(view("stopped", spec=longest)) == "feature-extraction-augmented, vgg16"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "0 runs"),
        (("finished",), "1 run"),
        (("training", "finished"), "2 runs, 1 at work"),
        (("waiting", "stopped"), "2 runs, 1 waiting"),
        (("starting", "waiting", "waiting"), "3 runs, 1 at work, 2 waiting"),
        (("preparing", "evaluating", "failed"), "3 runs, 2 at work"),
    ],
)
def test_those_that_wait_are_not_at_work(words: tuple[str, ...], told: str) -> None:
    assert runs_words(tuple(view(word) for word in words)) == told
