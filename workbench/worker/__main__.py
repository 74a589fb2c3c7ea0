"""Entry of the worker process: environment, signals, dispatch.

python -m workbench.worker train RUN_FOLDER --lock-fd N [--resume]   detached, tells events.jsonl
python -m workbench.worker warm --channel-fd N                       is told later which run
python -m workbench.worker JOB --events-fd N                       request on stdin; JOB: evaluate,
                           predict, inside, learn, find-rate, search, export, check-export
"""

import argparse
import signal
import sys
from pathlib import Path

from workbench.printable import make_log


def main(arguments: list[str] | None = None) -> int:
    """Runs one job; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):  # libraries print what they like
        make_log(stream)
    parser = argparse.ArgumentParser(prog="python -m workbench.worker")
    jobs = parser.add_subparsers(dest="job", required=True)
    train = jobs.add_parser("train")
    train.add_argument("folder", type=Path)
    train.add_argument("--lock-fd", type=int, required=True)
    train.add_argument("--resume", action="store_true")
    jobs.add_parser("warm").add_argument("--channel-fd", type=int, required=True)
    for name in (
        "evaluate",
        "predict",
        "inside",
        "learn",
        "find-rate",
        "search",
        "export",
        "check-export",
    ):
        jobs.add_parser(name).add_argument("--events-fd", type=int, required=True)
    given = parser.parse_args(arguments)
    if given.job in ("train", "warm"):
        # The terminal may go at any time; training stays.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if given.job == "train":
        from workbench.worker.session import train_run

        return train_run(given.folder, given.lock_fd, given.resume)
    if given.job == "warm":
        from workbench.worker.standby import wait_for_run

        return wait_for_run(given.channel_fd)
    from workbench.worker.jobs import answer

    return answer(given.job, given.events_fd)


if __name__ == "__main__":
    sys.exit(main())
