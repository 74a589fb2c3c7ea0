"""Probe the backend of Keras, and continue after a step that ended its process."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench.machine.facts import DeviceSpeed, Framework, ProbeOutcome, TrialStep
from workbench.machine.gpus import VARIABLE
from workbench.machine.probe import ProbeResult, run_probe
from workbench.machine.trial import FLOAT16, FLOAT32
from workbench.messages import tr
from workbench.runs.process import worker_command

M = TypeVar("M", TrialStep, DeviceSpeed)

MODULE = "workbench.training.probe"
MAX_STARTS = 4  # each costs an import; more steps than that do not crash by chance
FIRST_SHARE = 0.6  # of the time, for one process


def probe_framework(
    limit: float,
    known: Iterable[str] = (),
    environment: Mapping[str, str] = os.environ,
    module: str = MODULE,
) -> tuple[Framework | None, ProbeOutcome]:
    """Return what the backend offers and whether it trains on each device.

    A step that crashes or hangs is reported as failed, and a new process runs the rest while there
    is time. Where one GPU blocks all others and the CPU, as one that is full or faulty does in
    TensorFlow, each device is tried again with no other visible.

    Args:
        limit: seconds for all of it (see `run_probe`).
        known: speeds that need not be measured (see `measured_as`).
        environment: the variables of the process.
        module: the child process; tests have their own.

    Returns:
        None for the first where nothing was reported. The outcome is that of the first process
        that did not end well; its stderr is that of all of them.
    """
    # All messages of the libraries matter here; GPUs are counted as NVML counts, and no more of
    # their memory is used than needed.
    variables = {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        **environment,
        "TF_CPP_MIN_LOG_LEVEL": "0",
    }
    probe = _FrameworkProbe(module, limit, limit * FIRST_SHARE, tuple(known))
    probe.run(variables)
    if probe.one_blocks_all:
        probe.run_each_separately(variables)
    return _framework(probe.merged), _merge_outcomes(probe.outcomes)


@dataclass
class _FrameworkProbe:
    """The reports of one process after the other.

    Attributes:
        left: seconds of the limit that are left.
        longest: seconds that one process may take, so that one that hangs leaves time for others.
        merged: the reports so far.
        outcomes: of each process.
    """

    module: str
    left: float
    longest: float
    known: tuple[str, ...]
    merged: dict[str, Any] = field(default_factory=dict)
    outcomes: list[ProbeOutcome] = field(default_factory=list)

    def run(self, environment: Mapping[str, str]) -> None:
        """Try everything; continue after a step that ended its process."""
        done: list[str] = []
        for _ in range(MAX_STARTS):
            steps = self.merged.get("steps", [])
            result = self._start(environment, done, steps)
            if result is None:
                return
            ended_in = _merge(result, self.merged, done)
            if result.outcome.ok or not ended_in:
                return
            _fail(ended_in, result.outcome, self.merged)

    @property
    def one_blocks_all(self) -> bool:
        """True where GPUs are listed and not even the CPU works beside them."""
        devices = self.merged.get("framework", {}).get("devices", [])
        listed = any(isinstance(d, dict) and d.get("kind") == "gpu" for d in devices)
        return listed and any(
            step.get("device") == "cpu:0" and step.get("error")
            for step in self.merged.get("steps", [])
        )

    def run_each_separately(self, environment: Mapping[str, str]) -> None:
        """Try the CPU without any GPU, then each GPU without the others."""
        failed, self.merged["steps"] = self.merged["steps"], []
        for device in [device["id"] for device in self.merged["framework"]["devices"]]:
            variables = {**environment, VARIABLE: _visible_devices(device, environment)}
            skip = [] if device == "cpu:0" else ["cpu:0", "cpu:0 jit"]
            result = self._start(variables, skip)
            reported: dict[str, Any] = {}
            if result is not None:
                ended_in = _merge(result, reported, [])
                if ended_in:
                    _fail(ended_in, result.outcome, reported)
            here = "cpu:0" if device == "cpu:0" else "gpu:0"
            for kind in ("steps", "speeds"):
                found = [one for one in reported.get(kind, []) if one.get("device") == here]
                renamed = [{**one, "device": device} for one in found]
                self.merged.setdefault(kind, []).extend(renamed)
            if not any(step.get("device") == device for step in self.merged["steps"]):
                self.merged["steps"] += [step for step in failed if step.get("device") == device]

    def _start(
        self, environment: Mapping[str, str], skip: list[str], steps: Sequence[Any] = ()
    ) -> ProbeResult | None:
        """Run one process; None where there is no time left for it.

        Args:
            environment: its variables.
            skip: names of steps to leave out.
            steps: reports of those that earlier processes tried.
        """
        if self.left <= 0:
            return None
        skipped = [word for step in skip for word in ("--skip", step)]
        known = [word for name in self.known for word in ("--known", name)]
        tried = ["--steps", json.dumps(list(steps))] if steps else []
        command = worker_command(self.module, *skipped, *known, *tried)
        result = run_probe(command, min(self.left, self.longest), environment)
        self.left -= result.counted
        self.outcomes.append(result.outcome)
        return result


def _visible_devices(device: str, environment: Mapping[str, str]) -> str:
    """Return the CUDA_VISIBLE_DEVICES that leaves only one device."""
    if device == "cpu:0":
        return "-1"
    number = int(device.partition(":")[2])
    named = environment.get(VARIABLE, "").split(",")
    return named[number].strip() if environment.get(VARIABLE) else str(number)


def _merge(result: ProbeResult, merged: dict[str, Any], done: list[str]) -> str:
    """Add the reports; return the step that was begun without a result, "" for none."""
    begun = ""
    for line in result.lines:
        match line:
            case {"framework": dict(framework)}:
                merged.setdefault("framework", framework)
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


def _fail(step: str, outcome: ProbeOutcome, merged: dict[str, Any]) -> None:
    """Record the step that ended its process."""
    device, _, how = step.partition(" ")
    killed = tr("was ended") if outcome.status in ("crashed", "flooded") else "ended"
    verb = tr("did not respond") if outcome.status == "hung" else killed
    error = tr("the process {verb} {detail}", verb=verb, detail=outcome.detail)
    precision = FLOAT16 if how == "half" else FLOAT32
    failed = TrialStep(
        device=device,
        jit=how == "jit",
        precision=precision,
        error=error,
        ended=outcome.status != "hung",
    )
    merged.setdefault("steps", []).append(failed.model_dump())
    merged.setdefault("current", step)
    merged.setdefault("stopped", outcome.detail)


def _framework(merged: dict[str, Any]) -> Framework | None:
    """Return the reports as one, without those that are not valid."""
    try:
        framework = Framework.model_validate(merged["framework"])
    except (KeyError, ValidationError):
        return None
    return framework.model_copy(
        update={
            "steps": tuple(_valid(TrialStep, merged.get("steps", []))),
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


def _merge_outcomes(outcomes: list[ProbeOutcome]) -> ProbeOutcome:
    first = next((one for one in outcomes if not one.ok), outcomes[-1])
    printed = "\n".join(one.stderr for one in outcomes if one.stderr)
    seconds = sum(one.seconds for one in outcomes)
    return first.model_copy(update={"stderr": printed, "seconds": seconds})
