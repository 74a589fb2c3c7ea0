"""Every screen, characters and colours, against the picture that was kept, and that it fits.

A screen that was changed on purpose is kept anew with UPDATE_SNAPSHOTS=1 in the environment;
look at the pictures before they are committed.
"""

import asyncio
import contextlib
import difflib
import html
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import made_up
import numpy as np
import pytest
from draw_screens import plain
from machine_facts import GIB, gpu, healthy, process
from patience import looks
from PIL import Image
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.screen import Screen
from ui_train_runs import CONVNET, FINE_TUNING, FakeRun, finished, training

from workbench.app.draft import Draft
from workbench.app.relabel import Marking
from workbench.app.scan_job import ScanJob
from workbench.app.watch import RunFeed
from workbench.datasets import inspect_job
from workbench.datasets.manifest import write_manifest
from workbench.datasets.prepare import prepare, survey
from workbench.experiment.estimate import Speed
from workbench.experiment.toml import dump_spec
from workbench.lessons.store import keep_results
from workbench.machine import check as machine_check
from workbench.machine import live
from workbench.machine.benchmark_store import Figures
from workbench.machine.check import Report
from workbench.machine.diagnosis import diagnose
from workbench.machine.facts import Nvml
from workbench.machine.gpus import Choice
from workbench.paths import Workspace
from workbench.runs import jobs
from workbench.runs.folder import create_run
from workbench.runs.watch import RunView
from workbench.ui.analyze.screen import SurenessScreen
from workbench.ui.app import WorkbenchApp
from workbench.ui.augmentation.screen import BenchScreen
from workbench.ui.compare.curves import CompareCurvesScreen
from workbench.ui.compare.screen import CompareScreen
from workbench.ui.concepts.screen import WhyScreen
from workbench.ui.data.screen import DataScreen
from workbench.ui.export.screen import TakeHomeScreen
from workbench.ui.ladder.screen import LadderScreen
from workbench.ui.layers.step import LayersStep
from workbench.ui.lessons.screen import LearnScreen
from workbench.ui.machine.screen import MachineScreen
from workbench.ui.machine.step import MachineStep
from workbench.ui.relabel.screen import CorrectionsScreen
from workbench.ui.results.screen import ResultsScreen
from workbench.ui.strategy import screen as strategy
from workbench.ui.strategy.screen import StrategyScreen
from workbench.ui.train.screen import TrainScreen
from workbench.ui.tune.lr_find import FindRateScreen
from workbench.ui.tune.screen import SearchScreen
from workbench.ui.tune.trial import TuneScreen
from workbench.ui.widgets.key_line import KeyLine

KEPT = Path(__file__).parent / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS"
HINT = f"Meant to be so? {UPDATE}=1 python -m pytest tests/ui/test_snapshots.py"
SIZES = ((80, 24), (120, 40))
MOMENT, CALM = 0.03, 5  # seconds; still for so many looks is settled
NOW = 1_772_445_600.0
HOUR, DAY = 3600.0, 86400.0
RUNNING = "1 at work"
CARD = gpu(memory_used=100 * GIB, utilization=72, temperature=58, processes=(process(),))
FIGURES = Figures(
    device="CPU", kind="cpu", precision="float32", jit=False,
    speed=Speed(forward_flops=2e11, training_flops=1.5e11, forward_bytes=1e9, training_bytes=8e8,
                forward_step=0.002, training_step=0.005, update=2e-9),
)  # fmt: skip
# A piece of text in a picture, whose cells are 12.2 by 24.4.
PIECE = re.compile(r'<text class="[^"]+-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>')
CELL_WIDTH, CELL_HEIGHT = 12.2, 24.4
CONFUSION = [[46, 3, 1], [4, 41, 5], [0, 9, 41]]
LABELS = ["cat", "dog", "fox"]

Opener = Callable[[Draft], Screen[Any] | None]


class Clock:
    """The time of day; it stands still."""

    now = NOW


@dataclass(frozen=True)
class Case:
    """A screen to look at.

    Attributes:
        open: makes the screen, None for home.
        words: all of them are there once the screen is drawn.
        key: pressed then; "" for none.
        more: what is there afterwards.
        asks: how many questions its words ask.
    """

    open: Opener
    words: tuple[str, ...]
    key: str = ""
    more: tuple[str, ...] = ()
    utf8: bool = True
    asks: int = 0


def _layers(draft: Draft) -> Screen[Any]:
    tuned = replace(draft, preset="fine-tuning")
    tuned.settle("strategy")
    return LayersStep(tuned, tuned.spec(), FIGURES, lambda spec: None)


def _bench(draft: Draft) -> BenchScreen:
    return BenchScreen(replace(draft, preset="convnet-augmented"))


def _home(draft: Draft) -> None:
    return None


