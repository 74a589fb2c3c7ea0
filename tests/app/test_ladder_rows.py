"""The table of a ladder, from run folders of every kind."""

import pytest

from workbench.app.ladder_rows import (
    RANDOM_WEIGHTS,
    VALIDATION_ONLY,
    RungRow,
    figure,
    notes,
    read_rows,
    row_without_run,
)
from workbench.experiment.strategies import ABOUT_BOOK, ABOUT_READERS
from workbench.paths import Workspace
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.ladder import Ladder, Rung, create_ladder, folders

SPEC = '[model]\nstrategy = "convnet"\n[training]\nepochs = 7\n'
RANDOM = SPEC + '[base]\nweights = "random"\n'


def evaluated(run: RunFolder, split: str = "test") -> None:
    events = EventWriter(run.events_path)
    events.write("stage_started", stage=0, epochs=7)
    events.write("epoch_finished", stage=0, epoch=1, val_accuracy=0.5)
    events.write("evaluated", split=split, accuracy=0.75, interval=[0.7, 0.8], images=9)
    events.write("finished", seconds=1.0)


@pytest.mark.usefixtures("ten_o_clock")
def test_rungs_are_told_as_their_folders_tell(workspace: Workspace) -> None:
    specs = [("dense", SPEC), ("feature-extraction", RANDOM), ("convnet", SPEC), ("odd", SPEC)]
    ladder = create_ladder(workspace, "pets", "p", specs)
    dense, extraction, convnet, _ = folders(workspace, ladder)
    evaluated(dense)
    EventWriter(extraction.events_path).write("failed", message="no weights\nat all")
    convnet.spec_path.unlink()
    convnet.path.rmdir()
    assert read_rows(workspace, ladder) == [
        RungRow(
            "dense", "p-dense-1", "finished", "", "test", 0.75, (0.7, 0.8), epochs_done=1,
            epochs_total=7,
        ),
        RungRow(
            "feature-extraction", "p-feature-extraction-1", "failed",
            "no weights (at 10:00); resume starts over: no checkpoint",
            random_weights=True, book=0.903, readers=0.97, epochs_total=7,
        ),
        RungRow("convnet", "p-convnet-1", "gone", book=0.724),
        RungRow(
            "odd", "p-odd-1", "interrupted",
            "it was never started; resume starts over: no checkpoint", epochs_total=7,
        ),
    ]  # fmt: skip


def test_seconds_are_those_of_the_work(workspace: Workspace) -> None:
    run = create_run(workspace, SPEC, "birds", "")
    lines = [
        '{"event": "worker_started", "t": 10}',
        '{"event": "preparing", "t": 11, "phase": "wait for other"}',
        '{"event": "preparing", "t": 71, "phase": "scan"}',
        '{"event": "stopped", "t": 73.5}',
    ]
    run.events_path.write_text("\n".join(lines) + "\n", encoding="ascii")
    (row,) = read_rows(workspace, Ladder("l", (Rung("dense", "birds"),)))
    assert row.seconds == 1 + 2.5


def test_what_is_said_follows_from_the_rows() -> None:
    dense = RungRow("dense", "d", "finished", split="test", accuracy=0.5)
    convnet = row_without_run(Rung("convnet", "c"))
    extraction = row_without_run(Rung("feature-extraction", "f"), "starting")
    assert (convnet.state, extraction.state) == ("gone", "starting")
    assert notes([dense]) == []
    assert notes([dense, convnet]) == [ABOUT_BOOK]
    assert notes([extraction]) == [ABOUT_BOOK, ABOUT_READERS]
    odd = RungRow("dense", "d", "finished", split="validation", random_weights=True)
    assert notes([odd]) == [RANDOM_WEIGHTS, VALIDATION_ONLY]


@pytest.mark.parametrize(
    ("value", "said"), [(None, "-"), (0.9, "0.90"), (0.97, "0.97"), (0.903, "0.903"), (1.0, "1.00")]
)
def test_figures_have_the_digits_of_the_book(value: float | None, said: str) -> None:
    assert figure(value) == said
