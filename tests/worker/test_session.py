"""How a worker's session ends, what is recorded, and what follows."""

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from person import Person

from workbench.errors import DiskFull, UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import dump_spec, parse_spec, read_spec
from workbench.runs.event_log import EventWriter, read_events
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow, launch
from workbench.runs.process import ON_FINISH
from workbench.worker import training_setup
from workbench.worker.jobs import OutOfMemory, failure_fields, out_of_memory
from workbench.worker.session import RESERVE_BYTES, Reserve, halve_batch
from workbench.worker.training_setup import check_space


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


def make_spec(**training: object) -> ExperimentSpec:
    tree = {
        "data": {"source": "photos", "image_size": [20, 20]},
        "model": {"strategy": "dense", "dense_units": [10]},
        "training": training,
    }
    return parse_spec(tree, "test")


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    path = tmp_path / "saved_models" / "run"
    path.mkdir(parents=True)
    return RunFolder(path)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (UserError("wrong", "fix it"), "user", "wrong"),
        (DiskFull("too small"), "disk", "too small"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/last.npz"), "disk",
         "The disk could not be written at /x/last.npz: No space left on device."),
        (OSError(errno.EROFS, "Read-only file system"), "disk", "Read-only file system"),
        (OSError("Can't write data (file write failed: No space left on device)"), "disk",
         "The disk could not be written: No space left on device."),
        (OSError(errno.EIO, "Input/output error"), "error", "OSError: [Errno 5] Input/output"),
        (MemoryError("Unable to allocate 5 GiB"), "memory", "MemoryError: Unable to allocate"),
        (ResourceExhaustedError("x"), "error", "ResourceExhaustedError: x"),
        (ResourceExhaustedError("{{node}} OOM when allocating tensor"), "memory", "OOM when"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying"), "memory", "RESOURCE"),
        (RuntimeError("CUDA out of memory. Tried to"), "memory", "CUDA out of memory"),
        (ValueError("shapes\ndiffer"), "error", "ValueError: shapes"),
        (KeyError(), "error", "KeyError"),
    ],
)  # fmt: skip
def test_failure_has_kind_and_message(error: Exception, kind: str, text: str) -> None:
    fields = failure_fields(error)
    assert fields["kind"] == kind
    assert text in fields["message"]
    assert "\n" not in fields["message"]


def test_out_of_memory_offers_half_the_batch() -> None:
    error = out_of_memory(MemoryError("8 GiB"), 32, 16)
    assert isinstance(error, OutOfMemory)
    assert error.message.startswith("Memory was not enough for a step of 32 images (MemoryError")
    assert "half the batch, 16: workbench resume RUN --half-batch" in error.hint
    assert "smaller images" in out_of_memory(MemoryError(), 1, None).hint


@pytest.mark.parametrize(
    ("setting", "size", "left"), [("retry", 32, 16), ("retry", 1, 1), ("stop", 32, 32)]
)
def test_batch_is_halved_if_the_spec_allows(
    folder: RunFolder, setting: str, size: int, left: int
) -> None:
    spec = make_spec(out_of_memory=setting, batch_size=size)
    folder.spec_path.write_text(dump_spec(spec))
    assert halve_batch(folder, EventWriter(folder.events_path)) is (left < size)
    assert read_spec(folder.spec_path).training.batch_size == left
    halved = [(event.from_size, event.to_size) for event in read_events(folder.events_path)]
    assert halved == ([(size, left)] if left < size else [])


def test_reserve_is_taken_and_freed(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / ".reserve")
    assert (tmp_path / ".reserve").stat().st_blocks * 512 >= RESERVE_BYTES  # no hole
    reserve.free()
    reserve.free()
    assert list(tmp_path.iterdir()) == []


def test_run_that_does_not_fit_on_the_disk_is_refused(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 x 20 x 3 pixels, 10 units and 1 output: 12,021 numbers, one more each for rmsprop."""
    weights = 4 * (1200 * 10 + 10 + 10 + 1)
    needed = 3 * weights + 3 * 2 * weights + 2 * weights

    def free(bytes_free: int) -> None:
        usage = SimpleNamespace(free=bytes_free)
        monkeypatch.setattr(training_setup.shutil, "disk_usage", lambda path: usage)

    free(needed)
    check_space(folder, make_spec(), classes=2)
    free(needed - 1)
    with pytest.raises(DiskFull, match="need up to 5"):
        check_space(folder, make_spec(), classes=2)
    folder.checkpoints.mkdir()
    (folder.checkpoints / "last.npz").write_bytes(b"x")
    check_space(folder, make_spec(), classes=2)  # existing files need no more space


def test_the_process_becomes_the_command_on_finish(folder: RunFolder) -> None:
    file = folder.path.parent / "file"
    ended = "from workbench.worker.session import RunFolder, become_on_finish\n"
    ended += f"become_on_finish(RunFolder(__import__('pathlib').Path({str(folder.path)!r})), "
    ended += "'stopped')\nprint('went on')"

    def run(**variables: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", ended],
            env={**os.environ, **variables}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    names = "$WORKBENCH_RUN $WORKBENCH_STATE $WORKBENCH_RUN_FOLDER"
    command = f'echo "{names} ${{{ON_FINISH}-}}" > {file}; cat /proc/$$/cmdline; exit 5'
    became = run(**{ON_FINISH: command})
    assert file.read_text() == f"run stopped {folder.path} \n"
    assert became.returncode == 5
    assert str(folder.path) in became.stdout  # by which others know whose process it is
    assert "went on" not in became.stdout
    assert run().stdout == "went on\n"


@pytest.mark.worker
def test_worker_runs_the_command_after_releasing_the_lock(person: Person) -> None:
    folder = RunFolder(person.workspace / "saved_models" / "doomed")
    folder.path.mkdir(parents=True)
    folder.spec_path.write_text(dump_spec(make_spec()).replace("photos", "/nowhere"))
    file = person.workspace / "file"
    command = f"{' '.join(person.command('status', 'doomed'))} > {file}.new; mv {file}.new {file}"
    pid = launch(folder, environment={**person.environment, ON_FINISH: command})
    assert [event.event for event in follow(folder)][-1] == "failed"
    while not file.exists():
        assert Path(f"/proc/{pid}").exists(), folder.log_path.read_text()
        time.sleep(0.02)
    assert "failed" in file.read_text()
    assert not folder.reserve_path.exists()
