"""Workspaces for runs that meet a fault, and the runs left alone that they are compared with."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lives import live, make_photos, new_run, printed
from outcome import Outcome, outcome

from workbench.experiment.estimate import Speed
from workbench.machine.benchmark_store import Figures, Shelf

Reference = Callable[[str], Outcome]
DISK_BYTES = 24 << 20

_SPEED = Speed(
    forward_flops=1e11,
    training_flops=1e11,
    forward_bytes=1e10,
    training_bytes=1e10,
    forward_step=1e-3,
    training_step=1e-3,
    update=1e-9,
)


@pytest.fixture(scope="session")
def measured(_own_cache: None) -> None:
    """Figures of this machine, so that no life has to measure it."""
    Shelf("CPU").save(
        Figures(device="CPU", kind="cpu", precision="float32", jit=False, speed=_SPEED)
    )


@pytest.fixture(scope="session")
def reference(measured: None, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """The outcome of a spec's run that was left alone, computed once."""
    known: dict[str, Outcome] = {}

    def of(spec: str) -> Outcome:
        if spec not in known:
            workspace = tmp_path_factory.mktemp(f"alone-{spec}")
            make_photos(workspace / "photos")
            run = new_run(workspace, spec)
            assert live(run).ends == "finished", printed(run)
            known[spec] = outcome(run)
        return known[spec]

    return of


@pytest.fixture
def workspace(measured: None, tmp_path: Path) -> Path:
    """A workspace with photos."""
    make_photos(tmp_path / "photos")
    return tmp_path


@pytest.fixture
def guarded(workspace: Path) -> Path:
    """A workspace of somebody whom a read-only folder keeps out; root it does not."""
    probe = workspace / "probe"
    probe.mkdir(mode=0o555)
    if os.access(probe, os.W_OK):
        pytest.skip("nothing is read-only for this user")
    return workspace


@pytest.fixture
def small_disk(measured: None, tmp_path: Path) -> Iterator[Path]:
    """The same on a disk of its own that a test can fill."""
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
