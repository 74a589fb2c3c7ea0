"""Asks the backend of Keras, and goes on behind a step that ended its process."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench.machine.facts import DeviceSpeed, Framework, Outcome, Step
from workbench.machine.gpus import VARIABLE
from workbench.machine.probe import Answer, run_probe
from workbench.runs.process import worker_command

M = TypeVar("M", Step, DeviceSpeed)

MODULE = "workbench.training.backend"
MOST_STARTS = 4  # each costs an import; more steps than that do not crash by chance
FIRST_SHARE = 0.6  # of the time, for one process


def ask_framework(
    limit: float,
    known: Iterable[str] = (),
    environment: Mapping[str, str] = os.environ,
    module: str = MODULE,
) -> tuple[Framework | None, Outcome]:
    """What the backend offers and whether it trains on each device.

    A step that crashes or hangs is told as failed, and a new process does the rest, as long as
    there is time. Where one GPU keeps all others and the CPU from working, as one that is full or
    faulty does in TensorFlow, each is tried again with no other in sight.

    Args:
        limit: seconds for all of it (see `run_probe`).
        known: names of devices that need not be measured.
        module: what is run; tests have backends of their own.

    Returns:
        None for the first where nothing was answered. The outcome is that of the first process
        that did not end well; its stderr is that of all of them.
    """
    # Everything that the libraries have to say is wanted here, GPUs counted as NVML counts, and no
    # more of their memory taken than is needed.
    shown = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **environment,
        "TF_CPP_MIN_LOG_LEVEL": "0",
    }
    asked = _Asked(module, limit, limit * FIRST_SHARE, tuple(known))
    asked.ask(shown)
    if asked.one_blocks_all:
        asked.ask_each_alone(shown)
    return _framework(asked.merged), _together(asked.outcomes)


@dataclass
class _Asked:
    """The answers of one process after the other.

    Attributes:
        left: seconds of the limit that are left.
        longest: seconds that one process may take, so that one that hangs leaves time for others.
        merged: the answers so far.
        outcomes: of each process.
    """

    module: str
    left: float
    longest: float
    known: tuple[str, ...]
    merged: dict[str, Any] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)

    def ask(self, environment: Mapping[str, str]) -> None:
        """Asks for everything; goes on behind a step that ended its process."""
        done: list[str] = []
        for _ in range(MOST_STARTS):
            answer = self._start(environment, done)
            if answer is None:
                return
            ended_in = _merge(answer, self.merged, done)
            if answer.outcome.ok or not ended_in:
                return
            _fail(ended_in, answer.outcome, self.merged)

    @property
    def one_blocks_all(self) -> bool:
        """True where GPUs are listed and not even the CPU works beside them."""
        devices = self.merged.get("told", {}).get("devices", [])
        listed = any(isinstance(d, dict) and d.get("kind") == "gpu" for d in devices)
        return listed and any(
            step.get("device") == "cpu:0" and not step.get("jit") and step.get("error")
            for step in self.merged.get("steps", [])
        )

    def ask_each_alone(self, environment: Mapping[str, str]) -> None:
        """Tries the CPU without any GPU, then each GPU without the others."""
        failed, self.merged["steps"] = self.merged["steps"], []
        ids = [device["id"] for device in self.merged["told"]["devices"]]
        for device in ids:
            alone = {**environment, VARIABLE: _shown_alone(device, environment)}
            skip = [] if device == "cpu:0" else ["cpu:0", "cpu:0 jit"]
            answer = self._start(alone, skip)
            told: dict[str, Any] = {}
            if answer is not None:
                ended_in = _merge(answer, told, [])
                if ended_in:
                    _fail(ended_in, answer.outcome, told)
            here = "cpu:0" if device == "cpu:0" else "gpu:0"
            for kind in ("steps", "speeds"):
                found = [one for one in told.get(kind, []) if one.get("device") == here]
                renamed = [{**one, "device": device} for one in found]
                self.merged.setdefault(kind, []).extend(renamed)
            if not any(step.get("device") == device for step in self.merged["steps"]):
                self.merged["steps"] += [step for step in failed if step.get("device") == device]

    def _start(self, environment: Mapping[str, str], skip: list[str]) -> Answer | None:
        """One process; None where there is no time left for it."""
        if self.left <= 0:
            return None
        skipped = [word for step in skip for word in ("--skip", step)]
        given = [word for name in self.known for word in ("--known", name)]
        command = worker_command(self.module, *skipped, *given)
        answer = run_probe(command, min(self.left, self.longest), environment)
        self.left -= answer.counted
        self.outcomes.append(answer.outcome)
        return answer


def _shown_alone(device: str, environment: Mapping[str, str]) -> str:
    """What CUDA_VISIBLE_DEVICES has to be for one device alone."""
    if device == "cpu:0":
        return "-1"
    number = int(device.partition(":")[2])
    named = environment.get(VARIABLE, "").split(",")
    return named[number].strip() if environment.get(VARIABLE) else str(number)


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
