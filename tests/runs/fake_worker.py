"""A worker without a network: FAKE_WORKER selects what it does with the real lock and log.

python -m fake_worker train FOLDER --lock-fd N [--resume]
python -m fake_worker warm --channel-fd N       receives the folder later
python -m fake_worker JOB --events-fd N
"""

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

from event_lines import LogWriter

from workbench.errors import UserError
from workbench.runs.folder import RunFolder
from workbench.runs.launch import stop_requested
from workbench.runs.lock import take_lock, this_host
from workbench.runs.process import MAX_ORDER_BYTES, ON_FINISH
from workbench.runs.queue import wait_for_devices
from workbench.runs.slots import CPU


class FakeDevices:
    """The devices in FAKE_DEVICES, all with enough memory; the CPU alone without it."""

    count, obstacle = 1, ""
    share = int(os.environ.get("FAKE_SHARE", "1"))

    def permitted(self) -> list[str]:
        return os.environ.get("FAKE_DEVICES", CPU).split(",")

    usable = roomy = permitted


def train(mode: str) -> None:
    """Write the first event, then end as the mode requires."""
    folder = RunFolder(Path(sys.argv[2]))
    os.set_inheritable(_descriptor("--lock-fd"), False)
    events = LogWriter(folder.events_path)
    if mode == "job":  # a scheduler sends the signal to all processes of a job
        signal.signal(signal.SIGTERM, lambda number, frame: None)
    print(f"printed in mode {mode}")
    events.write("worker_started", pid=os.getpid(), **this_host())
    if stopped_in_queue(folder, events):
        return
    if "--resume" in sys.argv:
        events.write("resumed", stage=0, epoch=1, step=0)
    if mode == "fail":
        events.write("failed", kind="user", message="no images", hint="add some")
    elif mode in ("wait", "work", "job", "prune"):
        if mode != "wait":
            events.write("notice", message="training")
        while not stop_requested(folder):
            time.sleep(0.01)
        given_up = {"pruned": "below the median"} if mode == "prune" else {}
        events.write("stopped", stage=0, epoch=1, step=3, **given_up)
    elif mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif mode == "deaf":
        signal.pause()
    else:
        if mode.startswith("only one of "):
            lock = take_lock(folder.path.parent / ".training")  # raises if another holds it
            while _started(folder) < int(mode.removeprefix("only one of ")):
                time.sleep(0.01)
        elif mode == "linger":
            folder.worker_path.write_text(json.dumps({"pid": os.getpid(), **this_host()}))
        elif mode == "variable":
            events.write("notice", message=os.environ.get(ON_FINISH, ""))
        elif mode == "environment":
            fields = {"cwd": str(Path.cwd()), "session": os.getsid(0), "stdin": sys.stdin.read()}
            events.write("notice", message=json.dumps(fields))
        events.write("finished", seconds=0.5)
        if mode.startswith("only one of "):
            os.close(lock)
        elif mode == "linger":
            time.sleep(1.0)  # as long as a command at the end may take


def warm() -> None:
    """Wait for a run, then train it as if started for it."""
    with socket.socket(fileno=_descriptor("--channel-fd")) as channel:
        order, descriptors, _, _ = socket.recv_fds(channel, MAX_ORDER_BYTES, 2)
    if not order:
        return
    lock, log = descriptors
    os.dup2(log, sys.stdout.fileno())
    os.close(log)
    fields = json.loads(order)
    resume = ["--resume"] if fields["resume"] else []
    sys.argv[1:] = ["train", fields["folder"], "--lock-fd", str(lock), *resume]
    train(os.environ["FAKE_WORKER"])


def stopped_in_queue(folder: RunFolder, events: LogWriter) -> bool:
    """Wait for the run's turn if it was queued; return True if it was stopped instead."""

    class StopRequested(Exception):  # noqa: N818 - a state, not an error
        pass

    def progress(phase: str, done: int, total: int) -> None:
        if stop_requested(folder):
            raise StopRequested
        events.write("preparing", phase=phase, done=done, total=total)

    try:
        slots = wait_for_devices(
            folder, FakeDevices(), progress, lambda: stop_requested(folder), poll=0.01
        )
    except StopRequested:
        events.write("stopped", stage=0, epoch=1, step=0)
        return True
    if slots[0].device != CPU:
        events.write("gpu_chosen", gpu={"uuid": slots[0].device})
    return False


def serve(job: str) -> None:
    """Answer a request on stdin over the given pipe."""
    out = os.fdopen(_descriptor("--events-fd"), "w")

    def send(**event: object) -> None:
        out.write(json.dumps(event) + "\n")
        out.flush()

    request = json.load(sys.stdin)
    print("a library's output")
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


def _started(folder: RunFolder) -> int:
    """Return how many workers have started in the workspace."""
    logs = folder.path.parent.glob("*/events.jsonl")
    return sum("worker_started" in log.read_text() for log in logs)


def _descriptor(option: str) -> int:
    return int(sys.argv[sys.argv.index(option) + 1])


if __name__ == "__main__":
    if sys.argv[1] == "warm":
        warm()
    elif sys.argv[1] == "train":
        train(os.environ["FAKE_WORKER"])
    else:
        serve(sys.argv[1])
