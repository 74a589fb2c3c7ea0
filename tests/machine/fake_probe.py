"""A probe that misbehaves as its first argument requests.

python fake_probe.py MODE --report-fd N
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time


def main(mode: str, report_fd: int) -> int:
    """Returns the exit code, where it comes to that."""

    def report(**line: object) -> None:
        os.write(report_fd, (json.dumps(line) + "\n").encode("ascii"))

    report(pid=os.getpid())
    match mode:
        case "answer":
            print("chatter", flush=True)
            report(cwd=os.getcwd(), session=os.getsid(0), stdin=sys.stdin.read())  # noqa: PTH109
        case "variables":
            report(variables=dict(os.environ))
        case "long":
            report(text="x" * 900_000)
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
                report(text="y" * 1000)
        case "no UTF-8":
            os.write(2, b"caf\xe9 \x1b[31mred\r\n\n")
        case "no JSON":
            os.write(report_fd, b"hello\n")
            report(after="it")
        case "a list":
            os.write(report_fd, b"[1]\n")
        case "deep":
            os.write(report_fd, b"[" * 100_000 + b"\n")
        case "answer no UTF-8":
            os.write(report_fd, b'{"name": "caf\xe9"}\n')
        case "half":
            os.write(report_fd, b'{"half": ')
            time.sleep(600)
        case "grandchild":
            report(grandchild=_grandchild(report_fd, own_session=False))
        case "grandchild in a session":
            report(grandchild=_grandchild(report_fd, own_session=True))
        case "exit 3":
            print("no such device", file=sys.stderr)
            return 3
    return 0


def _grandchild(report_fd: int, own_session: bool) -> int:
    """Starts a process that sleeps and holds the pipes; its number."""
    command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(600)"]
    started = subprocess.Popen(command, pass_fds=(report_fd,), start_new_session=own_session)
    started.returncode = 0  # without a wait, and without a warning
    return started.pid


if __name__ == "__main__":
    if sys.argv[1] == "silent":
        sys.exit(0)
    sys.exit(main(sys.argv[1], int(sys.argv[sys.argv.index("--report-fd") + 1])))
