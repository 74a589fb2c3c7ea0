"""Workspaces for runs with faults, and the undisturbed runs that they are compared with."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from outcome import Outcome, Reference, outcome
from sessions import make_photos, new_run, printed, run_session

DISK_BYTES = 24 << 20


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """Return a function from a spec to the outcome of its undisturbed run, computed once."""
    known: dict[str, Outcome] = {}

    def of(spec: str) -> Outcome:
        if spec not in known:
            workspace = tmp_path_factory.mktemp(f"undisturbed-{spec}")
            make_photos(workspace / "photos")
            run = new_run(workspace, spec)
            assert run_session(run).ends == "finished", printed(run)
            known[spec] = outcome(run)
        return known[spec]

    return of


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Create a workspace with photos."""
    make_photos(tmp_path / "photos")
    return tmp_path


@pytest.fixture
def guarded(workspace: Path) -> Path:
    """Return the workspace of a user who cannot write to a read-only folder, unlike root."""
    probe = workspace / "probe"
    probe.mkdir(mode=0o555)
    if os.access(probe, os.W_OK):
        pytest.skip("nothing is read-only for this user")
    return workspace


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Create a workspace on a disk of its own that a test can fill."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "faults", str(disk)]
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"no disk can be mounted: {done.stderr.strip()}")
    make_photos(disk / "photos")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
