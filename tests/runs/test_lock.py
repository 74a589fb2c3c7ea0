"""The lock: one holder, queries that do not take it, passed on without a gap."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from workbench.errors import UserError
from workbench.runs import lock as lock_module
from workbench.runs.lock import RunLocked, is_locked, name_holder, take_lock

# Prints that it runs, and ends with its stdin.
CHILD = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.lock"


def child_with(descriptor: int) -> subprocess.Popen[bytes]:
    """Start a process that also holds the descriptor."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        pass_fds=(descriptor,),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"up\n"
    return process


def test_query_takes_and_creates_nothing(path: Path) -> None:
    assert not is_locked(path)
    assert not path.exists()
    path.touch(mode=0o444)
    assert not is_locked(path)
    path.chmod(0o644)
    descriptor = take_lock(path)
    assert is_locked(path)
    assert is_locked(path)
    os.close(descriptor)
    assert not is_locked(path)


def test_second_lock_is_refused_with_holder(tmp_path: Path) -> None:
    (tmp_path / "birds").mkdir()
    path = tmp_path / "birds" / "run.lock"
    descriptor = take_lock(path)
    with pytest.raises(RunLocked, match=r"^birds is already being trained\.\n"):
        take_lock(path)
    name_holder(descriptor, 4711)
    with pytest.raises(RunLocked, match=r"birds is already being trained by process 4711 on \S+\."):
        take_lock(path)
    os.close(descriptor)
    os.close(take_lock(path))
    assert path.read_bytes() == b""  # without the name of an earlier holder


def test_lock_passes_to_a_child_with_its_descriptor(path: Path) -> None:
    descriptor = take_lock(path)
    child = child_with(descriptor)
    os.close(descriptor)
    assert is_locked(path)
    with pytest.raises(RunLocked):
        take_lock(path)
    child.communicate()
    assert not is_locked(path)


def test_killed_child_releases_the_lock_as_a_zombie(path: Path) -> None:
    descriptor = take_lock(path)
    child = child_with(descriptor)
    os.close(descriptor)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
    assert not is_locked(path)
    child.communicate()


def test_children_do_not_inherit_the_lock_by_accident(path: Path) -> None:
    descriptor = take_lock(path)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    os.close(descriptor)
    assert not is_locked(path)
    child.communicate()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_file_system_without_locks(path: Path, fail: Callable[..., None], code: int) -> None:
    fail(lock_module.fcntl, "fcntl", OSError(code, os.strerror(code)))
    with pytest.raises(UserError, match="has no file locks") as refused:
        take_lock(path)
    assert str(path.parent) in refused.value.message
    assert "--workspace" in refused.value.hint
    assert not is_locked(path)  # a copy there can be read


def test_other_errors_are_raised(path: Path, fail: Callable[..., None]) -> None:
    path.touch()
    fail(lock_module.fcntl, "fcntl", OSError(errno.EIO, "input/output error"))
    with pytest.raises(OSError, match="input/output error"):
        take_lock(path)
    with pytest.raises(OSError, match="input/output error"):
        is_locked(path)


def test_classic_lock_of_another_process_counts(path: Path) -> None:
    """The query is about the file, not about how it was locked."""
    code = f"import fcntl,sys; f=open({str(path)!r},'w'); fcntl.lockf(f, fcntl.LOCK_EX); " + CHILD
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    assert is_locked(path)
    child.communicate()
    assert not is_locked(path)
