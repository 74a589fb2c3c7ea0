"""A ladder's rungs as cells, and the words around them."""

import pytest
from rich.text import Text

from workbench.app.ladder import LadderRow
from workbench.ui.base import WIDE_COLUMNS
from workbench.ui.ladder.text import (
    BORDERS,
    NARROW_COLUMNS,
    WIDE_TABLE_COLUMNS,
    cells,
    columns,
    format_detail,
    format_heading,
)

HOSTILE = "[/oops]\x1b[31m\n"
THEME = {"success": "#00ff00", "accent": "#0000ff", "foreground": "#ffffff"}
FINISHED = LadderRow(
    "convnet", "p-convnet-1", "finished", "", "test", 0.9514, (0.936, 0.963), 1234.4,
    book=0.724, epochs_done=20, epochs_total=20,
)  # fmt: skip
TRAINING = LadderRow(
    "feature-extraction", "p-f-1", "training", "epoch 17 of 30", seconds=9.0, book=0.903,
    readers=0.97, epochs_done=26, epochs_total=40,
)  # fmt: skip
AUGMENTED = LadderRow("feature-extraction-augmented", "p-f-a-1", "waiting", "wait for p-f-1")


def row(rung: LadderRow, below: str = "", room: int = 80, utf8: bool = True) -> list[str]:
    return [cell.plain.strip() for cell in cells(rung, below, (0.5, 0.9), room, utf8, THEME)]


def test_a_narrow_terminal_shows_epochs_of_training_runs_beside_the_state() -> None:
    assert row(FINISHED) == [
        "convnet", "finished ✓", "0.951", "0.936-0.963", "1,234", "0.724", "-",
    ]  # fmt: skip
    assert row(TRAINING) == [
        "feature-extraction", "training ▶ 26/40", "-", "-", "9", "0.903", "0.97",
    ]  # fmt: skip
    assert row(TRAINING, utf8=False)[1] == "training > 26/40"


def test_a_wide_terminal_has_curves_and_epochs_of_all() -> None:
    assert row(FINISHED, room=WIDE_COLUMNS) == [
        "convnet", "finished ✓", "20/20", "▁█", "0.951", "0.936 to 0.963", "1,234", "0.724", "-",
    ]  # fmt: skip
    assert row(AUGMENTED, room=WIDE_COLUMNS)[2] == "-"
    assert len(row(FINISHED, room=WIDE_COLUMNS - 1)) == len(NARROW_COLUMNS)


def test_a_strategy_that_augments_the_one_before_shows_only_that() -> None:
    below = "feature-extraction"
    assert row(AUGMENTED, below)[0] == "+ augmentation"
    assert row(AUGMENTED, "dense")[0] == "feature-ext…mented"
    assert row(AUGMENTED, below, room=WIDE_COLUMNS)[0] == "feature-extraction-augmented"


def test_random_weights_are_shown_in_the_row() -> None:
    random = LadderRow("fine-tuning", "p", "finished", random_weights=True)
    assert row(random)[0] == "fine-tuning random"
    long = LadderRow("feature-extraction", "p", "finished", random_weights=True)
    assert row(long)[0] == "feature…ion random"


@pytest.mark.parametrize("room", [80, 109, 110, 120, 200])
def test_rows_fit_and_their_cells_do_not_touch(room: int) -> None:
    widths = columns(room)
    assert sum(widths.values()) <= room - BORDERS
    assert widths.keys() == (WIDE_TABLE_COLUMNS if room >= WIDE_COLUMNS else NARROW_COLUMNS).keys()
    fullest = LadderRow(
        "feature-extraction-augmented", "r", "interrupted", "", "test", 1.0, (0.999, 1.0),
        99_999.0, True, 0.9913, 0.9913, 100, 100,
    )  # fmt: skip
    training = LadderRow("dense", "r", "training", epochs_done=100, epochs_total=100)
    for rung in (fullest, training):
        shown = cells(rung, "", (0.1, 0.9) * 99, room, True, THEME)
        for cell, width in zip(shown, widths.values(), strict=True):
            assert cell.cell_len <= width
            assert cell.justify == "left" or cell.cell_len < width


def test_colours_follow_the_state() -> None:
    def style(rung: LadderRow) -> str:
        return str(cells(rung, "", (), 80, True, THEME)[1].style)

    assert style(FINISHED) == "#00ff00"
    assert style(TRAINING) == "#0000ff"
    assert style(LadderRow("dense", "d", "gone")) == "#ffffff"


def test_the_heading_counts() -> None:
    assert format_heading("pets", []).plain == "pets"
    rows = [FINISHED, TRAINING, AUGMENTED, LadderRow("dense", "d", "failed")]
    expected = "pets  1 of 4 runs finished, 1 running, 1 waiting"
    assert format_heading("pets", rows).plain == expected
    assert format_heading("pets", [FINISHED]).plain == "pets  1 of 1 run finished"


def test_the_selected_run_is_shown_in_full() -> None:
    assert format_detail(TRAINING, 0.81234).plain == (
        "feature-extraction: p-f-1, validation 0.8123\ntraining: epoch 17 of 30"
    )
    random = LadderRow("dense", "d-1", "finished", random_weights=True)
    assert format_detail(random, None).plain == "dense: d-1, random weights"


def test_names_from_files_do_no_harm() -> None:
    odd = LadderRow(HOSTILE, "r", "finished", random_weights=True)
    words: list[Text] = [
        *cells(odd, "", (), 80, True, THEME),
        format_detail(odd, None),
        format_heading(HOSTILE, [odd]),
    ]
    assert not {"\x1b", "\n"} & set("".join(text.plain for text in words))
