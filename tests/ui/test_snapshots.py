"""Every screen against the text that was kept, characters and styles, and that it fits.

A screen that was changed on purpose is kept again with

    UPDATE_SNAPSHOTS=1 python -m pytest tests/ui/test_snapshots.py

Read the difference in `tests/ui/snapshots` before it is committed. Pictures of screens for the
documentation are drawn by `docs/draw_screens.py`.
"""

import asyncio
import contextlib
import difflib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from fake_ranking import ranked
from fake_runs import CONVNET, FINE_TUNING, FakeRun, finished, training
from machine_facts import GIB, gpu, healthy, process
from PIL import Image
from rich.cells import cell_len
from screen_cases import CASES, RUNNING, Case
from screen_text import lines, screen_text
from textual.pilot import Pilot
from waiting import poll

from workbench.app import jobs, label_suspects
from workbench.app.draft import Draft
from workbench.app.scan_job import ScanJob
from workbench.datasets import inspect_job
from workbench.datasets.prepare import survey
from workbench.machine import check as machine_check
from workbench.machine import live
from workbench.machine.check import MachineReport
from workbench.machine.diagnosis import diagnose
from workbench.machine.facts import Nvml
from workbench.paths import Workspace
from workbench.ui.app import WorkbenchApp
from workbench.ui.keys import KeyLine

KEPT = Path(__file__).parent / "snapshots"
UPDATE = "UPDATE_SNAPSHOTS"
HINT = f"Changed on purpose? {UPDATE}=1 python -m pytest tests/ui/test_snapshots.py"
SIZE = (80, 24)
SIZES = ((120, 40), (200, 50), (110, 32), (160, 24), (60, 20), (80, 24))  # one after another
SMALLEST = (80, 24)  # below it only a notice is shown
KEPT_WIDE = ("layers",)  # a picture on a wide terminal
MOMENT = 0.03  # seconds between two polls
CALM, BRIEF = 5, 2  # polls without a change: of what is compared; of what is seen in passing
NOW = 1_772_445_600.0
HOUR, DAY = 3600.0, 86400.0
GPU = gpu(memory_used=100 * GIB, utilization=72, temperature=58, processes=(process(),))
CONFUSION = [[46, 3, 1], [4, 41, 5], [0, 9, 41]]
LABELS = ["cat", "dog", "fox"]


class Clock:
    """A clock that stands still."""

    now = NOW


def tried(job: str, request: dict[str, Any], on_event: Any, **_: Any) -> dict[str, Any]:
    """Stands for a worker: a curve, or four trials."""
    if job == "lr-find":
        flat = [2.3 + 0.05 * (-1) ** step for step in range(50)]
        return {"losses": [*flat, *(2.3 - 0.05 * step for step in range(36)), 0.9, 1.6]}
    for number, accuracy in enumerate((0.81, 0.86, None, 0.79), start=1):
        candidate = {"dense_units": [64] * (number % 3), "dropout": 0.2, "learning_rate": 0.002}
        figures = {"epoch": 7, "accuracy": accuracy, "loss": accuracy and 0.4, "seconds": 1.0}
        record = {
            "event": "trial",
            "images": 90,
            "fingerprint": "f",
            "number": number,
            "candidate": candidate,
        }
        on_event({**record, **figures})
    return {}


# The workspace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """Stop the clock, in UTC."""
    shown = Clock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        monkeypatch.setattr(time, "time", lambda: shown.now)
        yield shown
    time.tzset()


@pytest.fixture(autouse=True)
def _fake_machine(monkeypatch: pytest.MonkeyPatch, measured_machine: None) -> None:
    """Check and sample nothing."""
    facts = healthy(nvml=Nvml(driver="570.133.20", cuda=(12, 8), gpus=(GPU,)))
    report = MachineReport(facts, diagnose(facts), {}, 3.2)
    monkeypatch.setattr(machine_check, "check", lambda workspace, **options: report)
    monkeypatch.setattr(live, "gauges", still_gauges)
    monkeypatch.setattr(jobs, "run_job", tried)
    monkeypatch.setattr(label_suspects, "run_job", ranked)


def still_gauges(*, patience: float) -> Iterator[live.Gauges]:
    """Yield the same sample each time."""
    box = {"cpu": 37.0, "memory_used": 56 * GIB, "memory_total": 256 * GIB}
    while True:
        yield live.Gauges(box, Nvml(gpus=(GPU,)))
        time.sleep(0.2)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Workspace]:
    """A workspace of four runs, one of them running; its name is the same in every folder."""
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
    run.emit(
        "failed", kind="user", message="The GPU has no room for batches of 1,024 images.",
        hint="Set training.batch_size=512 or less.",
    )  # fmt: skip


def _stopped(workspace: Workspace) -> None:
    run = FakeRun(workspace, "cats-dogs-10", FINE_TUNING.format(head=10, epochs=30))
    run.data()
    run.stage(0, "head first", 10)
    run.epochs(0, 8)
    run.checkpoint(0, 9)
    run.emit("stopped", stage=0, epoch=9, step=0)


