"""Mirror runs into a tracker: read what is new, send it, note what was sent.

The run's worker is not involved: its folder is read, and one small file in `mirrors/` beside the
log says what was sent, so that a mirror that is started again continues. Errors of a tracker are
reported and tried again; they end the mirror at last, never a run.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.runs.lock import RunLocked, take_lock
from workbench.runs.watch import RUNNING, RunWatch
from workbench.text import format_seconds, plural, safe_text
from workbench.trackers.tracker import Destination, Tracker, make_tracker
from workbench.trackers.update import Sent, make_update

POLL_SECONDS = 1.0
MAX_WAIT = 60.0  # between two tries
MAX_TRIES = 5  # in a row, once the run has ended
Report = Callable[[str], None]


@dataclass(frozen=True)
class MirrorResult:
    """What a mirror did with a run.

    Attributes:
        run: its name.
        to: name of the tracker.
        place: where a person finds it.
        state: phase of the run.
        epochs: finished epochs that were sent now.
        error: why it was given up; "" if all was sent.
    """

    run: str
    to: str
    place: str
    state: str
    epochs: int
    error: str


class TrackedRun:
    """A run, its tracker, and what the tracker has been sent.

    Args:
        folder: of the run.
        destination: the tracker, and where it puts runs.
        artifacts: whether model and results are sent, too.
        report: called with a line for a person.

    Raises:
        UserError: the tracker's library is missing, or another mirror does the same.
    """

    def __init__(
        self, folder: RunFolder, destination: Destination, artifacts: bool, report: Report
    ) -> None:
        self.folder = folder
        self.destination = destination
        self.watch = RunWatch(folder)
        self.epochs = 0
        self.error = ""
        self.tries = 0
        self._artifacts = artifacts
        self._report = report
        self._tracker: Tracker = make_tracker(folder.name, destination)
        self._is_open = False
        self._next_try = 0.0
        self._path = sent_path(folder, destination)
        self._path.parent.mkdir(exist_ok=True)
        try:
            self._lock = take_lock(self._path.with_suffix(".lock"))
        except RunLocked:
            raise UserError(
                tr(
                    "Another mirror sends {run} to {place}.",
                    run=safe_text(folder.name),
                    place=safe_text(destination.place, 1000),
                )
            ) from None
        self._sent = read_sent(self._path)

    @property
    def running(self) -> bool:
        """Whether its worker lives, even if it waits."""
        return self.watch.state.phase in RUNNING

    @property
    def result(self) -> MirrorResult:
        """What was done so far."""
        return MirrorResult(
            self.folder.name, self.destination.to, self._tracker.place,
            self.watch.state.phase, self.epochs, self.error,
        )  # fmt: skip

    def step(self) -> bool:
        """Read what is new and send it; return True if nothing waits to be sent."""
        self.watch.poll()
        while self.watch.more:
            self.watch.poll()
        if time.monotonic() < self._next_try:
            return False
        try:
            self._send()
        except Exception as problem:  # of the tracker's library, whatever it raises
            self.tries += 1
            wait = min(2.0 ** (self.tries - 1), MAX_WAIT)
            self._next_try = time.monotonic() + wait
            self._note(problem, wait)
            return False
        self.tries, self.error = 0, ""
        return True

    def close(self) -> None:
        """Send what is still waiting, and let another mirror begin."""
        try:
            if self._is_open:
                self._tracker.close()
        except Exception as problem:
            self._note(problem)
        finally:
            os.close(self._lock)

    def _send(self) -> None:
        if not self._is_open:
            if not self._tracker.open(self._sent.own):
                self._sent = Sent()
            self._is_open = True
        history, phase = self.watch.history, self.watch.state.phase
        update = make_update(history, self.watch.spec, phase, self._sent)
        files = {} if self.running or not self._artifacts else self._new_files()
        if not update and not files:
            return
        self._tracker.send(update, files)
        update.after(self._sent)
        self._sent.artifacts += files
        self._sent.own = self._tracker.own
        self.epochs += len(update.epochs)
        write_atomic(self._path, json.dumps(asdict(self._sent), indent=1))

    def _new_files(self) -> dict[str, Path]:
        paths = (self.folder.model_path, self.folder.results_path)
        return {p.name: p for p in paths if p.is_file() and p.name not in self._sent.artifacts}

    def _note(self, problem: Exception, wait: float | None = None) -> None:
        self.error = safe_text(str(problem).strip().partition("\n")[0] or type(problem).__name__)
        again = tr(" Next try in {wait}.", wait=format_seconds(wait)) if wait else ""
        self._report(
            tr(
                "{run}: {tracker} failed: {why}.{again}",
                run=safe_text(self.folder.name),
                tracker=self.destination.to,
                why=self.error.rstrip("."),
                again=again,
            )
        )


def sent_path(folder: RunFolder, destination: Destination) -> Path:
    """Return the file that says what was sent: one for each tracker, place and project."""
    where = f"{destination.place}\n{destination.project}".encode("utf-8", "surrogateescape")
    return folder.mirrors / f"{destination.to}-{hashlib.sha256(where).hexdigest()[:8]}.json"


def read_sent(path: Path) -> Sent:
    """Return what was sent; nothing if the file is missing or damaged."""
    try:
        return Sent(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return Sent()


def mirror_runs(
    find: Callable[[], Iterable[RunFolder]],
    destination: Destination,
    follow: bool | None = None,
    artifacts: bool = False,
    report: Report = lambda line: None,
) -> list[MirrorResult]:
    """Mirror runs until they have ended.

    Args:
        find: returns the runs; asked again at every poll, so new ones are found.
        destination: the tracker, and where it puts runs.
        follow: True until all have finished, runs that are stopped included, False not at all,
            None as long as one is running.
        artifacts: whether model and results are sent, too.
        report: called with a line for a person.

    Raises:
        UserError: the tracker's library is missing, or another mirror does the same.
    """
    runs: dict[Path, TrackedRun] = {}
    try:
        while True:
            for folder in find():
                if folder.path not in runs:
                    runs[folder.path] = TrackedRun(folder, destination, artifacts, report)
            open_ends = [one for one in runs.values() if not _is_done(one, follow)]
            if not open_ends:
                return [one.result for one in runs.values()]
            time.sleep(POLL_SECONDS)
    finally:
        for run in runs.values():
            run.close()


def _is_done(run: TrackedRun, follow: bool | None) -> bool:
    """Send what is new; return True if that was the last, or the tracker failed too often."""
    all_sent = run.step()
    waits = run.running if follow is None else follow and run.watch.state.phase != "finished"
    return not waits and (all_sent or run.tries >= MAX_TRIES)


def describe_result(result: MirrorResult) -> str:
    """Describe what a mirror did with a run."""
    run = safe_text(result.run)
    if result.error:
        return tr("{run}: given up. {error}", run=run, error=result.error)
    return tr(
        "{run} is {state}; {epochs} sent now: {place}",
        run=run,
        state=result.state,
        epochs=plural(result.epochs, "epoch"),
        place=safe_text(result.place, 1000),
    )
