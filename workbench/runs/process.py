"""What detached and foreground workers share: how one is started, the end of what it printed."""

import re
import signal
import sys
from pathlib import Path

WORKER_MODULE = "workbench.worker"
ON_FINISH = "WORKBENCH_ON_FINISH"  # the variable that holds a command to run at a run's end
# Nothing is kept from being removed by a worker that stands in it, and no file of a person's
# folder is taken for a Python module.
WORKING_FOLDER = "/"
LOG_LINES = 15
_TAIL_BYTES = 16 << 10
# What TensorFlow's libraries print in every process, which explains nothing: notes and warnings,
# as "2026-01-31 12:00:00.5: I tensorflow/x.cc:1] ..." or "I0000 00:00:17.5  4711 x.cc:1] ...", and
# errors that are none. Other errors may tell why a process ended.
_CHATTER = re.compile(
    r"""WARNING:\ All\ log\ messages\ before\ absl
    | To\ enable\ the\ following\ instructions:
    | (\d{4}-\d\d-\d\d\ \S+\ )?
      ( [IW](\d{4}|\ \S+:\d+])
      | E(\d{4}|\ \S+:\d+])\ .*(register|cuInit) )""",
    re.VERBOSE,
)


def worker_command(module: str, *arguments: str) -> list[str]:
    """The command line of a worker: unbuffered, and telling where it was when it crashes."""
    return [sys.executable, "-u", "-X", "faulthandler", "-m", module, *arguments]


def train_command(module: str, folder: Path, lock: int, resume: bool) -> list[str]:
    """The command line of a worker that trains a run, whose lock it inherits as a descriptor."""
    arguments = ["train", str(folder.absolute()), "--lock-fd", str(lock)]
    return worker_command(module, *arguments, *(["--resume"] if resume else []))


def last_lines(log: Path, start: int = 0) -> list[str]:
    """The last lines that may explain something, none before byte `start`; [] without a log."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(min(start, size), size - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    lines = [line.rstrip() for line in text.splitlines()]
    return [line for line in lines if line and not _CHATTER.match(line)][-LOG_LINES:]


def exit_in_words(code: int) -> str:
    """How a process ended: "with exit code 1", "by signal SIGKILL"."""
    if code >= 0:
        return f"with exit code {code}"
    try:
        return f"by signal {signal.Signals(-code).name}"
    except ValueError:
        return f"by signal {-code}"
