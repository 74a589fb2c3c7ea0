"""The state of a scan is read from the end of its log."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from workbench.app.scan_job import ScanJob, ScanStatus
from workbench.datasets.inspect_job import Inspection
from workbench.experiment.presets import BOOK_FACTS
from workbench.paths import Workspace
from workbench.runs.lock import take_lock

STARTED: dict[str, Any] = {"event": "started", "pid": 4711}
FOUND = Inspection(Path("/data/pets"), "class folders", BOOK_FACTS, {"cats": (Path("/cats/1"),)})
RESULT: dict[str, Any] = {"event": "result", **FOUND.to_event()}


def progress(done: int) -> dict[str, Any]:
    return {"event": "progress", "phase": "scan", "done": done, "total": 50_000}


@pytest.fixture
def job(tmp_path: Path) -> ScanJob:
    """A job whose events a test writes."""
    made = ScanJob(Workspace(tmp_path), tmp_path / "pets")
    made.folder.mkdir(parents=True)
    return made


def write(job: ScanJob, *events: dict[str, Any], torn: str = "") -> None:
    job.events.write_text("".join(json.dumps(event) + "\n" for event in events) + torn)


@contextmanager
def running(job: ScanJob) -> Iterator[None]:
    """Hold the lock as a running process does."""
    descriptor = take_lock(job.folder / "scan.lock")
    yield
    os.close(descriptor)


def test_the_newest_progress_is_read_and_a_torn_line_is_not(job: ScanJob) -> None:
    write(job, STARTED, *(progress(n) for n in range(5000)), torn='{"event": "progress", "do')
    with running(job):
        assert job.poll() == ScanStatus("running", "scan", 4999, 50_000)


def test_before_any_progress_it_has_started(job: ScanJob) -> None:
    write(job, STARTED)
    with running(job):
        assert job.poll() == ScanStatus("running", "start", 0, 0)


def test_a_result_is_found_behind_the_progress(job: ScanJob) -> None:
    write(job, STARTED, progress(50_000), RESULT)
    assert job.poll() == ScanStatus("finished", inspection=FOUND)


def test_a_result_of_another_format_is_none(job: ScanJob) -> None:
    write(job, STARTED, progress(50_000), {"event": "result", "folder": "/x"})
    assert job.poll() == ScanStatus("ended")


def test_a_failure_is_shown_with_its_hint(job: ScanJob) -> None:
    write(job, STARTED, progress(7), {"event": "failed", "message": "No.", "hint": "Do this."})
    assert job.poll() == ScanStatus("failed", message="No.\nDo this.")


def test_without_events_and_process_there_is_no_scan(job: ScanJob) -> None:
    assert job.poll() == ScanStatus("none")
