"""A worker that is started before there is a run, so that a run's start waits for no import."""

import json
import os
import socket
import subprocess
from contextlib import suppress

from workbench.runs.process import WORKER_MODULE, start_worker, worker_command

MAX_ORDER_BYTES = 64 << 10


class WarmWorker:
    """A process that imports keras and waits for a run to train.

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