def _ladder(draft: Draft) -> Screen[Any]:
    presets = ("convnet", "convnet-augmented", "feature-extraction", "fine-tuning")
    rungs = [{"preset": p, "run": f"cats-dogs-{11 - at}"} for at, p in enumerate(presets[:3])]
    rungs.append({"preset": presets[3], "run": "cats-dogs-12"})
    record = draft.workspace.runs / "cats-dogs.ladder.json"
    record.write_text(json.dumps({"format": 1, "rungs": rungs}), encoding="ascii")
    return LadderScreen("cats-dogs")


def _train(name: str) -> Opener:
    return lambda draft: TrainScreen(name)


def _curves(draft: Draft) -> Screen[Any]:
    return CompareCurvesScreen(("cats-dogs-12", "cats-dogs-11", "cats-dogs-10"))


def _learn(draft: Draft) -> Screen[Any]:
    """Of one experiment there are results."""
    keep_results(draft.workspace, made_up.results("translation", made_up.EXAMPLES["translation"]))
    return LearnScreen()


def _tuner(kind: type[TuneScreen], preset: str) -> Opener:
    def opened(draft: Draft) -> Screen[Any]:
        chosen = replace(draft, preset=preset)
        return kind(chosen, chosen.spec(), FIGURES, lambda settings: None)

    return opened


def tried(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
    """What a worker finds in no time: a curve, or four trials."""
    if job == "find-rate":
        flat = [2.3 + 0.05 * (-1) ** step for step in range(50)]
        return {"losses": [*flat, *(2.3 - 0.05 * step for step in range(36)), 0.9, 1.6]}
    for number, accuracy in enumerate((0.81, 0.86, None, 0.79), start=1):
        candidate = {"dense_units": [64] * (number % 3), "dropout": 0.2, "learning_rate": 0.002}
        figures = {"epoch": 7, "accuracy": accuracy, "loss": accuracy and 0.4, "seconds": 1.0}
        told = {"event": "trial", "images": 90, "number": number, "candidate": candidate}
        on_event({**told, **figures})
    return {}


def _sureness(draft: Draft) -> Screen[Any]:
    _corrections(draft)
    return SurenessScreen(_view(draft, "pets-1"))


def _corrections(draft: Draft) -> Screen[Any]:
    """A run that takes each test image for the other label; one of them was set right."""
    workspace, spec = draft.workspace, replace(draft, preset="convnet").spec()
    run = create_run(workspace, dump_spec(spec), "pets-1", "")
    rows = prepare(spec.data, workspace).rows
    write_manifest(run.manifest_path, rows)
    lines = ["path,label,predicted,cats,dogs"]
    for at, row in enumerate(row for row in rows if row.split == "test"):
        sure = 0.99 - 0.1 * at
        said, cats = ("dogs", 1 - sure) if row.label == "cats" else ("cats", sure)
        lines.append(f"{row.path},{row.label},{said},{cats:.2f},{1 - cats:.2f}")
    run.predictions_path.write_text("\n".join(lines))
    marking = Marking(workspace, run)
    marking.mark(marking.find([lines[2].split(",")[0]]), lines[2].split(",")[2])
    return CorrectionsScreen("pets-1")


def _take_home(draft: Draft) -> Screen[Any]:
    return TakeHomeScreen(_view(draft, "cats-dogs-11"), Path("/home/ada"))


def _view(draft: Draft, name: str) -> RunView:
    feed = RunFeed(draft.workspace, lambda runs: None)
    feed.look()
    [view] = [view for view in feed.views() if view.name == name]
    return view


HOME = (RUNNING, "epoch 17 of 30")
TRAINING = ("val 0.", "saved 40 s ago")
CASES = {
    "home": Case(_home, HOME),
    "home-ascii": Case(_home, HOME, utf8=False),
    "machine": Case(lambda draft: MachineScreen(), ("just now", "alice python")),
    "machine-step": Case(MachineStep, ("alice python", "n Next: data")),
    # Another class: the first pictures are drawn before their place has its size.
    "data": Case(DataScreen, ("cat-0.bmp",), key="down", more=("dog-0.bmp",)),
    "bench": Case(_bench, ("views 1 to 8", "▀▀▀▀")),
    "strategy": Case(StrategyScreen, ("on the CPU",)),
    "find-rate": Case(_tuner(FindRateScreen, "convnet"), ("now 0.0005",), "enter", ("loss over",)),
    "search": Case(
        _tuner(SearchScreen, "feature-extraction"),
        ("heads train on them",),
        "enter",
        ("optimistic",),
    ),
    "layers": Case(_layers, ("prefix",)),
    "train": Case(_train("cats-dogs-12"), TRAINING),
    "train-ascii": Case(_train("cats-dogs-12"), TRAINING, utf8=False),
    "train-finished": Case(_train("cats-dogs-11"), ("Finished.",)),
    "train-stopped": Case(_train("cats-dogs-10"), ("Stopped.",)),
    "train-failed": Case(_train("cats-dogs-9"), ("Failed.",)),
    "ladder": Case(_ladder, ("26/40", "1 of 4 rungs")),
    "results": Case(lambda draft: ResultsScreen("cats-dogs-11"), ("true label in rows",)),
    "compare": Case(lambda draft: CompareScreen(("cats-dogs-12", "cats-dogs-11")), ("strategy",)),
    "compare-curves": Case(_curves, ("validation loss", "cats-dogs-10")),
    "corrections": Case(_corrections, ("1 image corrected", "▀▀▀▀")),
    "sureness": Case(_sureness, ("threshold 0.5",)),
    "take-home": Case(_take_home, ("One HTML page",)),
    "learn": Case(_learn, ("Seen here.", "enter tries translation"), asks=1),
    "why": Case(lambda draft: WhyScreen(("border-effect",)), ("place 1",)),
}


# The workspace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """What everything takes for the time of day, in Greenwich."""
    shown = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        monkeypatch.setattr(time, "time", lambda: shown.now)
        yield shown
    time.tzset()


@pytest.fixture(autouse=True)
def _made_up_box(monkeypatch: pytest.MonkeyPatch) -> None:
    """No driver is asked, and nothing is measured."""
    facts = healthy(nvml=Nvml(driver="570.133.20", cuda=(12, 8), gpus=(CARD,)))
    report = Report(facts, diagnose(facts), {}, 3.2)
    monkeypatch.setattr(machine_check, "check", lambda workspace, **options: report)
    monkeypatch.setattr(live, "gauges", still_gauges)
    monkeypatch.setattr(strategy, "look_at_gpus", Choice)
    monkeypatch.setattr(jobs, "run_job", tried)
    monkeypatch.setattr(strategy.Shelf, "load", lambda self: FIGURES)


def still_gauges(*, patience: float) -> Iterator[live.Gauges]:
    """A look that is the same each time."""
    box = {"cpu": 37.0, "memory_used": 56 * GIB, "memory_total": 256 * GIB}
    while True:
        yield live.Gauges(box, Nvml(gpus=(CARD,)))
        time.sleep(0.2)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Workspace]:
    """Four runs: one at work, the others long over. Its name is the same wherever it lies."""
    monkeypatch.chdir(tmp_path)
    made = Workspace(Path("photos"))
    clock.now = NOW - 3 * DAY
    _failed(made)
    clock.now = NOW - 2 * DAY
    _stopped(made)
    clock.now = NOW - 5 * HOUR
    _measured(finished(made))
    clock.now = NOW
    with training(made) as run:
        os.utime(run.folder.checkpoints / "last.npz", (NOW - 40, NOW - 40))
        yield made


