"""A comparison of runs: differences of their specs, frozen layers, stages, results."""

import contextlib
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from workbench.analysis.significance import CorrectByImage, PairedTest, mcnemar
from workbench.errors import UserError
from workbench.experiment.deadline import DEADLINE_KEY
from workbench.experiment.sections import BaseSpec
from workbench.experiment.toml import flat, read_spec, spec_tree
from workbench.files import ENCODING
from workbench.messages import tr
from workbench.runs.events import Event, LayersChecked
from workbench.runs.folder import RunFolder
from workbench.runs.freeze_check import FROZEN, TRAINS
from workbench.runs.history import History, StageRow, fold
from workbench.runs.score import Score
from workbench.runs.summary import RunSummary, summarize
from workbench.words import shown

# Counts of images by (hash of their pixels, label).
Images = Counter[tuple[str, str]]
BASE_NAME, SOURCE_KEY = "base.name", "data.source"


@dataclass(frozen=True)
class ComparedRun:
    """What a comparison needs of a run.

    Attributes:
        spec: value by dotted key, with defaults if the spec can be read.
        events: without superseded ones, see `runs.superseded`.
        test: the test images; None if unknown.
        correct: which of them it has right; None if unknown.
    """

    summary: RunSummary
    spec: dict[str, Any]
    events: list[Event]
    test: Images | None = None
    correct: CorrectByImage | None = None

    @cached_property
    def history(self) -> History:
        """The history that the events make."""
        return fold(self.events)


@dataclass(frozen=True)
class DifferenceRow:
    """A key of the spec or a layer, and its value in each run; None if the run has none."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class StageMetrics:
    """A stage of a run; None is unknown.

    Attributes:
        stage: from 0.
        epochs: finished ones, of `planned`.
        solved: True for a stage without steps.
        val_accuracy: of the best epoch.
    """

    run: str
    stage: int
    name: str
    optimizer: str
    learning_rate: float | None
    trainable_parameters: int | None
    epochs: int
    planned: int
    best_epoch: int | None
    val_accuracy: float | None
    solved: bool = False


@dataclass(frozen=True)
class RunResult:
    """The result of a run; None is unknown.

    Attributes:
        split: test, or validation if there are no test images.
        interval: the 95 % confidence interval of the accuracy.
        scores: other metrics of the same images; {} in runs of an earlier version.
        seconds: of work, without waiting and the time between two sessions.
        best_epoch: of the last stage.
    """

    run: str
    state: str
    split: str | None
    accuracy: float | None
    interval: tuple[float, float] | None
    images: int | None
    parameters: int | None
    seconds: float | None
    best_epoch: int | None
    random_weights: bool
    scores: Mapping[str, Score] = field(default_factory=dict)

    @property
    def measured(self) -> bool:
        """True if the run reached its final evaluation."""
        return self.accuracy is not None


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        spec: keys that differ; see `spec_differences`.
        layers: layers whose freezing differs among the runs that have them.
        test_images: the number in each run, None if unknown.
        shared_test_images: the number that all measured runs share; None if unknown, or if fewer
            than two were measured.
        pairs: the best measured run against each other one, on test images that both predicted.
    """

    runs: tuple[str, ...]
    spec: list[DifferenceRow]
    layers: list[DifferenceRow]
    stages: list[StageMetrics]
    results: list[RunResult]
    test_images: tuple[int | None, ...]
    shared_test_images: int | None
    pairs: list[PairedTest]

    @property
    def same_test_images(self) -> bool | None:
        """True if the measured runs had the same images; None if unknown."""
        if self.shared_test_images is None:
            return None
        runs = zip(self.test_images, self.results, strict=True)
        return all(count == self.shared_test_images for count, run in runs if run.measured)

    def as_dict(self) -> dict[str, Any]:
        """Return the comparison for JSON."""
        return {**asdict(self), "same_test_images": self.same_test_images}


def load_run(
    folder: RunFolder, test: Images | None = None, correct: CorrectByImage | None = None
) -> ComparedRun:
    """Load what is known of a run; a damaged folder gives what is readable."""
    events: list[Event] = []
    summary = summarize(folder, keep=events.append)
    return ComparedRun(summary, flat(_spec(folder)), events, test, correct)


def compare(runs: Sequence[ComparedRun]) -> Comparison:
    """Compare runs, in the given order."""
    counts = tuple(None if run.test is None else run.test.total() for run in runs)
    stages = [figures for run in runs for figures in stage_metrics(run)]
    results = [run_result(run) for run in runs]
    tests = [run.test for run, result in zip(runs, results, strict=True) if result.measured]
    return Comparison(
        runs=tuple(run.summary.name for run in runs),
        spec=spec_differences([run.spec for run in runs]),
        layers=differences([freeze_map(run) for run in runs], absent_differs=False),
        stages=sorted(stages, key=lambda figures: figures.stage),  # stable: runs keep their order
        results=results,
        test_images=counts,
        shared_test_images=_shared(tests) if len(tests) > 1 else None,
        pairs=_pairs(runs, results),
    )


def differences(
    tables: Sequence[dict[str, Any]], absent_differs: bool = True
) -> list[DifferenceRow]:
    """Return the keys whose values differ between tables, in order of appearance.

    Without `absent_differs` only the tables that have a key are compared.
    """
    found = []
    for key in dict.fromkeys(key for table in tables for key in table):
        values = tuple(table.get(key) for table in tables)
        counted = [value for value in values if absent_differs or value is not None]
        if any(value != counted[0] for value in counted):
            found.append(DifferenceRow(key, values))
    return found


