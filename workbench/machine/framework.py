"""Asks the backend of Keras, and goes on behind a step that ended its process."""

import os
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench.machine.facts import DeviceSpeed, Framework, Outcome, Step
from workbench.machine.probe import Answer, run_probe
from workbench.runs.process import worker_command

M = TypeVar("M", Step, DeviceSpeed)

MODULE = "workbench.training.backend"
MOST_STARTS = 4  # each costs an import; more steps than that do not crash by chance


def ask_framework(
    limit: float,
    known: Iterable[str] = (),
    environment: Mapping[str, str] = os.environ,
    module: str = MODULE,
) -> tuple[Framework | None, Outcome]:
    """What the backend offers and whether it trains on each device.

    A step that crashes or hangs is told as failed, and a new process does the rest, as long as
    there is time.

    Args:
        limit: seconds for all of it.
        known: names of devices that need not be measured.
        module: what is run; tests have backends of their own.

    Returns:
        None for the first where nothing was answered. The outcome is that of the first process
        that did not end well; its stderr is that of all of them.
    """
    deadline = time.monotonic() + limit
    # Everything that the libraries have to say is wanted here, and GPUs counted as NVML counts.
    shown = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **environment, "TF_CPP_MIN_LOG_LEVEL": "0"}
    merged: dict[str, Any] = {}
    outcomes: list[Outcome] = []
    done: list[str] = []
    for _ in range(MOST_STARTS):
        left = deadline - time.monotonic()
        if left <= 0:
            break
        skipped = [word for step in done for word in ("--skip", step)]
        given = [word for name in known for word in ("--known", name)]
        answer = run_probe(worker_command(module, *skipped, *given), left, shown)
        outcomes.append(answer.outcome)
        ended_in = _merge(answer, merged, done)
        if answer.outcome.ok or not ended_in:
            break
        _fail(ended_in, answer.outcome, merged)
    return _framework(merged), _together(outcomes)


def _merge(answer: Answer, merged: dict[str, Any], done: list[str]) -> str:
    """Takes the lines in; returns the step that was begun and not told of, "" for none."""
    begun = ""
    for line in answer.lines:
        match line:
            case {"framework": dict(told)}:
                merged.setdefault("told", told)
            case {"begin": str(name)}:
                begun = name
                done.append(name)
            case {"step": dict(step)}:
                merged.setdefault("steps", []).append(step)
                begun = ""
            case {"speed": dict(speed)}:
                merged.setdefault("speeds", []).append(speed)
                begun = ""
    return begun


def _fail(step: str, outcome: Outcome, merged: dict[str, Any]) -> None:
    """Notes the step that took its process along."""
    device, _, how = step.partition(" ")
    words = f"the process {_VERBS[outcome.status]} {outcome.detail}"
    failed = {"device": device, "jit": how == "jit", "error": words}
    merged.setdefault("steps", []).append(failed)
    merged.setdefault("current", step)
    merged.setdefault("stopped", outcome.detail)


_VERBS = {
    "failed": "ended",
    "crashed": "was ended",
    "hung": "gave no answer",
    "flooded": "was ended",
    "garbled": "ended",
    "ok": "ended",
}


def _framework(merged: dict[str, Any]) -> Framework | None:
    """The answers as one, without those that are none."""
    try:
        told = Framework.model_validate(merged["told"])
    except (KeyError, ValidationError):
        return None
    return told.model_copy(
        update={
            "steps": tuple(_valid(Step, merged.get("steps", []))),
            "speeds": tuple(_valid(DeviceSpeed, merged.get("speeds", []))),
            "current": merged.get("current", ""),
            "stopped": merged.get("stopped", ""),
        }
    )


def _valid(model: type[M], found: list[Any]) -> Iterable[M]:
    for one in found:
        try:
            yield model.model_validate(one)
        except ValidationError:
            continue


def _together(outcomes: list[Outcome]) -> Outcome:
    first = next((one for one in outcomes if not one.ok), outcomes[-1])
    printed = "\n".join(one.stderr for one in outcomes if one.stderr)
    seconds = sum(one.seconds for one in outcomes)
    return first.model_copy(update={"stderr": printed, "seconds": seconds})
