"""How quickly does Home open, and answer its filter, with a thousand runs?

    python benchmarks/many_runs.py [--runs 1000] [--rounds 3] [--json FILE]

Makes runs as workers leave them: fine-tuning on four bases of 80 to 100 layers with weights, a
freeze check after each of 20 epochs, some of them stopped, failed, tagged or noted. Measures, with
the cache of ended runs empty and then filled:

- the app in a pseudo-terminal of 120 x 40, from the start of its process until the first runs and
  until the number of all of them are drawn; and, for comparison, in a workspace without runs;
- each letter typed into the filter, until the runs that match are shown and drawn;
- `workbench runs --json --filter`, from the start of its process to its end.

Prints a markdown table of medians. The files have just been written, so they are in the page cache.
"""

import asyncio
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from statistics import median
from unittest.mock import patch

from pseudo_terminal import PseudoTerminal, workbench
from side_by_side import markdown, parser, seconds
from textual.widgets import Input

from workbench.app.run_query import parse_query, select
from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import Stage, layer_rows, plan_stages
from workbench.experiment.presets import preset_tree
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.annotations import add_note, write_tags
from workbench.runs.event_log import EventWriter
from workbench.runs.events import (
    CheckedLayer,
    CheckpointSaved,
    DataReady,
    EpochFinished,
    Evaluated,
    GpuChosen,
    Launched,
    LayersChecked,
    PlannedLayer,
    Preparing,
    RunFailed,
    RunFinished,
    RunStopped,
    StageFinished,
    StageStarted,
    StepSpread,
    ValidationConfusion,
    WorkerStarted,
)
from workbench.runs.folder import create_run
from workbench.runs.freeze_check import FROZEN, TRAINS
from workbench.runs.lock import this_host
from workbench.ui.app import WorkbenchApp
from workbench.ui.home.table import RunTable
from workbench.ui.routes import postpone_collections

BASES = ("mobilenetv3-small", "xception", "efficientnet-lite0", "resnet50v2")
DATA = ("roses", "birds", "leaves", "street-signs")
EPOCHS = 20
FACTS = DataFacts((240, 320), False, 3, 5, 3670, 633, False)
LABELS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
QUERY = "xception"  # typed letter by letter
COMMAND_QUERY = "acc>0.85 base:xception -state:failed"
PATIENCE = 120.0  # seconds
SIZE = (120, 40)  # columns and rows


# The runs


def made(workspace: Workspace, count: int) -> None:
    """Make so many runs; nothing of them needs to be on the disk before the next is made."""
    specs = [
        parse_spec(preset_tree("fine-tuning", f"/photos/{data}", FACTS, base, "imagenet"), data)
        for data, base in zip(DATA, BASES, strict=True)
    ]
    texts = [dump_spec(spec) for spec in specs]
    draws = Random(1)
    with patch("os.fsync", lambda descriptor: None):
        for number in range(count):
            kind = number % len(specs)
            write_run(workspace, specs[kind], texts[kind], DATA[kind], draws)


def write_run(
    workspace: Workspace, spec: ExperimentSpec, text: str, data: str, draws: Random
) -> None:
    """Write a run to its end, which is not always a good one."""
    folder = create_run(workspace, text, None, data)
    events = EventWriter(folder.events_path)
    events.write(Launched(argv=("workbench", "train", "spec.toml"), **this_host()))
    events.write(WorkerStarted(pid=4321, backend="tensorflow", keras="3.15.1", **this_host()))
    events.write(GpuChosen(asked="auto"))
    events.write(Preparing(phase="scan"))
    images = {"train": 2569, "validation": 550, "test": 551}
    events.write(DataReady(name=data, images=images, labels=LABELS))
    skill = draws.uniform(0.7, 0.98)
    end = draws.choice(("finished",) * 8 + ("stopped", "failed"))
    for stage in plan_stages(spec):
        last = stage.epochs if end == "finished" else min(stage.epochs, draws.randint(1, EPOCHS))
        for event in stage_events(spec, stage, last, skill):
            events.write(event)
    if end == "stopped":
        events.write(RunStopped(stage=1, epoch=last + 1, step=0))
    elif end == "failed":
        events.write(RunFailed(kind="memory", message="out of memory", stage=1, epoch=last))
    else:
        interval = (skill - 0.03, skill + 0.02)
        events.write(
            Evaluated(split="test", loss=0.4, accuracy=skill, interval=interval, images=551)
        )
        events.write(RunFinished(seconds=654.3))
    if draws.random() < 0.2:
        write_tags(folder, draws.sample(("night", "good", "paper", "again"), 2))
    if draws.random() < 0.1:
        add_note(folder, "the labels of the last folder were wrong")


