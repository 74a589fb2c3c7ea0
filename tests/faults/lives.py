"""A workspace with images, runs in it, and the lives of their workers."""

import hashlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from moments import STRIKES
from patience import wait_until
from PIL import Image
from specs import IMAGES_OF_A_CLASS, SPECS

from workbench.paths import Workspace
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import launch
from workbench.runs.process import WORKER_MODULE
from workbench.runs.reader import read_events
from workbench.runs.state import summarise

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Life:
    """A worker's life that is over.

    Attributes:
        ends: the run's state; for a failure its kind too, as in "failed disk".
        told: all that the run has told people in this life.
        strikes: how many faults have struck the run so far.
    """

    ends: str
    told: str
    strikes: int


def make_photos(folder: Path) -> None:
    """Two classes that overlap, so that there is something to learn for several epochs."""
    rng = np.random.default_rng(1)
    for label, level in (("dark", 90), ("light", 150)):
        (folder / label).mkdir(parents=True)
        for number in range(IMAGES_OF_A_CLASS):
            pixels = rng.integers(level - 90, level + 90, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{label}-{number}.png")


def prints(folder: Path) -> dict[str, tuple[int, str]]:
    """Time of change and hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def new_run(workspace: Path, spec: str, name: str = "run") -> RunFolder:
    """A run of one of the specs on the workspace's photos."""
    text = SPECS[spec].format(photos=workspace / "photos")
    return create_run(Workspace(workspace), text, name=name, stem=name)


def live(
    run: RunFolder, resume: bool = False, fault: str | None = None, moment: str | None = None
) -> Life:
    """A worker's life from its start to its end."""
    before = len(_events(run))
    return wait_for_end(run, begin(run, resume, fault, moment), before)


def begin(
    run: RunFolder, resume: bool = False, fault: str | None = None, moment: str | None = None
) -> int:
    """Starts a worker; gives its process id. Without a fault it is the plain one."""
    environment = {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), str(HERE.parents[1])])
    }
    if fault is None or moment is None:
        return launch(run, resume, environment=environment, module=WORKER_MODULE)
    environment |= {"FAULT": fault, "MOMENT": moment}
    return launch(run, resume, environment=environment, module="faulty_worker")


def wait_for_end(run: RunFolder, pid: int, before: int = 0) -> Life:
    """Waits until a worker is gone.

    Args:
        before: how many events there were before its life.
    """
    try:
        wait_until(lambda: not lives(pid))
    except AssertionError:
        os.kill(pid, signal.SIGABRT)  # faulthandler tells in worker.log where it was
        raise
    events = _events(run)[before:]
    state = summarise(run).state
    kind = f" {events[-1].get('kind')}" if state.word == "failed" else ""
    told = " ".join(str(event.get(part, "")) for event in events for part in ("message", "hint"))
    return Life(state.word + kind, told, printed(run).count(STRIKES))


def printed(run: RunFolder) -> str:
    """All that the run's workers printed, wherever its folder is now."""
    for folder in (run, RunFolder(run.path.parent.parent / "away")):
        if folder.log_path.exists():
            return folder.log_path.read_text(errors="replace")
    return ""


def _events(run: RunFolder) -> list[Event]:
    return read_events(run.events_path)


def lives(pid: int) -> bool:
    """Whether there is still such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
