"""Child processes: how a worker is started and ended, what it printed last, one on standby."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from workbench.messages import tr

WORKER_MODULE = "workbench.worker"
ON_FINISH = "WORKBENCH_ON_FINISH"  # variable with a command to run when a run ends
# A worker whose working folder is / blocks no folder from being removed and imports no file of a
# user's folder as a Python module.
WORKING_FOLDER = "/"
TERMINATE_SECONDS = 5.0  # from SIGTERM to SIGKILL
LOG_LINES = 15
_TAIL_BYTES = 16 << 10
# TensorFlow's libraries print these lines in every process: notes and warnings, as
# "2026-01-31 12:00:00.5: I tensorflow/x.cc:1] ..." or "I0000 00:00:17.5  4711 x.cc:1] ...", and
# errors that are none. Other errors may explain why a process ended.
_LIBRARY_OUTPUT = re.compile(
    r"""WARNING:\ All\ log\ messages\ before\ absl
    | To\ enable\ the\ following\ instructions:
    | (\d{4}-\d\d-\d\d\ \S+\ )?
      ( [IW](\d{4}|\ \S+:\d+])
      | E(\d{4}|\ \S+:\d+])\ .*(register|cuInit) )""",
    re.VERBOSE,
)
MAX_ORDER_BYTES = 64 << 10


def worker_command(module: str, *arguments: str) -> list[str]:
    """Return the command line of a worker: unbuffered, with a traceback when it crashes."""
    return [sys.executable, "-u", "-X", "faulthandler", "-m", module, *arguments]


def train_command(
    module: str, folder: Path, lock: int, resume: bool, slots: Sequence[int] = ()
) -> list[str]:
    """Return the command line of a worker that trains a run and inherits its lock, and slots."""
    arguments = ["train", str(folder.absolute()), "--lock-fd", str(lock)]
    for slot in slots:
        arguments += ["--slot-fd", str(slot)]
    return worker_command(module, *arguments, *(["--resume"] if resume else []))


def start_worker(
    command: Sequence[str],
    output: IO[bytes] | int,
    stdin: IO[bytes] | int = subprocess.DEVNULL,
    descriptors: Sequence[int] = (),
    environment: Mapping[str, str] | None = None,
    detached: bool = False,
    errors: IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a worker process.

    Args:
        command: as `worker_command` or `train_command` return it.
        output: file that receives stdout, and stderr unless `errors` does.
        stdin: file to read from.
        descriptors: open descriptors that the process inherits under the same numbers.
        environment: all its variables; None for those of this process.
        detached: True for a session of its own, which outlives this process and its terminal.
        errors: file that receives stderr.

    Raises:
        OSError: The process cannot be started.
    """
    process = subprocess.Popen(
        command,
        stdin=stdin,
        stdout=output,
        stderr=output if errors is None else errors,
        cwd=WORKING_FOLDER,
        env=environment,
        pass_fds=descriptors,
        start_new_session=detached,
    )
    if detached:  # wait for its end, so that a long-lived app collects no zombies
        threading.Thread(target=process.wait, daemon=True).start()
    return process


def end_worker(process: subprocess.Popen[bytes]) -> None:
    """Terminate the process if it still runs, kill it if it ignores that, and wait for its end."""
    process.terminate()
    try:
        process.wait(TERMINATE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_lines(log: Path, start: int = 0) -> list[str]:
    """Return the last lines after byte `start` that may explain something; [] without a log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(min(start, size), size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.rstrip() for line in text.splitlines()]
    return [line for line in lines if line and not _LIBRARY_OUTPUT.match(line)][-LOG_LINES:]


def describe_exit(code: int) -> str:
    """Describe how a process ended: "with exit code 1", "by signal SIGKILL"."""
    if code >= 0:
        return tr("with exit code {code}", code=code)
    try:
        return tr("by signal {name}", name=signal.Signals(-code).name)
    except ValueError:
        return tr("by signal {value}", value=-code)


class WarmWorker:
    """A process that imports keras and waits for a run to train, so that its start waits for none.

    It ends by itself when this object is closed or the process that holds it ends.

    Args:
        module: Python module to run; tests have workers of their own.

    Raises:
        OSError: No process can be started.
    """

    def __init__(self, module: str = WORKER_MODULE) -> None:
        self._environment = dict(os.environ)
        # SEQPACKET keeps messages whole, so that no order is read by half.
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            try:
                self.process = start_worker(
                    worker_command(module, "warm", "--channel-fd", str(number)),
                    output=subprocess.DEVNULL,
                    descriptors=(number,),
                    environment=self._environment,
                    detached=True,
                )
            except OSError:
                self._channel.close()
                raise

    @property
    def is_waiting(self) -> bool:
        """True while the process lives and has no run yet."""
        return self._channel.fileno() != -1 and self.process.poll() is None

    def matches(self, environment: dict[str, str]) -> bool:
        """Return True while it waits, if it was started with exactly these variables."""
        return self.is_waiting and environment == self._environment

    def assign(self, folder: str, resume: bool, lock: int, log: int) -> bool:
        """Send it a run and copies of two descriptors. This works once.

        Args:
            folder: absolute path of the run's folder.
            resume: True to continue at the last checkpoint.
            lock: descriptor that holds the run's lock.
            log: descriptor to print to.

        Returns:
            False if the process has ended, so that the run is not started.
        """
        order = json.dumps({"folder": folder, "resume": resume}).encode("ascii")
        with self._channel, suppress(OSError):
            socket.send_fds(self._channel, [order], [lock, log])
            return True
        return False

    def close(self) -> None:
        """End the process unless it has a run."""
        self._channel.close()
