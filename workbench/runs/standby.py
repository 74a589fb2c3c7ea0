"""A worker started before there is a run, so that a run's start waits for no import."""

import json
import os
import socket
import subprocess
import threading
from contextlib import suppress

from workbench.runs.process import WORKER_MODULE, WORKING_FOLDER, worker_command

LONGEST_ORDER = 64 << 10  # bytes


class WarmWorker:
    """A process that has imported keras, or is at it, and waits to be told what to train.

    It ends by itself once this object is closed, or the process that holds it is gone.

    Args:
        module: what is run; tests have workers of their own.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self, module: str = WORKER_MODULE) -> None:
        self._environment = dict(os.environ)
        # Whole messages, so that an order is never half read.
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = theirs.fileno()
            try:
                self.process = subprocess.Popen(
                    worker_command(module, "warm", "--channel-fd", str(number)),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd=WORKING_FOLDER,
                    env=self._environment,
                    pass_fds=(number,),
                    start_new_session=True,
                )
            except OSError:
                self._channel.close()
                raise
        # Takes note of its end, so that none is left as a zombie of a long-lived app.
        threading.Thread(target=self.process.wait, daemon=True).start()

    @property
    def waits(self) -> bool:
        """True while it lives and has no run yet."""
        return self._channel.fileno() != -1 and self.process.poll() is None

    def fits(self, environment: dict[str, str]) -> bool:
        """True while it waits, and where it was started with just these variables."""
        return self.waits and environment == self._environment

    def give(self, folder: str, resume: bool, lock: int, log: int) -> bool:
        """Hands it a run and copies of two descriptors; it can be given one run only.

        Args:
            folder: the run's, absolute.
            lock: holds the run's lock.
            log: where it is to print.

        Returns:
            False where it is gone: the run is still to be started.
        """
        order = json.dumps({"folder": folder, "resume": resume}).encode("ascii")
        with self._channel, suppress(OSError):
            socket.send_fds(self._channel, [order], [lock, log])
            return True
        return False

    def close(self) -> None:
        """Has it end, unless it was given a run."""
        self._channel.close()
