"""The table of a ladder and the lead of its best strategy, from run folders."""

from dataclasses import replace

import pytest
from event_lines import LogWriter
from made_sweeps import made_ladder

from workbench.app.ladder import (
    RANDOM_WEIGHTS,
    VALIDATION_ONLY,
    LadderRow,
    describe_lead,
    format_reference,
    ladder_notes,
    measured,
    read_rows,
    row_without_run,
)
from workbench.cli.ladder import ladder_table
from workbench.datasets.manifest import ImageRecord, write_manifest
from workbench.experiment.presets import (
    ABOUT_BOOK,
    ABOUT_READERS,
    LADDER,
    PRESETS,
    REFERENCE_ACCURACY,
)
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.sweep import PRESET, Sweep, SweepTrial, run_folders
from workbench.runs.sweep_record import LADDER as LADDERS
from workbench.runs.sweep_record import SweepRecord

SPEC = '[model]\nstrategy = "convnet"\n[training]\nepochs = 7\n'
RANDOM = SPEC + '[base]\nweights = "random"\n'
DENSE = LadderRow("dense", "photos-dense-1", "finished", "", "test", 0.6, (0.5, 0.7), 1234.4)
EXTRACTION = LadderRow(
    "feature-extraction", "photos-f-1", "waiting", "wait for photos-dense-1", book=0.903,
    readers=0.97,
)  # fmt: skip


def entry(preset: str, run: str) -> SweepTrial:
    return SweepTrial({PRESET: preset}, run=run)


def evaluated(run: RunFolder, split: str = "test") -> None:
    events = LogWriter(run.events_path)
    events.write("stage_started", stage=0, epochs=7)
    events.write("epoch_finished", stage=0, epoch=1, val_accuracy=0.5)
    events.write("evaluated", split=split, accuracy=0.75, interval=[0.7, 0.8], images=9)
    events.write("finished", seconds=1.0)


@pytest.mark.usefixtures("frozen_clock")
def test_rows_follow_from_the_folders(workspace: Workspace) -> None:
    specs = [("dense", SPEC), ("feature-extraction", RANDOM), ("convnet", SPEC), ("odd", SPEC)]
    ladder = made_ladder(workspace, "pets", "p", specs)
    dense, extraction, convnet, _ = run_folders(workspace, ladder)
    evaluated(dense)
    LogWriter(extraction.events_path).write("failed", message="no weights\nat all")
    convnet.spec_path.unlink()
    convnet.path.rmdir()
    assert read_rows(workspace, ladder) == [
        LadderRow(
            "dense", "p-dense-1", "finished", "", "test", 0.75, (0.7, 0.8), epochs_done=1,
            epochs_total=7,
        ),
        LadderRow(
            "feature-extraction", "p-feature-extraction-1", "failed",
            "no weights (at 10:00); resume starts over: no checkpoint",
            random_weights=True, book=0.903, readers=0.97, epochs_total=7,
        ),
        LadderRow("convnet", "p-convnet-1", "gone", book=0.724),
        LadderRow(
            "odd", "p-odd-1", "interrupted",
            "it was never started; resume starts over: no checkpoint", epochs_total=7,
        ),
    ]  # fmt: skip


def test_seconds_exclude_waiting(workspace: Workspace) -> None:
    run = create_run(workspace, SPEC, "birds", "")
    lines = [
        '{"event": "worker_started", "t": 10}',
        '{"event": "preparing", "t": 11, "phase": "wait for other"}',
        '{"event": "preparing", "t": 71, "phase": "scan"}',
        '{"event": "stopped", "t": 73.5}',
    ]
    run.events_path.write_text("\n".join(lines) + "\n", encoding="ascii")
    (row,) = read_rows(workspace, Sweep(SweepRecord("l", LADDERS), (entry("dense", "birds"),)))
    assert row.seconds == 1 + 2.5


def test_notes_follow_from_the_rows() -> None:
    dense = LadderRow("dense", "d", "finished", split="test", accuracy=0.5)
    convnet = row_without_run(entry("convnet", "c"))
    extraction = row_without_run(entry("feature-extraction", "f"), "starting")
    assert (convnet.state, extraction.state) == ("gone", "starting")
    assert row_without_run(entry("dense", "")).state == "planned"
    assert ladder_notes([dense]) == []
    assert ladder_notes([dense, convnet]) == [ABOUT_BOOK]
    assert ladder_notes([extraction]) == [ABOUT_BOOK, ABOUT_READERS]
    odd = LadderRow("dense", "d", "finished", split="validation", random_weights=True)
    assert ladder_notes([odd]) == [RANDOM_WEIGHTS, VALIDATION_ONLY]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.9, "0.90"), (0.97, "0.97"), (0.903, "0.903"), (1.0, "1.00")]
)
def test_reference_accuracies_keep_their_digits(value: float | None, text: str) -> None:
    assert format_reference(value) == text


