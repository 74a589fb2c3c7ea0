"""How a scan stands is read from the end of what its process tells."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from workbench.app.scan_job import ScanJob, ScanLook
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
    """A job whose process tells what a test writes."""
    made = ScanJob(Workspace(tmp_path), tmp_path / "pets")
    made.folder.mkdir(parents=True)
    return made


def tells(job: ScanJob, *events: dict[str, Any], torn: str = "") -> None:
    job.events.write_text("".join(json.dumps(event) + "\n" for event in events) + torn)


@contextmanager
def at_work(job: ScanJob) -> Iterator[None]:
    """As if the process lived."""
    descriptor = take_lock(job.folder / "scan.lock")
    yield
    os.close(descriptor)


def test_the_newest_progress_counts_and_a_torn_line_does_not(job: ScanJob) -> None:
    tells(job, STARTED, *(progress(n) for n in range(5000)), torn='{"event": "progress", "do')
    with at_work(job):
        assert job.look() == ScanLook("running", "scan", 4999, 50_000)


def test_before_any_progress_it_has_started(job: ScanJob) -> None:
    tells(job, STARTED)
    with at_work(job):
        assert job.look() == ScanLook("running", "start", 0, 0)


def test_a_result_is_found_behind_the_progress(job: ScanJob) -> None:
    tells(job, STARTED, progress(50_000), RESULT)
    assert job.look() == ScanLook("finished", inspection=FOUND)


def test_a_result_of_another_make_is_none(job: ScanJob) -> None:
    tells(job, STARTED, progress(50_000), {"event": "result", "folder": "/x"})
    assert job.look() == ScanLook("ended")


def test_a_failure_is_told_with_its_hint(job: ScanJob) -> None:
    tells(job, STARTED, progress(7), {"event": "failed", "message": "No.", "hint": "Do this."})
    assert job.look() == ScanLook("failed", message="No.\nDo this.")


def test_nothing_told_and_nobody_at_work_is_no_scan(job: ScanJob) -> None:
    assert job.look() == ScanLook("none")
