"""The machine check: asks every probe, in time whatever they do, and says what it means."""

import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import ValidationError

from workbench.machine.backends import read_backends
from workbench.machine.benchmark_store import BUSY, Figures, Shelf
from workbench.machine.diagnosis import Diagnosis, diagnose
from workbench.machine.facts import (
    Decoding,
    Facts,
    Framework,
    FrameworkDevice,
    Libraries,
    Nvml,
    Outcome,
    Storage,
    System,
    Told,
)
from workbench.machine.framework import MODULE as FRAMEWORK
from workbench.machine.framework import ask_framework
from workbench.machine.gpus import AUTO, CPU, NONE, VARIABLE, Choice, choose_gpu
from workbench.machine.probe import run_probe
from workbench.machine.steps import gpu_behind
from workbench.machine.terminal import look_at_terminal
from workbench.machine.visibility import visible_gpus
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.process import worker_command

ASK = "workbench.machine.ask"
# Seconds, as `run_probe` counts them. A probe of a healthy box takes a tenth of its limit; a
# compiler on a new GPU needs more.
LIMITS = {
    "nvml": 10.0,
    "libraries": 15.0,
    "system": 10.0,
    "storage": 10.0,
    "decoding": 15.0,
    "framework": 90.0,
}
QUICK = ("nvml", "libraries", "system", "storage")  # asked all at once

Model = TypeVar("Model", bound=Told)


@dataclass(frozen=True)
class Report:
    """What the check found.

    Attributes:
        figures: kept or just measured, by the device's name; "CPU" for the processor.
        seconds: that it took.
    """

    facts: Facts
    diagnosis: Diagnosis
    figures: dict[str, Figures] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Modules:
    """What is run for the probes; tests have modules of their own."""

    ask: str = ASK
    framework: str = FRAMEWORK


def check(
    workspace: Workspace,
    *,
    measure: bool = False,
    progress: Progress = silent,
    environment: Mapping[str, str] = os.environ,
    limits: Mapping[str, float] = LIMITS,
    modules: Modules = Modules(),
) -> Report:
    """Asks the box and diagnoses.

    Args:
        measure: measure anew what was measured before.
        progress: told what is being asked.
        limits: seconds for each probe.
    """
    began = time.monotonic()
    asker = _Asker(workspace, environment, limits, modules)
    progress("ask the box", 0, 3)
    told = asker.at_once(QUICK)
    nvml = _model(Nvml, told["nvml"])
    shelves = {name: Shelf(name, environment) for name in _devices(nvml, environment)}
    kept = {} if measure else _kept(shelves)
    progress("read images", 1, 3)
    decoding = None
    if CPU not in kept or kept[CPU].images_per_second is None:
        told.update(asker.at_once(("decoding",)))
        decoding = _model(Decoding, told["decoding"])
    progress("start the framework and train a step", 2, 3)
    framework, outcome = ask_framework(limits["framework"], kept, environment, modules.framework)
    outcomes = {name: answer[1] for name, answer in told.items()}
    facts = Facts(
        visible_devices=environment.get("CUDA_VISIBLE_DEVICES"),
        backends=read_backends(environment),
        terminal=look_at_terminal(environment, sys.stdout),
        nvml=nvml,
        libraries=_model(Libraries, told["libraries"]),
        framework=framework,
        system=_model(System, told["system"]),
        storage=_model(Storage, told["storage"]),
        decoding=decoding,
        outcomes={**outcomes, "framework": outcome},
    )
    figures = _measured(facts, kept)
    _keep(shelves, figures, facts)
    progress("start the framework and train a step", 3, 3)
    return Report(facts, diagnose(facts), figures, time.monotonic() - began)


def ask_nvml(environment: Mapping[str, str] = os.environ, module: str = ASK) -> Nvml | None:
    """What NVML tells at this moment; None where it does not answer."""
    command = worker_command(module, "nvml")
    answer = run_probe(command, LIMITS["nvml"], environment)
    return _model(Nvml, (answer.lines, answer.outcome))