def row(
    workspace: Workspace, preset: str, right: int, images: int = 20, first: int = 0
) -> LadderRow:
    """A row whose run has the first `right` of its test images right."""
    run = create_run(workspace, "", f"p-{preset}", "")
    numbers = range(first, first + images)
    rows = [ImageRecord(f"{n}.png", "cat", "test", 8, 8, 100, f"{n:032x}") for n in numbers]
    write_manifest(run.manifest_path, rows)
    labels = ["cat"] * right + ["dog"] * (images - right)
    predictions = [f"{n}.png,cat,{label},0.5,0.5" for n, label in zip(numbers, labels, strict=True)]
    run.predictions_path.write_text("\n".join(["path,label,predicted,cat,dog", *predictions, ""]))
    return LadderRow(preset, run.name, "finished", split="test", accuracy=right / images)


def test_a_lead_of_six_images_is_beyond_chance_one_of_five_is_not(workspace: Workspace) -> None:
    dense = row(workspace, "dense", 12)
    lower = row(workspace, "lower", 3)
    ahead, level = row(workspace, "convnet", 18), row(workspace, "level", 17)
    assert describe_lead(workspace, [lower, dense, ahead]) == (
        "convnet is better than dense, beyond chance. Of 20 images that both answered, convnet "
        "alone has 6 right and dense alone none (McNemar's exact test, p = 0.031)."
    )
    assert describe_lead(workspace, [level, dense, lower]) == (
        "Too close to call: of 20 images that both answered, level alone has 5 right and dense "
        "alone none (McNemar's exact test, p = 0.062)."
    )


def test_without_the_same_test_images_there_is_no_lead(workspace: Workspace) -> None:
    dense, other = row(workspace, "dense", 12), row(workspace, "other", 18, first=1)
    assert describe_lead(workspace, []) == ""
    assert describe_lead(workspace, [dense]) == ""
    assert describe_lead(workspace, [dense, other]) == ""
    gone = LadderRow("convnet", "p-convnet", "finished", split="test", accuracy=0.9)
    assert describe_lead(workspace, [dense, gone]) == ""


def test_only_test_images_measure(workspace: Workspace) -> None:
    dense = LadderRow("dense", "d", "finished", split="test", accuracy=0.5)
    best = replace(dense, preset="best", accuracy=0.75)
    validated = replace(dense, split="validation", accuracy=0.9)
    training = LadderRow("convnet", "c", "training")
    assert measured([dense, validated, training, best]) == [best, dense]


def test_every_strategy_is_a_preset() -> None:
    assert set(LADDER) | set(REFERENCE_ACCURACY) <= set(PRESETS)


def test_the_table_has_a_row_per_strategy() -> None:
    lines = ladder_table([DENSE, EXTRACTION]).splitlines()
    assert lines[0].split() == [
        "strategy", "accuracy", "95", "%", "interval", "seconds", "book", "readers",
    ]  # fmt: skip
    assert lines[1].split() == ["dense", "0.6000", "0.500", "to", "0.700", "1,234", "-", "-"]
    assert lines[2].split() == ["feature-extraction", "waiting", "-", "-", "0.903", "0.97"]
    assert "runs: photos-dense-1, photos-f-1" in lines
    assert max(map(len, lines)) <= 80


def test_the_whole_ladder_fits_a_terminal() -> None:
    rows = [
        LadderRow(p, f"p-{p}-1", "finished", "", "test", 0.9, (0.8, 0.95), 99_999,
            book=REFERENCE_ACCURACY[p].book if p in REFERENCE_ACCURACY else None, readers=0.9)
        for p in LADDER
    ]  # fmt: skip
    lines = ladder_table(rows).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[6].split()[-2:] == ["0.951", "0.90"]


def test_the_table_ends_with_its_notes() -> None:
    single = ladder_table([DENSE])
    assert "book:" not in single
    assert "readers:" not in single
    lead = " ".join(ladder_table([DENSE], "convnet and dense are too close to call.").split())
    assert "- - convnet and dense are too close to call. runs: photos-dense-1" in lead
    both = " ".join(ladder_table([DENSE, EXTRACTION]).split())
    assert "validation accuracy on cats and dogs" in both
    assert "where the book's text says 0.96" in both
    random = ladder_table([LadderRow("fine-tuning", "x", "finished", random_weights=True)])
    assert "fine-tuning (random)" in random
    assert "the base had random weights" in random
    validation = ladder_table(
        [LadderRow("dense", "x", "finished", split="validation", accuracy=0.5)]
    )
    assert "There are no test images" in validation
    failed = ladder_table([LadderRow("dense", "x-1", "failed", "no images")])
    assert failed.splitlines()[-1] == "x-1: no images"