def _failed(workspace: Workspace) -> None:
    run = FakeRun(workspace, "cats-dogs-9", CONVNET.format(epochs=30))
    run.data()
    run.stage(0, "train all", 30)
    run.epochs(0, 3)
    run.tell(
        "failed", kind="user", message="The GPU has no room for batches of 1,024 images.",
        hint="Set training.batch_size=512 or less.",
    )  # fmt: skip


def _stopped(workspace: Workspace) -> None:
    run = FakeRun(workspace, "cats-dogs-10", FINE_TUNING.format(head=10, epochs=30))
    run.data()
    run.stage(0, "head first", 10)
    run.epochs(0, 8)
    run.checkpoint(0, 9)
    run.tell("stopped", stage=0, epoch=9, step=0)


def _measured(run: FakeRun) -> None:
    right, images = sum(row[i] for i, row in enumerate(CONFUSION)), sum(map(sum, CONFUSION))
    classes = [
        {"label": label, "images": sum(row), "precision": 0.9, "recall": row[i] / sum(row)}
        for i, (label, row) in enumerate(zip(LABELS, CONFUSION, strict=True))
    ]
    told = {
        "format": 1, "split": "test", "images": images, "loss": 0.3, "accuracy": right / images,
        "interval": [0.79, 0.90], "labels": LABELS, "confusion": CONFUSION, "classes": classes,
        "worst": [],
    }  # fmt: skip
    run.folder.results_path.write_text(json.dumps(told), encoding="ascii")


@pytest.fixture
def draft(workspace: Workspace, tmp_path: Path) -> Draft:
    """An experiment whose images were scanned."""
    source = tmp_path / "pets"
    for number, label in enumerate(("cats", "dogs")):
        (source / label).mkdir(parents=True)
        for seed in range(12 - 2 * number):
            _picture(source / label / f"{label[:-1]}-{seed}.bmp", 100 * number + seed)
    (source / "cats" / "twin.bmp").write_bytes((source / "cats" / "cat-3.bmp").read_bytes())
    job = ScanJob(workspace, source)
    job.folder.mkdir(parents=True)
    with job.events.open("w", encoding="ascii") as events, contextlib.redirect_stdout(events):
        assert inspect_job.main([str(source), str(workspace.root)]) == 0
    made = Draft(workspace)
    made.take_source(source, survey(source))
    for step in ("machine", "data"):
        made.settle(step)
    return made


