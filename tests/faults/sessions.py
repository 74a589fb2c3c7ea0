"""A workspace with images, its runs, and the sessions of their workers."""

import hashlib
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from moments import STRIKES
from PIL import Image
from specs import IMAGES_OF_A_CLASS, SPECS
from waiting import wait_until

from workbench.paths import Workspace
from workbench.runs.event_log import read_events
from workbench.runs.events import Event
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.launch import launch
from workbench.runs.process import WORKER_MODULE
from workbench.runs.summary import summarize

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Session:
    """A worker's session that has ended.

    Attributes:
        ends: the run's state; for a failure its kind too, as in "failed disk".
        messages: of the run in this session.
        strikes: how many faults have struck the run so far.
    """

    ends: str
    messages: str
    strikes: int


def make_photos(folder: Path) -> None:
    """Create two classes that overlap, so that training takes several epochs."""
    rng = np.random.default_rng(1)
    for label, level in (("dark", 90), ("light", 150)):
        (folder / label).mkdir(parents=True)
        for number in range(IMAGES_OF_A_CLASS):
            pixels = rng.integers(level - 90, level + 90, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / label / f"{label}-{number}.png")


def prints(folder: Path) -> dict[str, tuple[int, str]]:
    """Return modification time and hash of every file below a folder."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def new_run(workspace: Path, spec: str, name: str = "run") -> RunFolder:
    """Create a run of one of the specs on the workspace's photos."""
    text = SPECS[spec].format(photos=workspace / "photos")
    return create_run(Workspace(workspace), text, name=name, stem=name)


def run_session(
    run: RunFolder, resume: bool = False, fault: str | None = None, moment: str | None = None
) -> Session:
    """Run a worker from its start to its end."""
    before = len(_events(run))
    return wait_for_end(run, begin(run, resume, fault, moment), before)


def begin(
    run: RunFolder, resume: bool = False, fault: str | None = None, moment: str | None = None
) -> int:
    """Start a worker, without a fault the real one; return its process id."""
    environment = {
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), str(HERE.parents[1])])
    }
    if fault is None or moment is None:
        return launch(run, resume, environment=environment, module=WORKER_MODULE)
    environment |= {"FAULT": fault, "MOMENT": moment}
    return launch(run, resume, environment=environment, module="faulty_worker")


def wait_for_end(run: RunFolder, pid: int, before: int = 0) -> Session:
    """Wait until a worker has ended.

    Args:
        before: number of events before its session.
    """
    try:
        wait_until(lambda: not is_alive(pid))
    except AssertionError:
        os.kill(pid, signal.SIGABRT)  # faulthandler writes where it was to worker.log
        raise
    events = _events(run)[before:]
    state = summarize(run).state
    kind = f" {getattr(events[-1], 'kind', '')}" if state.phase == "failed" else ""
    messages = " ".join(
        getattr(event, part, "") for event in events for part in ("message", "hint")
    )
    return Session(state.phase + kind, messages, printed(run).count(STRIKES))


def printed(run: RunFolder) -> str:
    """Return all output of the run's workers, even if its folder was moved."""
    for folder in (run, RunFolder(run.path.parent.parent / "away")):
        if folder.log_path.exists():
            return folder.log_path.read_text(errors="replace")
    return ""


def _events(run: RunFolder) -> list[Event]:
    return read_events(run.events_path)


def is_alive(pid: int) -> bool:
    """Return True if the process still exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
