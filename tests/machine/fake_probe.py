"""A probe that misbehaves as its first argument says.

python fake_probe.py MODE --answer-fd N
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time


def main(mode: str, answer: int) -> int:
    """Returns the exit code, where it comes to that."""

    def tell(**line: object) -> None:
        os.write(answer, (json.dumps(line) + "\n").encode("ascii"))

    tell(pid=os.getpid())
    match mode:
        case "answer":
            print("chatter", flush=True)
            tell(cwd=os.getcwd(), session=os.getsid(0), stdin=sys.stdin.read())  # noqa: PTH109
        case "variables":
            tell(variables=dict(os.environ))
        case "long":
            tell(text="x" * 900_000)
        case "sleep":
            time.sleep(600)
        case "stubborn":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            while True:
                signal.pause()
        case "segfault":
            print("about to read nothing", file=sys.stderr, flush=True)
            ctypes.string_at(0)
        case "signal":
            os.kill(os.getpid(), signal.SIGABRT)
        case "babble":
            line = b"y" * 79 + b"\n"
            while True:
                os.write(1, line * 1000)
        case "answer for ever":
            while True:
                tell(text="y" * 1000)
        case "no UTF-8":
            os.write(2, b"caf\xe9 \x1b[31mred\r\n\n")
        case "no JSON":
            os.write(answer, b"hello\n")
            tell(after="it")
        case "a list":
            os.write(answer, b"[1]\n")
        case "deep":
            os.write(answer, b"[" * 100_000 + b"\n")
        case "answer no UTF-8":
            os.write(answer, b'{"name": "caf\xe9"}\n')
        case "half":
            os.write(answer, b'{"half": ')
            time.sleep(600)
        case "grandchild":
            tell(grandchild=_grandchild(answer, own_session=False))
        case "grandchild in a session":
            tell(grandchild=_grandchild(answer, own_session=True))
        case "exit 3":
            print("no such device", file=sys.stderr)
            return 3
    return 0


def _grandchild(answer: int, own_session: bool) -> int:
    """Starts a process that sleeps and holds the pipes; its number."""
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    started = subprocess.Popen(command, pass_fds=(answer,), start_new_session=own_session)
    started.returncode = 0  # nobody waits for it, and no warning is wanted
    return started.pid


if __name__ == "__main__":
    if sys.argv[1] == "silent":
        sys.exit(0)
    sys.exit(main(sys.argv[1], int(sys.argv[sys.argv.index("--answer-fd") + 1])))