def stage_events(
    spec: ExperimentSpec, stage: Stage, last: int, skill: float
) -> Iterator[StageStarted | EpochFinished | LayersChecked | CheckpointSaved | StageFinished]:
    """Yield the events of a stage up to an epoch."""
    rows = layer_rows(spec, len(LABELS))
    layers = [
        PlannedLayer(
            name=row.name,
            kind=row.kind,
            output_shape=row.output_shape,
            parameters=row.parameters,
            block=row.block,
            requested=TRAINS if stage.trains(row.name) else FROZEN,
        )
        for row in rows
    ]
    yield StageStarted(
        stage=stage.index,
        name=stage.name,
        kind=stage.kind,
        epochs=stage.epochs,
        steps=81,
        batch_size=32,
        optimizer=stage.optimizer,
        learning_rate=stage.learning_rate,
        parameters=sum(row.parameters for row in rows),
        layers=tuple(layers),
        precision="float32",
        device="CPU",
        prefix=stage.prefix,
        cached=stage.cached,
    )
    for epoch in range(1, last + 1):
        accuracy = skill - 0.4 / (epoch + stage.index * 4)
        yield EpochFinished(
            stage=stage.index,
            epoch=epoch,
            loss=1.1 - accuracy,
            accuracy=accuracy,
            val_loss=1.15 - accuracy,
            val_accuracy=accuracy - 0.01,
            val_confusion=ValidationConfusion(
                counts=tuple(tuple(90 * (a == b) + 10 for a in LABELS) for b in LABELS)
            ),
            step_losses=StepSpread(low=0.8 - accuracy, median=1.1 - accuracy, high=1.5 - accuracy),
            learning_rate=3e-4,
            seconds=31.4159,
            best=True,
        )
        checked = [
            CheckedLayer(
                name=layer.name,
                requested=layer.requested,
                compiled=layer.requested,
                moved=0.0123456 * epoch if layer.requested == TRAINS else 0.0,
            )
            for layer in layers
            if layer.parameters
        ]
        yield LayersChecked(stage=stage.index, epoch=epoch, layers=tuple(checked))
        yield CheckpointSaved(stage=stage.index, epoch=epoch + 1, step=0)
    if last == stage.epochs:
        yield StageFinished(
            stage=stage.index, reason="all epochs", best_epoch=last, kept_epoch=last
        )


# What is measured


def opened_without_runs(scratch: Path) -> float:
    """Return the seconds from the start of the app until it has drawn that there are no runs."""
    columns, rows = SIZE
    started = time.perf_counter()
    with PseudoTerminal(workbench(scratch / "empty"), rows=rows, columns=columns) as terminal:
        terminal.read_until("0 runs", PATIENCE)
        return time.perf_counter() - started


def opened(workspace: Workspace, count: int, cache: Path) -> tuple[float, float]:
    """Return the seconds from the start of the app until it has drawn a run, and all of them."""
    columns, rows = SIZE
    started = time.perf_counter()
    with PseudoTerminal(
        workbench(workspace.root), rows=rows, columns=columns, XDG_CACHE_HOME=str(cache)
    ) as terminal:
        terminal.read_until(DATA[(count - 1) % len(DATA)] + "-", PATIENCE)
        first = time.perf_counter() - started
        terminal.read_until(f"{count:,} runs", PATIENCE)
        every = time.perf_counter() - started
        while not list(cache.rglob("runs-*.jsonl")):  # what ended runs said is kept after that
            terminal.read_for(0.1)
        return first, every


async def letters(workspace: Workspace, count: int) -> dict[str, float]:
    """Return the seconds from each letter of `QUERY` until what matches is drawn."""
    app = WorkbenchApp(workspace)
    postpone_collections()  # as the app in a terminal does
    taken = {}
    async with app.run_test(size=SIZE) as pilot:
        await holds(lambda: len(app.runs) == count and app.screen.query_one(RunTable).names)
        await pilot.press("slash")
        for end in range(1, len(QUERY) + 1):
            await asyncio.sleep(0.3)  # as a person types
            taken[QUERY[:end]] = await letter(app, QUERY[end - 1])
    return taken


async def letter(app: WorkbenchApp, key: str) -> float:
    """Type a letter; return the seconds until the screen with its effect was drawn."""
    table = app.screen.query_one(RunTable)
    wanted = app.screen.query_one("#filter", Input).value + key
    matching = [view.key for view in select(app.runs, parse_query(wanted))]
    drawn = asyncio.Event()
    started = time.perf_counter()
    app.simulate_key(key)
    await holds(lambda: table.names == matching)
    table.call_after_refresh(drawn.set)
    await drawn.wait()
    return time.perf_counter() - started


async def holds(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    while not condition():
        await asyncio.sleep(0.001)


def listed(workspace: Workspace, cache: Path) -> float:
    """Return the seconds of `workbench runs` with a filter."""
    command = workbench(workspace.root, "runs", "--json", "--filter", COMMAND_QUERY)
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return seconds(
        lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True, env=environment)
    )


def measured(workspace: Workspace, count: int, scratch: Path) -> dict[str, list[float]]:
    """Return seconds by what was measured: once with an empty cache, once with a filled one."""
    found = {"Home without runs": [opened_without_runs(scratch) for _ in range(2)]}
    with tempfile.TemporaryDirectory(dir=scratch) as cache:
        both = [opened(workspace, count, Path(cache)) for _ in range(2)]
    found["Home, the first runs"] = [first for first, _ in both]
    found["Home, all runs"] = [every for _, every in both]
    with tempfile.TemporaryDirectory(dir=scratch) as cache:
        found["`workbench runs --json --filter`"] = [
            listed(workspace, Path(cache)) for _ in range(2)
        ]
    return found


def main() -> None:
    """Make the runs, measure and print."""
    options = parser(__doc__, rounds=3)
    options.add_argument("--runs", type=int, default=1000)
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scratch, workspace = Path(folder), Workspace(Path(folder, "workspace"))
        os.environ["XDG_CACHE_HOME"] = str(scratch / "cache")  # nothing stays in the person's own
        made(workspace, given.runs)
        rounds = [measured(workspace, given.runs, scratch) for _ in range(given.rounds)]
        typed = [asyncio.run(letters(workspace, given.runs)) for _ in range(given.rounds)]
    rows = [
        [work, *(f"{median(one[work][at] for one in rounds):.2f}" for at in range(2))]
        for work in rounds[0]
    ]
    for query in typed[0]:
        taken = f"{median(one[query] for one in typed):.3f}"
        rows.append([f"the last letter of the filter `{query}`", "-", taken])
    print(markdown((f"{given.runs:,} runs", "the first time (s)", "again (s)"), rows))
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