def _picture(path: Path, seed: int) -> None:
    """Rough squares, in a format whose files are as large everywhere."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(rough.repeat(10, axis=0).repeat(10, axis=1)).save(path)


# Looking


def characters(app: WorkbenchApp) -> list[str]:
    """The lines of the screen as a terminal shows them."""
    return [strip.text for strip in app.screen._compositor.render_strips()]


def labels(app: WorkbenchApp) -> list[str]:
    """What the footer is to say, key by key."""
    return [key.binding.description for line in app.screen.query(KeyLine) for key in line.shown]


async def settled(app: WorkbenchApp, pilot: Pilot[Any], *words: str) -> list[str]:
    """The lines once they have these words in them and do not change any more."""
    before: list[str] = []
    calm = 0
    for _ in looks():
        await pilot.pause(MOMENT)
        lines = characters(app)
        there = all(some in "\n".join(lines) for some in words)
        calm = calm + 1 if there and lines == before else 0
        before = lines
        if calm == CALM:
            return lines
    raise AssertionError(f"{words} in vain:\n" + "\n".join(before))


@dataclass(frozen=True)
class Look:
    """A screen: its picture, its lines, and what the footer is to say."""

    picture: str
    lines: list[str]
    footer: list[str]


def look_at(case: Case, draft: Draft, size: tuple[int, int]) -> Look:
    """Opens a screen and waits until it is drawn."""

    async def scene() -> Look:
        app = WorkbenchApp(draft.workspace)
        app.utf8, app.animation_level = case.utf8, "none"
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot, RUNNING)
            if screen := case.open(draft):
                await app.push_screen(screen)
            lines = await settled(app, pilot, *case.words)
            if case.key:
                await pilot.press(case.key)
                lines = await settled(app, pilot, *case.more)
            return Look(plain(app.export_screenshot(simplify=True), "kept"), lines, labels(app))

    return asyncio.run(scene())


def characters_of(picture: str) -> list[str]:
    """The lines that can be read in a picture."""
    lines: dict[int, str] = {}
    for x, y, piece in PIECE.findall(picture):
        row, column = int(float(y) / CELL_HEIGHT), round(float(x) / CELL_WIDTH)
        lines[row] = lines.get(row, "").ljust(column) + html.unescape(piece).replace("\xa0", " ")
    return [lines[row].rstrip() for row in sorted(lines)]


def difference(kept: str, shown: str) -> list[str]:
    """What is another: the characters, else the styles."""
    before, after = characters_of(kept), characters_of(shown)
    if before == after:
        before, after = (
            kept.replace("><", ">\n<").split("\n"),
            shown.replace("><", ">\n<").split("\n"),
        )
    return list(difflib.unified_diff(before, after, "kept", "shown", lineterm="", n=1))


def compare(name: str, shown: str) -> None:
    """Fails with the difference where a screen is another than the one kept."""
    path = KEPT / f"{name}.svg"
    if os.environ.get(UPDATE) == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    if kept != shown:
        pytest.fail("\n".join([path.name, *difference(kept, shown), "", HINT]), pytrace=False)


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("name", CASES)
def test_screens_look_as_they_did(name: str, size: tuple[int, int], draft: Draft) -> None:
    look = look_at(CASES[name], draft, size)
    lines = look.lines
    compare(f"{name}-{size[0]}x{size[1]}", look.picture)
    assert CASES[name].utf8 or "".join(lines).isascii()
    assert [cell_len(line) for line in lines] == [size[0]] * size[1]
    assert lines[-1].endswith("^p Menu ")
    missing = [label for label in look.footer if label not in lines[-1]]
    assert look.footer
    assert not missing, f"cut off in the footer: {missing}\n{lines[-1]}"


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].utf8])
def test_screens_are_ascii_where_the_terminal_has_no_more(name: str, draft: Draft) -> None:
    words = tuple(filter(str.isascii, CASES[name].words))
    look = look_at(replace(CASES[name], words=words, utf8=False), draft, SIZES[0])
    assert "".join(look.lines).isascii()
    body = "".join(look.lines[1:-1])
    assert body.count("?") == CASES[name].asks  # else it stands for what has no stand-in
    assert not [label for label in look.footer if label not in look.lines[-1]]


def test_no_snapshot_is_left_over() -> None:
    known = {f"{name}-{width}x{height}.svg" for name in CASES for width, height in SIZES}
    assert {path.name for path in KEPT.iterdir()} == known
