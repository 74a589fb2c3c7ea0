"""A worker without a network to train: does what FAKE_WORKER says, over the real lock and log.

python -m fake_worker train FOLDER --lock-fd N [--resume]
python -m fake_worker JOB --events-fd N
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from workbench.errors import UserError
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder
from workbench.runs.host import this_host
from workbench.runs.launch import stop_requested


def train(mode: str) -> None:
    """Tells who it is, then ends in its way."""
    folder = RunFolder(Path(sys.argv[2]))
    os.set_inheritable(int(sys.argv[sys.argv.index("--lock-fd") + 1]), False)
    events = EventWriter(folder.events_path)
    print(f"printed in mode {mode}")
    events.write("worker_started", pid=os.getpid(), **this_host())
    if "--resume" in sys.argv:
        events.write("resumed", stage=0, epoch=1, step=0)
    if mode == "finish":
        events.write("finished", seconds=0.5)
    elif mode == "fail":
        events.write("failed", kind="user", message="no images", hint="add some")
    elif mode == "wait":
        while not stop_requested(folder):
            time.sleep(0.01)
        events.write("stopped", stage=0, epoch=1, step=3)
    elif mode == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif mode == "environment":
        fields = {"cwd": str(Path.cwd()), "session": os.getsid(0), "stdin": sys.stdin.read()}
        events.write("notice", message=json.dumps(fields))
        events.write("finished", seconds=0.5)


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
    if sys.argv[1] == "train":
        train(os.environ["FAKE_WORKER"])
    else:
        sys.exit(answer(sys.argv[1]))
