"""Gauges of the box once a second, read in a process of its own: a driver that hangs hangs that.

python -m workbench.machine.live        a JSON object a line, until its reader goes away
"""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from workbench.machine.facts import Nvml
from workbench.machine.sample import box_gauges
from workbench.runs.process import WORKING_FOLDER

SECONDS = 1.0
PATIENCE = 5.0  # seconds of silence after which the driver is said not to answer
MODULE = "workbench.machine.live"


@dataclass(frozen=True)
class Gauges:
    """One look.

    Attributes:
        box: see `sample.box_gauges`.
        nvml: the GPUs.
        silent: seconds since the last answer where it is overdue, else 0.
    """

    box: dict[str, Any] = field(default_factory=dict)
    nvml: Nvml = field(default_factory=Nvml)
    silent: float = 0.0


def gauges(module: str = MODULE, patience: float = PATIENCE) -> Iterator[Gauges]:
    """A look each second for as long as it is asked for; ends where the process does.

    Args:
        module: what is run; tests have one of their own.
        patience: seconds.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=WORKING_FOLDER,
    )
    lines: queue.Queue[bytes] = queue.Queue()
    threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
    last, heard = Gauges(), time.monotonic()
    try:
        while True:
            try:
                line = lines.get(timeout=patience)
            except queue.Empty:
                yield Gauges(last.box, last.nvml, time.monotonic() - heard)
                continue
            if not line:
                return
            heard = time.monotonic()
            with suppress(ValueError, KeyError):
                told = json.loads(line)
                last = Gauges(told["box"], Nvml.model_validate(told["nvml"]))
                yield last
    finally:
        process.kill()
        process.wait()


def _pass_on(pipe: IO[bytes], lines: "queue.Queue[bytes]") -> None:
    with pipe:
        for line in pipe:
            lines.put(line)
    lines.put(b"")


def main() -> int:
    """Writes a look each second."""
    import pynvml

    from workbench.machine.nvml import read_nvml

    # Held open: where no program uses a card, each start would wake it and each end drop it again.
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
    box_gauges()
    while True:
        time.sleep(SECONDS)
        told = {"box": box_gauges(), "nvml": read_nvml(pynvml).model_dump(mode="json")}
        try:
            print(json.dumps(told), flush=True)
        except BrokenPipeError:
            return 0


if __name__ == "__main__":
    sys.exit(main())
