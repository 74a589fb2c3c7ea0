"""A ladder: the cost of its strategies beforehand, and how they compare afterwards."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.analysis.compare import load_run
from workbench.analysis.significance import CorrectByImage, mcnemar
from workbench.app.draft import BASE_KEYS, Draft, plain_message
from workbench.app.run_files import read_correctness, read_test_images
from workbench.errors import UserError
from workbench.experiment.deadline import format_moment
from workbench.experiment.facts import DataFacts
from workbench.experiment.fit_epochs import divide_time, plan_time
from workbench.experiment.presets import ABOUT_BOOK, ABOUT_READERS, REFERENCE_ACCURACY
from workbench.experiment.resuming import with_deadline
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.render.conclusions import describe_paired_test
from workbench.render.runs import rough_time
from workbench.render.strategy import UNKNOWN_TIME, forecast
from workbench.runs.folder import RunFolder
from workbench.runs.history import History
from workbench.runs.summary import RunSummary
from workbench.runs.sweep import (
    PRESET,
    Sweep,
    SweepTrial,
    describe_trial,
    prepare_sweep,
    run_folders,
)
from workbench.runs.sweep_record import LADDER
from workbench.text import format_seconds, plural

GONE, PLANNED = "gone", "planned"
RANDOM_WEIGHTS = tr("random: the base had random weights, as requested.")
VALIDATION_ONLY = tr(
    "There are no test images: accuracies are of the validation images "
    "that chose the best epoch, and so slightly optimistic."
)


@dataclass(frozen=True)
class PlannedRun:
    """A strategy that could be trained.

    Attributes:
        spec: None if the settings do not fit; `error` is the reason.
        seconds: an upper bound; None if the machine was not measured.
        device: the device that was measured.
    """

    preset: str
    spec: ExperimentSpec | None = None
    error: str = ""
    seconds: float | None = None
    device: str = ""


def plan_ladder(
    draft: Draft, presets: Sequence[str], benchmark: BenchmarkResult | None
) -> tuple[PlannedRun, ...]:
    """Plan each strategy as the strategy step shows it, all on the chosen base.

    The draft has images and their facts; the benchmark is of the device that would train.
    """
    return tuple(_plan(draft, preset, benchmark) for preset in presets)


def _plan(draft: Draft, preset: str, benchmark: BenchmarkResult | None) -> PlannedRun:
    try:
        spec = strategy_spec(draft, preset)
    except UserError as error:
        return PlannedRun(preset, error=plain_message(error))
    if draft.facts is None or benchmark is None:
        return PlannedRun(preset, spec)
    expected = forecast(spec, draft.facts, benchmark)
    return PlannedRun(preset, spec, seconds=expected.total, device=expected.device)


def strategy_spec(draft: Draft, preset: str) -> ExperimentSpec:
    """Return the spec of a strategy, without a name: the ladder names its runs.

    Raises:
        UserError: a setting does not fit.
    """
    preview = draft.preview(preset)
    settings = {key: value for key, value in preview.settings.items() if key != "name"}
    spec = preview.with_settings(settings)
    chosen = {key: draft.settings[key] for key in BASE_KEYS if key in draft.settings}
    return preview.with_settings({**settings, **chosen}) if spec.base and chosen else spec


def prepare_ladder(
    workspace: Workspace,
    name: str | None,
    data: str,
    specs: Sequence[tuple[str, ExperimentSpec]],
    progress: Progress = silent,
    environment: Mapping[str, str] = os.environ,
    submitted: bool = False,
) -> Sweep:
    """Check the specs, download weights, then record a ladder; see `runs.sweep.prepare_sweep`.

    Args:
        workspace: Where it is created.
        name: None for the data's name, "ladder" and the next free number.
        data: Base of the runs' names: "photos" for photos-dense-1, ...
        specs: Preset and checked spec of each run, from the simplest strategy up.
        progress: Called during downloads.
        environment: Of the workers.
        submitted: True if they run on other machines, as jobs.

    Raises:
        UserError: A strategy cannot be trained here, weights are not available, the name is taken,
            or the disk cannot be written.
    """
    # Which import numpy.
    from workbench.machine.preflight import check_before_submit, check_before_sweep

    trials = [SweepTrial({PRESET: preset}, spec=dump_spec(spec)) for preset, spec in specs]
    named = [(describe_trial(t), spec) for t, (_, spec) in zip(trials, specs, strict=True)]
    if submitted:
        check_before_submit([spec for _, spec in specs], workspace, progress)
    else:
        check_before_sweep(named, environment)
    return prepare_sweep(workspace, LADDER, name, data, trials, progress=progress)


def specs_by(
    specs: Sequence[tuple[str, ExperimentSpec]],
    facts: DataFacts,
    benchmark: BenchmarkResult | None,
    at: int,
    now: float,
) -> list[tuple[str, ExperimentSpec]]:
    """Divide the time until a deadline among the strategies, each a deadline of its own.

    Args:
        specs: preset and spec of each, in their order.
        facts: of the images.
        benchmark: of the device; None if it was not measured.
        at: when the last one has to be finished, in unix seconds.
        now: unix seconds.

    Raises:
        UserError: the device was not measured, or there is too little time.
    """
    if benchmark is None:
        raise UserError(
            tr("To divide the time among the strategies, the speed of this machine is needed."),
            tr("Measure it once: workbench check"),
        )
    plans = [plan_time(spec, facts, benchmark.speed) for _, spec in specs]
    ends = divide_time(plans, now, at)
    if ends is None:
        raise UserError(
            tr(
                "Until {at} there is too little time for {strategies}, even with one epoch each.",
                at=format_moment(at, now),
                strategies=plural(len(specs), "strategy", "strategies"),
            ),
            tr("Give more time with --by, or choose fewer strategies with --presets."),
        )
    return [
        (preset, with_deadline(spec, end)) for (preset, spec), end in zip(specs, ends, strict=True)
    ]


def describe_ladder(data: str, planned: Sequence[PlannedRun]) -> str:
    """Describe a ladder on `data`, a short name of the images, before it starts."""
    text = tr(
        "Train {strategies} on {data}, one after the other",
        strategies=plural(len(planned), "strategy", "strategies"),
        data=data,
    )
    known = [run.seconds for run in planned if run.seconds is not None]
    if not known:
        return f"{text}."
    return tr(
        "{value}: about {rough_time} in all on {device}.",
        value=text,
        rough_time=rough_time(sum(known)),
        device=planned[0].device,
    )


def describe_planned(run: PlannedRun) -> str:
    """Return what a strategy costs, or why it cannot be trained."""
    if run.spec is None:
        return f"! {run.error}"
    return (
        UNKNOWN_TIME
        if run.seconds is None
        else tr("about {seconds}", seconds=format_seconds(run.seconds))
    )


@dataclass(frozen=True)
class LadderRow:
    """A row of the ladder's table; None is unknown.

    Attributes:
        state: of the run; "planned" before it is made, "gone" if it was deleted.
        detail: of the state, safe to print.
        split: of the accuracy: test, or validation if there are no test images.
        seconds: of work, without waiting.
        book, readers: reference accuracies (see `experiment.presets`).
        epochs_done: finished epochs, of `epochs_total`.
    """

    preset: str
    run: str
    state: str
    detail: str = ""
    split: str | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    seconds: float | None = None
    random_weights: bool = False
    book: float | None = None
    readers: float | None = None
    epochs_done: int = 0
    epochs_total: int | None = None


def ladder_row(entry: SweepTrial, summary: RunSummary, history: History) -> LadderRow:
    """Return the row of a run that exists."""
    reference = REFERENCE_ACCURACY.get(entry.preset)
    evaluation = history.evaluation
    return LadderRow(
        preset=entry.preset,
        run=entry.run,
        state=summary.state.phase,
        detail=summary.state.detail,
        split=evaluation.split if evaluation else None,
        accuracy=evaluation.accuracy if evaluation else None,
        interval=evaluation.interval if evaluation else None,
        seconds=history.seconds_worked,
        random_weights=summary.random_weights,
        book=reference.book if reference else None,
        readers=reference.readers if reference else None,
        epochs_done=summary.epochs_done,
        epochs_total=summary.epochs_total,
    )


def row_without_run(entry: SweepTrial, state: str = "") -> LadderRow:
    """Return the row of a run of which nothing is known: it is gone, or was not made yet."""
    reference = REFERENCE_ACCURACY.get(entry.preset)
    return LadderRow(
        entry.preset,
        entry.run,
        state or (GONE if entry.run else PLANNED),
        book=reference.book if reference else None,
        readers=reference.readers if reference else None,
    )


def read_rows(workspace: Workspace, ladder: Sweep) -> list[LadderRow]:
    """Read the rows from the folders of the runs, with all their events."""
    existing = {folder.name: load_run(folder) for folder in run_folders(workspace, ladder)}
    return [
        ladder_row(entry, existing[entry.run].summary, existing[entry.run].history)
        if entry.run in existing
        else row_without_run(entry)
        for entry in ladder.trials
    ]


def ladder_notes(rows: Sequence[LadderRow]) -> list[str]:
    """Return the notes that the numbers in the table need, a sentence or two each."""
    notes = {
        ABOUT_BOOK: any(row.book for row in rows),
        ABOUT_READERS: any(row.readers for row in rows),
        RANDOM_WEIGHTS: any(row.random_weights for row in rows),
        VALIDATION_ONLY: any(row.split == "validation" for row in rows),
    }
    return [note for note, applies in notes.items() if applies]


def format_reference(accuracy: float | None) -> str:
    """Format a reference accuracy with the digits it was published with, two at least."""
    return "-" if accuracy is None else f"{accuracy:.3f}".rstrip("0").ljust(4, "0")


def measured(rows: Sequence[LadderRow]) -> list[LadderRow]:
    """Return the rows with an accuracy on test images, the best first."""
    found = [row for row in rows if row.split == "test" and row.accuracy is not None]
    return sorted(found, key=lambda row: row.accuracy or 0.0, reverse=True)


def describe_lead(workspace: Workspace, rows: Sequence[LadderRow]) -> str:
    """Return whether the best strategy is ahead of the next by more than chance.

    Returns "" if the two were not evaluated on the same test images. Reads files: call it in a
    thread.
    """
    best = measured(rows)[:2]
    correct = [_correctness(RunFolder(workspace.runs / row.run)) for row in best]
    if len(best) < 2 or not correct[0] or not correct[1] or correct[0].keys() != correct[1].keys():
        return ""
    pair = mcnemar(best[0].preset, best[1].preset, correct[0], correct[1])
    return describe_paired_test(pair) if pair else ""


def _correctness(run: RunFolder) -> CorrectByImage | None:
    test = read_test_images(run)
    return None if test is None else read_correctness(run, test)
