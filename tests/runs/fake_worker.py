"""A worker without a network to train: does what FAKE_WORKER says, over the real lock and log.

python -m fake_worker train FOLDER --lock-fd N [--resume]
python -m fake_worker warm --channel-fd N       is told later which folder
python -m fake_worker JOB --events-fd N
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from workbench.errors import UserError
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder
from workbench.runs.host import this_host
from workbench.runs.launch import stop_requested
from workbench.runs.lock import take_lock
from workbench.runs.process import ON_FINISH
from workbench.runs.queue import wait_for_turn
from workbench.runs.standby import LONGEST_ORDER


def train(mode: str) -> None:
    """Tells who it is, then ends in its way."""
    folder = RunFolder(Path(sys.argv[2]))
    os.set_inheritable(int(sys.argv[sys.argv.index("--lock-fd") + 1]), False)
    events = EventWriter(folder.events_path)
    print(f"printed in mode {mode}")
    events.write("worker_started", pid=os.getpid(), **this_host())
    if wait_in_queue(folder, events):
        return
    if "--resume" in sys.argv:
        events.write("resumed", stage=0, epoch=1, step=0)
    if mode == "finish":
        events.write("finished", seconds=0.5)
    elif mode == "fail":
        events.write("failed", kind="user", message="no images", hint="add some")
    elif mode in ("wait", "work"):
        if mode == "work":
            events.write("notice", message="at work")
        while not stop_requested(folder):
            time.sleep(0.01)
        events.write("stopped", stage=0, epoch=1, step=3)
    elif mode.startswith("alone among "):
        alone = take_lock(folder.path.parent / ".alone")  # raises where another holds it
        while _started(folder) < int(mode.removeprefix("alone among ")):
            time.sleep(0.01)
        events.write("finished", seconds=0.5)
        os.close(alone)
    elif mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif mode == "linger":
        told = {"pid": os.getpid(), **this_host()}
        folder.worker_path.write_text(json.dumps(told))
        events.write("finished", seconds=0.5)
        time.sleep(1.0)  # what a command at the end may take
    elif mode == "deaf":
        signal.pause()
    elif mode == "variable":
        events.write("notice", message=os.environ.get(ON_FINISH, ""))
        events.write("finished", seconds=0.5)
    elif mode == "environment":
        fields = {"cwd": str(Path.cwd()), "session": os.getsid(0), "stdin": sys.stdin.read()}
        events.write("notice", message=json.dumps(fields))
        events.write("finished", seconds=0.5)


def warm() -> None:
    """Waits for a run, then trains it as if it had been started for it."""
    with socket.socket(fileno=int(sys.argv[sys.argv.index("--channel-fd") + 1])) as channel:
        order, descriptors, _, _ = socket.recv_fds(channel, LONGEST_ORDER, 2)
    if not order:
        return
    lock, log = descriptors
    os.dup2(log, sys.stdout.fileno())
    os.close(log)
    told = json.loads(order)
    sys.argv[1:] = ["train", told["folder"], "--lock-fd", str(lock)]
    if told["resume"]:
        sys.argv.append("--resume")
    train(os.environ["FAKE_WORKER"])


def wait_in_queue(folder: RunFolder, events: EventWriter) -> bool:
    """Waits for its turn where it was queued; True where it was stopped instead."""

    class StopAsked(Exception):  # noqa: N818 - an outcome, not an error
        pass

    def progress(phase: str, done: int, total: int) -> None:
        if stop_requested(folder):
            raise StopAsked
        events.write("preparing", phase=phase, done=done, total=total)

    try:
        wait_for_turn(folder, progress, lambda: stop_requested(folder), poll=0.01)
    except StopAsked:
        events.write("stopped", stage=0, epoch=1, step=0)
        return True
    return False


def _started(folder: RunFolder) -> int:
    """How many workers have come up in the workspace."""
    logs = folder.path.parent.glob("*/events.jsonl")
    return sum("worker_started" in log.read_text() for log in logs)


def answer(job: str) -> int:
    """Answers a request on stdin over the pipe given."""
    out = os.fdopen(int(sys.argv[sys.argv.index("--events-fd") + 1]), "w")

    def send(**event: object) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    request = json.load(sys.stdin)
    print("a library's chatter")
    send(event="progress", phase="read", done=1, total=2, pid=os.getpid())
    if job == "echo":
        out.write("no event\n")
        send(event="result", request=request, score=float("nan"))
    elif job == "refuse":
        error = UserError("The model is of another version.", "Train it again.")
        send(event="failed", kind="user", message=error.message, hint=error.hint)
    elif job == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif job == "raise":
        raise RuntimeError("colour \x1b[31m red")
    elif job == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        send(event="progress", phase="stuck", done=2, total=2, pid=os.getpid())
        signal.pause()
    elif job == "wait":
        signal.pause()
    return 0


if __name__ == "__main__":
    if sys.argv[1] == "warm":
        warm()
    elif sys.argv[1] == "train":
        train(os.environ["FAKE_WORKER"])
    else:
        sys.exit(answer(sys.argv[1]))
