"""Faults in a worker at a moment, and damages to its files before the run is resumed."""

import dataclasses
import errno
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import damages
from damages import Between
from waiting import wait_until

Proceed = Callable[[], Any]
Strike = Callable[[Proceed, Path], Any]  # receives the run's folder; returns the result of the call

HOUR = 3600.0


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        ends: how the session ends: the run's state, and the kind of a failure.
        strike: runs in the worker in place of the call.
        between: damages or repairs files afterwards.
        message: part of a message of the run.
        workspace: fixture that it needs.
    """

    ends: str
    strike: Strike
    between: Between | None = None
    message: str = ""
    workspace: str = "workspace"


def _signals(*numbers: signal.Signals) -> Strike:
    def strike(proceed: Proceed, folder: Path) -> Any:
        for number in numbers:
            os.kill(os.getpid(), number)
        return proceed()

    return strike


def _raises(make: Callable[[Path], BaseException]) -> Strike:
    def strike(proceed: Proceed, folder: Path) -> Any:
        raise make(folder)

    return strike


def _os_error(number: int) -> Callable[[Path], OSError]:
    return lambda folder: OSError(number, os.strerror(number), str(folder / "checkpoints"))


def _device_memory(folder: Path) -> Exception:
    import tensorflow as tf

    message = "OOM when allocating tensor with shape[4,16,16,4] on /device:GPU:0"
    error: Exception = tf.errors.ResourceExhaustedError(None, None, message)
    return error


def _no_number(proceed: Proceed, folder: Path) -> Any:
    results = proceed()
    return dataclasses.replace(results, losses=results.losses * float("nan"))


def _clock_back(proceed: Proceed, folder: Path) -> Any:
    real = time.time
    time.time = lambda: real() - HOUR
    return proceed()


def _folder_away(proceed: Proceed, folder: Path) -> Any:
    folder.rename(damages.away(folder))
    return proceed()


def _fill_disk(proceed: Proceed, folder: Path) -> Any:
    with damages.filler(folder).open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return proceed()


def _read_only(proceed: Proceed, folder: Path) -> Any:
    (folder / "checkpoints").chmod(0o555)
    return proceed()


def _waits(proceed: Proceed, folder: Path) -> Any:
    """Keep the worker running while the test acts on it."""
    damages.waiting(folder).touch()
    wait_until(lambda: not damages.waiting(folder).exists())
    return proceed()


_KILL = _signals(signal.SIGKILL)
_FULL = "failed disk"

FAULTS = {
    # the process
    "kill": Fault("interrupted", _KILL),
    "SIGTERM": Fault("stopped", _signals(signal.SIGTERM)),
    "SIGINT": Fault("stopped", _signals(signal.SIGINT)),
    "two signals": Fault("interrupted", _signals(signal.SIGTERM, signal.SIGINT)),
    "SIGHUP": Fault("finished", _signals(signal.SIGHUP)),
    "surprise": Fault(
        "failed error",
        _raises(lambda _: RuntimeError("unexpected \x1b[31mthis")),
        message="RuntimeError: unexpected",
    ),
    # memory and numbers
    "memory": Fault("failed memory", _raises(lambda _: MemoryError()), message="half the batch"),
    "device memory": Fault("failed memory", _raises(_device_memory), message="half the batch"),
    "NaN": Fault("failed diverged", _no_number, message="diverged"),
    # the disk
    "disk full": Fault(_FULL, _raises(_os_error(errno.ENOSPC)), message="Make room"),
    "disk read-only": Fault(_FULL, _raises(_os_error(errno.EROFS)), message="permissions"),
    "disk filled": Fault(
        _FULL, _fill_disk, damages.empty_disk, "Make room", workspace="small_disk"
    ),
    "folder read-only": Fault(
        _FULL, _read_only, damages.writable_again, "permissions", workspace="guarded"
    ),
    "folder away": Fault("interrupted", _folder_away, damages.bring_back),
    # the clock
    "clock back": Fault("finished", _clock_back),
    # after the session
    "kill, last cut off": Fault(
        "interrupted", _KILL, damages.cut_last, message="last.npz is damaged"
    ),
    "kill, a bit of last": Fault(
        "interrupted", _KILL, damages.flip_last, message="last.npz is damaged"
    ),
    "kill, last empty": Fault(
        "interrupted", _KILL, damages.empty_last, message="last.npz is damaged"
    ),
    "kill, last gone": Fault("interrupted", _KILL, damages.remove_last),
    "kill, both damaged": Fault("interrupted", _KILL, damages.damage_both),
    "kill, start weights damaged": Fault("interrupted", _KILL, damages.damage_start),
    "kill, torn log": Fault("interrupted", _KILL, damages.tear_log),
    "kill, garbage in log": Fault("interrupted", _KILL, damages.garbage_in_log),
    "kill, log cut": Fault("interrupted", _KILL, damages.cut_log),
    "kill, pack gone": Fault("interrupted", _KILL, damages.remove_pack),
    "kill, pack cut off": Fault("interrupted", _KILL, damages.cut_pack),
    "kill, data gone": Fault("interrupted", _KILL, damages.remove_data),
    "kill, features gone": Fault("interrupted", _KILL, damages.remove_features),
    "kill, features damaged": Fault("interrupted", _KILL, damages.cut_features),
    "kill, image changed": Fault("interrupted", _KILL, damages.change_image),
    "kill, image and pack changed": Fault(
        "interrupted", _KILL, damages.change_image_and_pack, message="changed since it was scanned"
    ),
    "kill, manifest gone": Fault(
        "interrupted", _KILL, damages.remove_manifest, message="manifest.csv"
    ),
    "kill, spec changed": Fault(
        "interrupted", _KILL, damages.change_dropout, message="The spec was changed"
    ),
    "kill, spec damaged": Fault("interrupted", _KILL, damages.damage_spec, message="no TOML"),
    # during the session
    "waits": Fault("finished", _waits),
}