def look_at_gpus(
    asked: int | str = AUTO, environment: Mapping[str, str] = os.environ, module: str = ASK
) -> Choice:
    """The device that a run would take at this moment (see `choose_gpu`).

    Raises:
        UserError: the GPU asked for is not there.
    """
    # Who wants the CPU need not wait for a driver that hangs.
    nvml = None if asked == NONE else ask_nvml(environment, module)
    return choose_gpu(asked, nvml, environment)


Answers = tuple[tuple[dict[str, Any], ...], Outcome]


@dataclass(frozen=True)
class _Asker:
    workspace: Workspace
    environment: Mapping[str, str]
    limits: Mapping[str, float]
    modules: Modules

    def at_once(self, names: tuple[str, ...]) -> dict[str, Answers]:
        """Asks several probes beside each other; each has its own limit."""
        failed = Outcome(status="failed", detail="before it was asked")
        told: dict[str, Answers] = dict.fromkeys(names, ((), failed))
        cancelled = threading.Event()
        root = str(self.workspace.root)

        def ask(name: str) -> None:
            command = worker_command(self.modules.ask, name, "--workspace", root)
            answer = run_probe(command, self.limits[name], self.environment, cancelled)
            told[name] = (answer.lines, answer.outcome)

        threads = [threading.Thread(target=ask, args=(name,)) for name in names]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:  # Ctrl-C reaches this thread alone
            cancelled.set()
        return told


def _model(model: type[Model], answers: Answers) -> Model | None:
    """The first answer as a model; None where it is none."""
    lines, _ = answers
    with suppress(ValidationError, IndexError):
        return model.model_validate(lines[0])
    return None


def _devices(nvml: Nvml | None, environment: Mapping[str, str]) -> list[str]:
    """Names of the devices that runs could take: the CPU, GPUs that are not hidden, slices."""
    names = [CPU]
    for gpu in visible_gpus(environment.get(VARIABLE), nvml.gpus if nvml else ()):
        names += [part.name for part in gpu.mig_devices] if gpu.mig else [gpu.name]
    return [name for name in dict.fromkeys(names) if name]


def _kept(shelves: Mapping[str, Shelf]) -> dict[str, Figures]:
    """What was measured of the devices themselves, on a quiet box."""
    found = {name: shelf.load() for name, shelf in shelves.items()}
    return {name: f for name, f in found.items() if f and f.device == name and f.worth_keeping}


def _measured(facts: Facts, kept: Mapping[str, Figures]) -> dict[str, Figures]:
    """The figures kept, and over them what was measured just now, by the device's name."""
    framework = facts.framework or Framework()
    devices = {device.id: device for device in framework.devices}
    found = dict(kept)
    for told in framework.speeds:
        if device := devices.get(told.device):
            found[device.name] = Figures(
                device=device.name,
                kind=device.kind,
                precision=told.precision,
                jit=told.jit,
                speed=told.speed,
                busy=max(told.busy, _use(facts, device)),
            )
    rate = kept[CPU].images_per_second if CPU in kept else None
    if facts.decoding and (rate is None or facts.decoding.busy <= BUSY):
        rate = facts.decoding.images_per_second
    return {n: f.model_copy(update={"images_per_second": rate}) for n, f in found.items()}


def _use(facts: Facts, device: FrameworkDevice) -> float:
    """How busy others kept a GPU before it was measured, from 0 to 1."""
    gpu = gpu_behind(facts, device.id) if device.kind == "gpu" else None
    return (gpu.utilization or 0) / 100 if gpu else 0.0


def _keep(shelves: Mapping[str, Shelf], figures: Mapping[str, Figures], facts: Facts) -> None:
    """Keeps each device's own figures; those of the CPU also for a GPU that cannot be used."""
    usable = {device.name for device in (facts.framework or Framework()).devices}
    for name, shelf in shelves.items():
        if found := figures.get(name if name in usable else CPU):
            with suppress(OSError):  # they are shown all the same, and measured again next time
                shelf.save(found)
