"""The classes of a run as lines of text, exactly."""

import pytest

from workbench.render.classes import ClassEpochs, class_series, format_classes, thinned
from workbench.runs.events import EpochFinished, make_event

LABELS = ("cat", "dog", "a fox with a very long name")


def epoch(number: int, *counts: list[int]) -> EpochFinished:
    fields = {"event": "epoch_finished", "stage": 0, "epoch": number}
    found = make_event({**fields, "val_confusion": {"counts": list(counts)} if counts else None})
    assert isinstance(found, EpochFinished)
    return found


ROWS = [
    epoch(1, [5, 4, 1], [2, 8, 0], [0, 0, 10]),
    epoch(2),
    epoch(3, [8, 1, 1], [1, 9, 0], [0, 0, 10]),
    epoch(4, [9, 0, 1], [3, 6, 1], [0, 0, 10]),
]
EPOCHS = ClassEpochs(ROWS, LABELS, best=2)


def test_classes_and_pairs_at_the_width_of_a_small_terminal() -> None:
    assert format_classes(EPOCHS, 76).plain.split("\n") == [
        "accuracy of each class  in validation",
        "                      first  best 3    last  0.50 to 1.00",
        "dog                   0.800   0.900   0.600  ▅ ▇▂",
        "cat                   0.500   0.800   0.900  ▁ ▅▇",
        "a fox with a very…    1.000   1.000   1.000  █ ██",
        "",
        "confused labels  change since the first epoch",
        "                                     first  before    last  change",
        "cat as dog                               4       1       0      -4",
        "dog as cat                               2       1       3      +1",
        "dog as a fox with a very long name       0       0       1      +1",
        "cat as a fox with a very long name       1       1       1       0",
    ]


def test_the_epoch_of_the_cursor_is_compared_in_a_narrow_pane_in_ascii() -> None:
    text = format_classes(ClassEpochs(ROWS, LABELS, 2, cursor=2), 50, utf8=False, worse="red")
    lines = text.plain.split("\n")
    assert max(map(len, lines)) <= 50
    assert lines[1:3] == [
        "               first    last  epoch 3",
        "dog            0.800   0.600    0.900  ^ #.",
    ]
    assert lines[8].split() == ["cat", "as", "dog", "4", "4", "1", "-3"]


def test_a_window_of_epochs_and_the_curves_of_the_lowest() -> None:
    part = ClassEpochs(ROWS, LABELS, 2, window=(3, 4))
    assert "cat                   0.500   0.800   0.900  ▅▆\n" in format_classes(part, 76).plain
    series = class_series(part, ["#ff0000", "#00ff00"])
    assert [(one.name, one.values) for one in series] == [
        ("dog", (0.8, None, 0.9, 0.6)),
        ("cat", (0.5, None, 0.8, 0.9)),
    ]


def test_nothing_recorded_is_said_in_a_sentence() -> None:
    none = "How the classes fare was not recorded in this run."
    assert format_classes(ClassEpochs([epoch(1)], LABELS), 60).plain == none
    perfect = ClassEpochs([epoch(1, [1, 0, 0], [0, 1, 0], [0, 0, 1])], LABELS)
    assert format_classes(perfect, 60).plain.endswith("\n\nconfused labels  none")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [(4, [1.0, None, 3.0, 5.0]), (2, [1.0, 4.0]), (3, [1.0, None, 4.0])],
)
def test_more_epochs_than_cells_become_means(cells: int, expected: list[float | None]) -> None:
    assert thinned((1.0, None, 3.0, 5.0), cells) == expected
