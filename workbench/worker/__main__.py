"""Entry point of the worker process: streams, signals, dispatch.

python -m workbench.worker train RUN_FOLDER --lock-fd N [--slot-fd N ...] [--resume]
                                                                     detached, writes events.jsonl
python -m workbench.worker warm --channel-fd N                       receives a run later
python -m workbench.worker JOB --events-fd N                         request on stdin; see JOBS
"""

import argparse
import importlib
import signal
import sys
from pathlib import Path

from workbench.streams import use_utf8

JOBS = {  # name: module and function
    "evaluate": "evaluation:evaluate_run",
    "predict": "evaluation:predict_images",
    "explain": "explain:explain",
    "features": "feature_processes:compute_features",
    "folds": "folds:predict_folds",
    "learning-curve": "learning_curve:measure_curve",
    "rank-unlabelled": "labelling:rank_unlabelled",
    "lessons": "trials:learn",
    "lr-find": "trials:find_learning_rate",
    "tune": "trials:tune",
    "export": "evaluation:export",
    "check-export": "evaluation:check_export",
}


def main(arguments: list[str] | None = None) -> int:
    """Run one job; return the exit code."""
    for stream in (sys.stdout, sys.stderr):  # libraries print any characters
        use_utf8(stream)
    parser = argparse.ArgumentParser(prog="python -m workbench.worker")
    commands = parser.add_subparsers(dest="job", required=True)
    train = commands.add_parser("train")
    train.add_argument("folder", type=Path)
    train.add_argument("--lock-fd", type=int, required=True)
    train.add_argument("--slot-fd", type=int, action="append", default=[])
    train.add_argument("--resume", action="store_true")
    commands.add_parser("warm").add_argument("--channel-fd", type=int, required=True)
    for name in JOBS:
        commands.add_parser(name).add_argument("--events-fd", type=int, required=True)
    options = parser.parse_args(arguments)
    if options.job in ("train", "warm"):
        # The terminal may close at any time; training continues.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if options.job == "train":
        from workbench.worker.session import train_run

        return train_run(options.folder, options.lock_fd, options.resume, options.slot_fd)
    if options.job == "warm":
        from workbench.worker.session import wait_for_run

        return wait_for_run(options.channel_fd)
    from workbench.worker.jobs import serve

    module, _, function = JOBS[options.job].partition(":")
    job = getattr(importlib.import_module(f"workbench.worker.{module}"), function)
    return serve(job, options.events_fd)


if __name__ == "__main__":
    sys.exit(main())
