"""Runs held side by side: what differs in their specs, what was frozen, stages, results."""

import contextlib
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from workbench.analysis.paired import Answers, Paired, mcnemar
from workbench.errors import UserError
from workbench.experiment.sections import BaseSpec
from workbench.experiment.toml import flat, read_spec, spec_tree
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold
from workbench.runs.rows import StageRow, number, text, whole
from workbench.runs.state import RunSummary, summarise_with_events
from workbench.text_files import ENCODING

# Images by (hash of their pixels, label), each as often as it is there.
Images = Counter[tuple[str, str]]
FROZEN, TRAINS = "frozen", "trains"
BASE_NAME = "base.name"


@dataclass(frozen=True)
class RunFacts:
    """What a comparison needs to know of a run.

    Attributes:
        spec: value by dotted key, defaults included where the spec can be read whole.
        events: all that count, see `superseded`.
        test: the test images; None where that cannot be told.
        answers: which of them it has right; None likewise.
    """

    summary: RunSummary
    spec: dict[str, Any]
    events: list[Event]
    test: Images | None = None
    answers: Answers | None = None

    @cached_property
    def history(self) -> History:
        """What the events amount to."""
        return fold(self.events)


@dataclass(frozen=True)
class Difference:
    """A key of the spec or a layer, and what each run has there; None where it has nothing."""

    key: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class StageFigures:
    """A stage of a run; what is not known is None.

    Attributes:
        stage: from 0.
        epochs: finished ones, of `planned`.
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


@dataclass(frozen=True)
class Result:
    """What a run came to; what is not known is None.

    Attributes:
        split: test, or validation where there are no test images.
        interval: the 95 % confidence interval of the accuracy.
        seconds: of work; waiting and the time between two lives are left out.
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

    @property
    def measured(self) -> bool:
        """True where the run came as far as its final evaluation."""
        return self.accuracy is not None


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        spec: keys that differ; see `spec_differences`.
        layers: layers that were not frozen alike in the runs that have them.
        test_images: how many each run has, None where that cannot be told.
        shared_test_images: how many of them all measured runs have; None where that cannot be
            told, or fewer than two were measured.
        pairs: the best measured run against each other one, where both have answered test images.
    """

    runs: tuple[str, ...]
    spec: list[Difference]
    layers: list[Difference]
    stages: list[StageFigures]
    results: list[Result]
    test_images: tuple[int | None, ...]
    shared_test_images: int | None
    pairs: list[Paired]

    @property
    def same_test_images(self) -> bool | None:
        """True where the measured runs had the same images; None where nobody can tell."""
        if self.shared_test_images is None:
            return None
        runs = zip(self.test_images, self.results, strict=True)
        return all(count == self.shared_test_images for count, told in runs if told.measured)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "same_test_images": self.same_test_images}


def load_facts(
    folder: RunFolder, test: Images | None = None, answers: Answers | None = None
) -> RunFacts:
    """What is known of a run; a damaged folder gives what can be read of it."""
    summary, events = summarise_with_events(folder)
    return RunFacts(summary, flat(_spec(folder)), events, test, answers)


def compare(runs: Sequence[RunFacts]) -> Comparison:
    """Holds runs side by side, in the order given."""
    counts = tuple(None if run.test is None else run.test.total() for run in runs)
    stages = [figures for run in runs for figures in stage_figures(run)]
    results = [result(run) for run in runs]
    tests = [run.test for run, told in zip(runs, results, strict=True) if told.measured]
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


def differences(tables: Sequence[dict[str, Any]], absent_differs: bool = True) -> list[Difference]:
    """Keys whose values are not the same in all tables, in the order in which they come.

    Args:
        absent_differs: False to hold only those tables beside each other that have the key.
    """
    found = []
    for key in dict.fromkeys(key for table in tables for key in table):
        values = tuple(table.get(key) for table in tables)
        counted = [value for value in values if absent_differs or value is not None]
        if any(value != counted[0] for value in counted):
            found.append(Difference(key, values))
    return found


def spec_differences(specs: Sequence[dict[str, Any]]) -> list[Difference]:
    """Keys of specs that differ, but for the runs' names.

    Where a run has no base at all, the others' is told by what is not as it is by default.
    """
    found = [row for row in differences(specs) if row.key != "name"]
    if all(BASE_NAME in spec for spec in specs):
        return found
    return [row for row in found if not _is_default_base(row)]


def _is_default_base(row: Difference) -> bool:
    table, _, key = row.key.partition(".")
    field = BaseSpec.model_fields.get(key) if table == "base" else None
    if field is None or field.is_required():
        return False
    default = field.get_default()
    told = list(default) if isinstance(default, tuple) else default  # as the plain tables have it
    return all(value is None or value == told for value in row.values)


def freeze_map(run: RunFacts) -> dict[str, str]:
    """What became of each layer with weights: trains, frozen, or in which stages it trains.

    Empty where the events do not tell it.
    """
    stages = run.history.stages.values()
    asked = {stage.index: _by_name(stage.event) for stage in stages}
    moved = _moved_though_frozen(run.events)
    found: dict[str, str] = {}
    for name in dict.fromkeys(name for layers in asked.values() for name in layers):
        rows = {index: layers[name] for index, layers in asked.items() if name in layers}
        if any("requested" not in row or row.get("parameters") == 0 for row in rows.values()):
            continue
        training = [index for index, row in rows.items() if row["requested"] == TRAINS]
        words = _in_words(training, len(rows))
        found[name] = f"{words}, but moved" if name in moved else words
    return found


def stage_figures(run: RunFacts) -> list[StageFigures]:
    """The stages that have begun."""
    return [_stage_figures(run, stage) for _, stage in sorted(run.history.stages.items())]


def result(run: RunFacts) -> Result:
    """What the run came to."""
    stages = stage_figures(run)
    history = run.history
    evaluation = history.evaluation
    last = max(history.stages.items(), default=None)
    return Result(
        run=run.summary.name,
        state=run.summary.state.word,
        split=evaluation.split if evaluation else None,
        accuracy=evaluation.accuracy if evaluation else None,
        interval=evaluation.interval if evaluation else None,
        images=evaluation.images if evaluation else None,
        parameters=whole(last[1].event.get("parameters")) if last else None,
        seconds=history.seconds_worked,
        best_epoch=stages[-1].best_epoch if stages else None,
        random_weights=run.summary.random_weights,
    )


def _stage_figures(run: RunFacts, stage: StageRow) -> StageFigures:
    rows = [row for row in run.history.epochs if row.stage == stage.index]
    best = next((row for row in reversed(rows) if row.best), None)
    return StageFigures(
        run=run.summary.name,
        stage=stage.index,
        name=stage.name,
        optimizer=text(stage.event.get("optimizer")),
        learning_rate=number(stage.event.get("learning_rate")),
        trainable_parameters=whole(stage.event.get("trainable_parameters")),
        epochs=len(rows),
        planned=stage.epochs,
        best_epoch=best.epoch if best else None,
        val_accuracy=best.val_accuracy if best else None,
    )


def _by_name(event: Event) -> dict[str, Event]:
    """The layers that an event tells of; what is no layer is passed over."""
    layers = event.get("layers")
    rows = layers if isinstance(layers, list) else []
    return {text(row.get("name")): row for row in rows if isinstance(row, dict)}


def _moved_though_frozen(events: Iterable[Event]) -> set[str]:
    return {
        name
        for event in events
        if event["event"] == "layers"
        for name, row in _by_name(event).items()
        if row.get("requested") == FROZEN and (number(row.get("moved")) or 0) > 0
    }


def _in_words(training: list[int], stages: int) -> str:
    if not training:
        return FROZEN
    if len(training) == stages:
        return TRAINS
    numbers = ", ".join(str(index + 1) for index in training)
    return f"{TRAINS} in stage {numbers}"


def _shared(tests: list[Images | None]) -> int | None:
    """How many images all have; None where one of them is not known or has none."""
    known = [test for test in tests if test]
    if len(known) < len(tests) or not known:
        return None
    common = known[0]
    for test in known[1:]:
        common = common & test
    return common.total()


def _pairs(runs: Sequence[RunFacts], results: Sequence[Result]) -> list[Paired]:
    """The run with the highest test accuracy against each other one."""
    known = [
        (told.accuracy or 0.0, run.summary.name, run.answers)
        for run, told in zip(runs, results, strict=True)
        if told.split == "test" and run.answers
    ]
    if len(known) < 2:
        return []
    _, best, right = max(known, key=lambda one: one[0])
    tests = len(known) - 1
    pairs = [mcnemar(best, name, right, other, tests) for _, name, other in known if name != best]
    return [pair for pair in pairs if pair]


def _spec(folder: RunFolder) -> dict[str, Any]:
    """The spec with its defaults, or, of another version, the tables as they stand."""
    try:
        return spec_tree(read_spec(folder.spec_path))
    except UserError:
        pass
    with contextlib.suppress(OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return tomllib.loads(folder.spec_path.read_text(encoding=ENCODING))
    return {}
