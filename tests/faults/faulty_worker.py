"""The real worker, with a fault that strikes at a moment.

FAULT=kill MOMENT=scan python -m faulty_worker train FOLDER --lock-fd N [--resume]

A function of the product is replaced by one that counts its calls and lets the fault strike in
place of one of them; all others pass through.
"""

import functools
import importlib
import itertools
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faults import FAULTS
from moments import MOMENTS, STRIKES, Moment

import workbench.worker.train
from workbench.runs.events import Event
from workbench.worker.__main__ import main

Function = Callable[..., Any]


def arm(moment: Moment, strike: Callable[[Function], Any]) -> None:
    """Let the fault strike at the moment."""
    module, _, name = moment.function.partition(":")
    *owners, last = name.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    original: Function = getattr(owner, last)
    calls = itertools.count(1)  # its next is atomic between threads

    @functools.wraps(original)
    def replaced(*args: Any, **kwargs: Any) -> Any:
        proceed = functools.partial(original, *args, **kwargs)
        if not _matches(moment.pattern, args) or next(calls) != moment.call:
            return proceed()
        print(STRIKES, flush=True)
        if moment.when == "after":
            result = proceed()
            return strike(lambda: result)
        if moment.when == "inside":
            proceed()
            _cut(next(Path(arg) for arg in args if isinstance(arg, str | Path)))
        return strike(proceed)

    setattr(owner, last, replaced)


def arm_in_time(moment: Moment, strike: Callable[[Function], Any]) -> None:
    """Arm at once, or as soon as keras may be imported."""
    if not moment.needs_keras:
        arm(moment, strike)
        return
    start_keras = workbench.worker.train.start_keras

    def start_and_arm(*arguments: Any) -> Any:
        device = start_keras(*arguments)
        one_step_a_call()
        arm(moment, strike)
        return device

    workbench.worker.train.start_keras = start_and_arm


def one_step_a_call() -> None:
    """Let every step be a moment of its own, however fast the machine is."""
    importlib.import_module("workbench.training.fused_steps").CALL_SECONDS = 0.0


def _matches(pattern: str, args: tuple[Any, ...]) -> bool:
    texts = [str(arg) for arg in args if isinstance(arg, str | Path | Event)]
    return not pattern or any(re.search(pattern, text) for text in texts)


def _cut(path: Path) -> None:
    """Leave what an interrupted write would."""
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)


if __name__ == "__main__":
    fault, folder = FAULTS[os.environ["FAULT"]], Path(sys.argv[2])
    arm_in_time(MOMENTS[os.environ["MOMENT"]], lambda proceed: fault.strike(proceed, folder))
    sys.exit(main())