def spec_differences(specs: Sequence[dict[str, Any]]) -> list[DifferenceRow]:
    """Return the keys of specs that differ, without what each run has of its own.

    If a run has no base, the default values of the others' bases are omitted.
    """
    found = [row for row in differences(specs) if row.key not in ("name", DEADLINE_KEY)]
    found = [row for row in found if row.key != SOURCE_KEY or not _is_same_path(row.values)]
    if all(BASE_NAME in spec for spec in specs):
        return found
    return [row for row in found if not _is_default_base(row)]


def _is_same_path(values: Sequence[object]) -> bool:
    """Return whether paths differ only in how they were typed."""
    return len({os.path.normpath(str(value)) for value in values}) == 1


def _is_default_base(row: DifferenceRow) -> bool:
    table, _, key = row.key.partition(".")
    field = BaseSpec.model_fields.get(key) if table == "base" else None
    if field is None or field.is_required():
        return False
    default = field.get_default()
    plain = list(default) if isinstance(default, tuple) else default  # as in the tables
    return all(value is None or value == plain for value in row.values)


def freeze_map(run: ComparedRun) -> dict[str, str]:
    """Return for each layer with weights: trains, frozen, or the stages in which it trains.

    Empty if the events do not record it.
    """
    stages = run.history.stages.values()
    requested = {
        stage.index: {layer.name: layer for layer in stage.started.layers} for stage in stages
    }
    moved = _moved_though_frozen(run.events)
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for layers in requested.values() for name in layers):
        rows = {index: layers[name] for index, layers in requested.items() if name in layers}
        if not all(row.requested and row.parameters for row in rows.values()):
            continue
        training = [index for index, row in rows.items() if row.requested == TRAINS]
        trains = _describe(training, len(rows))
        found[name] = tr("{trains}, but moved", trains=trains) if name in moved else trains
    return found


def stage_metrics(run: ComparedRun) -> list[StageMetrics]:
    """Return the stages that have started."""
    return [_stage_figures(run, stage) for _, stage in sorted(run.history.stages.items())]


def run_result(run: ComparedRun) -> RunResult:
    """Return the result of the run."""
    stages = stage_metrics(run)
    history = run.history
    evaluation = history.evaluation
    last = max(history.stages.items(), default=None)
    return RunResult(
        run=run.summary.name,
        state=run.summary.state.phase,
        split=evaluation.split if evaluation else None,
        accuracy=evaluation.accuracy if evaluation else None,
        interval=evaluation.interval if evaluation else None,
        images=evaluation.images if evaluation else None,
        parameters=last[1].started.parameters if last else None,
        seconds=history.seconds_worked,
        best_epoch=stages[-1].best_epoch if stages else None,
        random_weights=run.summary.random_weights,
        scores=evaluation.scores if evaluation else {},
    )


def _stage_figures(run: ComparedRun, stage: StageRow) -> StageMetrics:
    rows = [row for row in run.history.epochs if row.stage == stage.index]
    best = next((row for row in reversed(rows) if row.best), None)
    return StageMetrics(
        run=run.summary.name,
        stage=stage.index,
        name=stage.name,
        optimizer=tr("solved") if stage.started.is_solved else stage.started.optimizer,
        learning_rate=stage.started.learning_rate,
        trainable_parameters=stage.started.trainable_parameters,
        epochs=sum(row.epoch > 0 for row in rows),  # 0 is where a solved head begins
        planned=stage.epochs,
        best_epoch=best.epoch if best else None,
        val_accuracy=best.val_accuracy if best else None,
        solved=stage.started.is_solved,
    )


def _moved_though_frozen(events: Iterable[Event]) -> set[str]:
    return {
        layer.name
        for event in events
        if isinstance(event, LayersChecked)
        for layer in event.layers
        if layer.requested == FROZEN and layer.moved
    }


def _describe(training: list[int], stages: int) -> str:
    if not training:
        return shown(FROZEN)
    if len(training) == stages:
        return shown(TRAINS)
    numbers = ", ".join(str(index + 1) for index in training)
    return tr("{trains} in stage {numbers}", trains=shown(TRAINS), numbers=numbers)


def _shared(tests: list[Images | None]) -> int | None:
    """Return the number of images that all have; None if one is unknown or empty."""
    known = [test for test in tests if test]
    if len(known) < len(tests) or not known:
        return None
    common = known[0]
    for test in known[1:]:
        common = common & test
    return common.total()


def _pairs(runs: Sequence[ComparedRun], results: Sequence[RunResult]) -> list[PairedTest]:
    """Test the run with the highest test accuracy against each other one."""
    known = [
        (result.accuracy or 0.0, run.summary.name, run.correct)
        for run, result in zip(runs, results, strict=True)
        if result.split == "test" and run.correct
    ]
    if len(known) < 2:
        return []
    _, best, right = max(known, key=lambda one: one[0])
    tests = len(known) - 1
    pairs = [mcnemar(best, name, right, other, tests) for _, name, other in known if name != best]
    return [pair for pair in pairs if pair]


def _spec(folder: RunFolder) -> dict[str, Any]:
    """Return the spec with its defaults, or, for another version, its tables as they are."""
    try:
        return spec_tree(read_spec(folder.spec_path))
    except UserError:
        pass
    with contextlib.suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return tomllib.loads(folder.spec_path.read_text(encoding=ENCODING))
    return {}