def _measured(run: FakeRun) -> None:
    right, images = sum(row[i] for i, row in enumerate(CONFUSION)), sum(map(sum, CONFUSION))
    classes = [
        {"label": label, "images": sum(row), "precision": 0.9, "recall": row[i] / sum(row)}
        for i, (label, row) in enumerate(zip(LABELS, CONFUSION, strict=True))
    ]
    record = {
        "format": 1, "split": "test", "images": images, "loss": 0.3, "accuracy": right / images,
        "interval": [0.79, 0.90], "labels": LABELS, "confusion": CONFUSION, "classes": classes,
        "worst": [], "macro_f1": {"value": 0.8527, "interval": [0.787, 0.901]},
        "balanced_accuracy": {"value": 0.8533, "interval": [0.788, 0.901]},
        "auc": {"value": 0.9641, "interval": [0.935, 0.981]},
    }  # fmt: skip
    run.folder.results_path.write_text(json.dumps(record), encoding="ascii")


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
    made.set_source(source, survey(source))
    for step in ("machine", "data"):
        made.complete_step(step)
    return made


def _picture(path: Path, seed: int) -> None:
    """Write random squares, in a format whose files have the same size everywhere."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(rough.repeat(10, axis=0).repeat(10, axis=1)).save(path)


# Showing a screen


async def settled(
    app: WorkbenchApp, pilot: Pilot[Any], *words: str, polls: int = CALM
) -> list[str]:
    """Return the lines once they contain these words and stay the same for so many polls."""
    before: list[str] = []
    calm = 0
    for _ in poll():
        await pilot.pause(MOMENT)
        now = lines(app.screen)
        there = all(some in "\n".join(now) for some in words)
        calm = calm + 1 if there and now == before else 0
        before = now
        if calm == polls:
            return now
    raise AssertionError(f"{words} in vain:\n" + "\n".join(before))


@dataclass(frozen=True)
class Shown:
    """A screen as text, its lines, and what the footer is to show."""

    text: str
    lines: list[str]
    footer: list[str]

    @classmethod
    def of(cls, app: WorkbenchApp) -> Self:
        """Read the screen that is open."""
        footer = [key.binding.description for key in app.screen.query_one(KeyLine).shown]
        return cls(screen_text(app), lines(app.screen), footer)


def show(
    case: Case,
    draft: Draft,
    size: tuple[int, int],
    running: str = RUNNING,
    then: Sequence[tuple[int, int]] = (),
) -> list[Shown]:
    """Open a screen and wait until it is drawn.

    Args:
        case: the screen.
        draft: its experiment.
        size: of the terminal, in cells.
        running: what home shows of the runs.
        then: sizes that the terminal is given one after another.

    Returns:
        What is shown at each size.
    """

    async def scene() -> list[Shown]:
        app = WorkbenchApp(draft.workspace)
        app.utf8, app.animation_level = case.utf8, "none"
        async with app.run_test(size=size) as pilot:
            await settled(app, pilot, running)
            if case.route != "home":
                app.open(case.route, *case.arguments(draft))
            await settled(app, pilot, *case.words)
            if case.key:
                await pilot.press(case.key)
                await settled(app, pilot, *case.more)
            shown = [Shown.of(app)]
            for number, (width, height) in enumerate(then, start=1):
                await pilot.resize_terminal(width, height)
                await settled(app, pilot, polls=CALM if number == len(then) else BRIEF)
                shown.append(Shown.of(app))
            return shown

    return asyncio.run(scene())


def assert_fits(shown: Shown, size: tuple[int, int]) -> None:
    """Check that lines are as wide as the terminal and that no label of a key is cut off."""
    assert [cell_len(line) for line in shown.lines] == [size[0]] * size[1]
    missing = [label for label in shown.footer if label not in shown.lines[-1]]
    assert shown.footer
    assert not missing, f"cut off in the footer: {missing}\n{shown.lines[-1]}"


def compare(name: str, shown: str, folder: Path = KEPT, hint: str = HINT) -> None:
    """Fail with the difference if a screen is another than the one kept."""
    path = folder / f"{name}.txt"
    if os.environ.get(UPDATE) == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(shown, encoding="utf-8")
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    if kept != shown:
        before, after = kept.splitlines(), shown.splitlines()
        changed = difflib.unified_diff(before, after, "kept", "shown", lineterm="", n=1)
        pytest.fail("\n".join([path.name, *changed, "", hint]), pytrace=False)


@pytest.mark.parametrize("name", CASES)
def test_a_screen_is_as_it_was_kept_and_follows_the_terminal(name: str, draft: Draft) -> None:
    case = CASES[name]
    sizes = [case.size, *(size for size in SIZES if size != case.size), case.size]
    shown = show(case, draft, case.size, then=sizes[1:])
    compare(name, shown[0].text)
    for at, size in enumerate(sizes):
        assert case.utf8 or "".join(shown[at].lines).isascii()
        if size >= SMALLEST:
            assert_fits(shown[at], size)
            assert shown[at].lines[-1].endswith(("^p Menu ", "^p All "))
    if name in KEPT_WIDE:
        compare(f"{name}-wide", shown[sizes.index(SIZES[0])].text)
    assert shown[-1].lines == shown[0].lines


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].utf8])
def test_screens_are_ascii_where_the_terminal_has_no_more(name: str, draft: Draft) -> None:
    words = tuple(filter(str.isascii, CASES[name].words))
    [shown] = show(replace(CASES[name], words=words, utf8=False), draft, SIZE)
    assert "".join(shown.lines).isascii()
    body = "".join(shown.lines[1:-1])
    assert body.count("?") == CASES[name].asks  # else it stands for what has no substitute
    assert not [label for label in shown.footer if label not in shown.lines[-1]]


def test_no_snapshot_is_left_over() -> None:
    names = [*CASES, *(f"{name}-wide" for name in KEPT_WIDE)]
    assert {path.name for path in KEPT.iterdir()} == {f"{name}.txt" for name in names}
