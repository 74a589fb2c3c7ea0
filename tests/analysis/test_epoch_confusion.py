"""Confused labels of epochs: exact counts, their bounds, and changes between epochs."""

from typing import Any

import numpy as np
import pytest

from workbench.analysis.epoch_confusion import (
    MAX_COUNTED,
    MAX_PAIRS,
    MAX_RECALLS,
    PairChange,
    class_curves,
    measure_confusion,
    pair_changes,
    recalls_of,
)
from workbench.runs.events import EpochFinished, make_event


def epoch(number: int, confusion: Any = None) -> EpochFinished:
    """An epoch as it is read from a log."""
    fields = {"event": "epoch_finished", "stage": 0, "epoch": number, "val_confusion": confusion}
    found = make_event(fields)
    assert isinstance(found, EpochFinished)
    return found


FIRST = epoch(1, {"counts": [[5, 4, 1], [2, 8, 0], [0, 0, 0]]})
BEFORE = epoch(2, {"counts": [[8, 1, 1], [1, 9, 0], [0, 0, 0]]})
NOW = epoch(3, {"counts": [[9, 0, 1], [3, 6, 1], [0, 0, 0]]})


@pytest.mark.parametrize("classes", [2, MAX_COUNTED])
def test_few_labels_are_counted_exactly(classes: int) -> None:
    labels, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 1, 0, 1])
    found = measure_confusion(labels, predicted, classes)
    assert [row[:2] for row in found.counts[:2]] == [(1, 1), (1, 2)]
    assert sum(map(sum, found.counts)) == 5
    assert (len(found.counts), found.pairs, found.recalls) == (classes, (), ())


@pytest.mark.parametrize("classes", [MAX_COUNTED + 1, MAX_RECALLS, MAX_RECALLS + 1])
def test_of_many_labels_a_bounded_part_is_kept(classes: int) -> None:
    """Every label but the last has three images; one of each even label is taken for the next."""
    labels = np.repeat(np.arange(classes - 1), 3)
    predicted = labels.copy()
    predicted[::6] += 1
    predicted[1] = 2
    found = measure_confusion(labels, predicted, classes)
    assert found.counts == ()
    assert len(found.pairs) == min(MAX_PAIRS, (classes + 2) // 2)
    assert found.pairs[:3] == ((0, 1, 1), (0, 2, 1), (2, 3, 1))
    if classes <= MAX_RECALLS:
        assert found.recalls[:3] == (0.3333, 1.0, 0.6667)
        assert found.recalls[-1] is None
        assert recalls_of(epoch(1, found.as_dict()), classes) == found.recalls
    else:
        assert found.recalls == ()


def test_curves_have_the_lowest_accuracy_first() -> None:
    curves = class_curves([epoch(0), FIRST, BEFORE, NOW], 3)
    assert [(one.label, one.values) for one in curves] == [
        (1, (None, 0.8, 0.9, 0.6)),
        (0, (None, 0.5, 0.8, 0.9)),
        (2, (None, None, None, None)),
    ]
    assert class_curves([epoch(1), epoch(2)], 3) == ()


def test_pairs_come_by_their_change() -> None:
    assert pair_changes(NOW, BEFORE, FIRST, 3) == (
        PairChange(0, 1, now=0, before=1, first=4),
        PairChange(1, 0, now=3, before=1, first=2),
        PairChange(1, 2, now=1, before=0, first=0),
        PairChange(0, 2, now=1, before=1, first=1),
    )
    assert pair_changes(NOW, None, NOW, 3)[0] == PairChange(1, 0, now=3, before=None, first=3)


def test_a_pair_below_the_kept_ones_is_unknown() -> None:
    now, first = epoch(2, {"pairs": [[0, 1, 9], [3, 4, 2]]}), epoch(1, {"pairs": [[0, 1, 7]]})
    changes = pair_changes(now, None, first, 30)
    assert [(one.now, one.first, one.change) for one in changes] == [(9, 7, 2), (2, None, None)]


@pytest.mark.parametrize(
    "damaged",
    [
        None, 3, [], {}, {"counts": 3}, {"counts": [[1, 2, 3]]}, {"counts": [[1, -2], [0, 1]]},
        {"counts": [[1, 0.5], [0, 1]]}, {"counts": [[True, 1], [0, 1]]}, {"counts": ["ab", "cd"]},
        {"recalls": [0.5]}, {"pairs": [[0, 1]]}, {"pairs": [[0, 7, 1]]},
    ],
)  # fmt: skip
def test_what_is_missing_or_damaged_counts_as_not_recorded(damaged: Any) -> None:
    row = epoch(1, damaged)
    assert recalls_of(row, 2) == ()
    assert pair_changes(row, None, row, 2) == ()
