"""The machine check: runs every probe, each within its time limit, and diagnoses the results."""

import os
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from workbench.machine.backends import read_backends
from workbench.machine.benchmark_store import MAX_BUSY_SHARE, BenchmarkResult, BenchmarkStore
from workbench.machine.diagnosis import Diagnosis, diagnose
from workbench.machine.facts import (
    Decoding,
    Facts,
    Framework,
    FrameworkDevice,
    Libraries,
    Nvml,
    ProbeOutcome,
)
from workbench.machine.finding import gpu_behind
from workbench.machine.framework import MODULE as FRAMEWORK
from workbench.machine.framework import probe_framework
from workbench.machine.gpus import AUTO, CPU, NONE, VARIABLE, GpuChoice, choose_gpu, visible_gpus
from workbench.machine.host_facts import Storage, System
from workbench.machine.probe import SMALL_PROBES, ProbeResult, run_probe
from workbench.machine.terminal import inspect_terminal
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.process import worker_command

# Seconds, as `run_probe` counts them. A probe of a healthy host takes a tenth of its limit; a
# compiler on a new GPU needs more.
LIMITS = {
    "nvml": 10.0,
    "libraries": 15.0,
    "system": 10.0,
    "storage": 10.0,
    "decoding": 15.0,
    "framework": 90.0,
}
QUICK = ("nvml", "libraries", "system", "storage")  # run at the same time

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class MachineReport:
    """The results of a check.

    Attributes:
        benchmarks: stored or just measured, by the device's name; "CPU" for the processor.
        seconds: that it took.
    """

    facts: Facts
    diagnosis: Diagnosis
    benchmarks: dict[str, BenchmarkResult] = field(default_factory=dict)
    seconds: float = 0.0


def check(
    workspace: Workspace,
    *,
    measure: bool = False,
    progress: Progress = silent,
    environment: Mapping[str, str] = os.environ,
    limits: Mapping[str, float] = LIMITS,
    framework_module: str = FRAMEWORK,
) -> MachineReport:
    """Run all probes and diagnose the results.

    Args:
        workspace: for its folders.
        measure: measure again what was measured before.
        progress: called with the probe that is running.
        environment: the variables of the probes.
        limits: seconds for each probe.
        framework_module: the child process of the framework; tests have their own.
    """
    began = time.monotonic()
    progress("probe the machine", 0, 3)
    results = _run_probes(QUICK, workspace, environment, limits)
    nvml = _model(Nvml, results["nvml"])
    stores = {name: BenchmarkStore(name, environment) for name in _devices(nvml, environment)}
    stored = {} if measure else _stored(stores)
    progress("read images", 1, 3)
    decoding = None
    if CPU not in stored or stored[CPU].images_per_second is None:
        results.update(_run_probes(("decoding",), workspace, environment, limits))
        decoding = _model(Decoding, results["decoding"])
    progress("start the framework and train a step", 2, 3)
    framework, outcome = probe_framework(limits["framework"], stored, environment, framework_module)
    outcomes = {name: result.outcome for name, result in results.items()}
    facts = Facts(
        visible_devices=environment.get("CUDA_VISIBLE_DEVICES"),
        backends=read_backends(environment),
        terminal=inspect_terminal(environment, sys.stdout),
        nvml=nvml,
        libraries=_model(Libraries, results["libraries"]),
        framework=framework,
        system=_model(System, results["system"]),
        storage=_model(Storage, results["storage"]),
        decoding=decoding,
        outcomes={**outcomes, "framework": outcome},
    )
    benchmarks = _benchmarks(facts, stored)
    _save(stores, benchmarks, facts)
    progress("start the framework and train a step", 3, 3)
    return MachineReport(facts, diagnose(facts), benchmarks, time.monotonic() - began)


def query_nvml(environment: Mapping[str, str] = os.environ) -> Nvml | None:
    """Return what NVML reports now; None where it does not respond."""
    return _model(
        Nvml, run_probe(worker_command(SMALL_PROBES, "nvml"), LIMITS["nvml"], environment)
    )


def find_gpu(requested: int | str = AUTO, environment: Mapping[str, str] = os.environ) -> GpuChoice:
    """Return the device that a run would use now (see `choose_gpu`).

    Raises:
        UserError: the requested GPU does not exist.
    """
    # A run on the CPU need not wait for a driver that hangs.
    nvml = None if requested == NONE else query_nvml(environment)
    return choose_gpu(requested, nvml, environment)


def _run_probes(
    names: tuple[str, ...],
    workspace: Workspace,
    environment: Mapping[str, str],
    limits: Mapping[str, float],
) -> dict[str, ProbeResult]:
    """Run several small probes at the same time, each with its own limit."""
    failed = ProbeResult(ProbeOutcome(status="failed", detail="before it was started"))
    results = dict.fromkeys(names, failed)
    cancelled = threading.Event()

    def run(name: str) -> None:
        command = worker_command(SMALL_PROBES, name, "--workspace", str(workspace.root))
        results[name] = run_probe(command, limits[name], environment, cancelled)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:  # Ctrl-C reaches only this thread
        cancelled.set()
    return results


def _model(model: type[Model], result: ProbeResult) -> Model | None:
    """Return the first report as a model; None where it is not valid."""
    with suppress(ValidationError, IndexError):
        return model.model_validate(result.lines[0])
    return None


def _devices(nvml: Nvml | None, environment: Mapping[str, str]) -> list[str]:
    """Return the devices that runs could use: the CPU, GPUs that are not hidden, slices."""
    names = [CPU]
    for gpu in visible_gpus(environment.get(VARIABLE), nvml.gpus if nvml else ()):
        names += [part.name for part in gpu.mig_devices] if gpu.mig else [gpu.name]
    return [name for name in dict.fromkeys(names) if name]


def _stored(stores: Mapping[str, BenchmarkStore]) -> dict[str, BenchmarkResult]:
    """Return reliable stored results of the devices themselves."""
    found = {name: store.load() for name, store in stores.items()}
    return {n: one for n, one in found.items() if one and one.device == n and one.reliable}


def _benchmarks(facts: Facts, stored: Mapping[str, BenchmarkResult]) -> dict[str, BenchmarkResult]:
    """Return results by the device's name: the stored ones, replaced by those just measured."""
    framework = facts.framework or Framework()
    devices = {device.id: device for device in framework.devices}
    found = dict(stored)
    for measured in framework.speeds:
        if device := devices.get(measured.device):
            found[device.name] = BenchmarkResult(
                device=device.name,
                kind=device.kind,
                precision=measured.precision,
                jit=measured.jit,
                speed=measured.speed,
                busy=max(measured.busy, _use(facts, device)),
            )
    rate = stored[CPU].images_per_second if CPU in stored else None
    if facts.decoding and (rate is None or facts.decoding.busy <= MAX_BUSY_SHARE):
        rate = facts.decoding.images_per_second
    return {n: one.model_copy(update={"images_per_second": rate}) for n, one in found.items()}


def _use(facts: Facts, device: FrameworkDevice) -> float:
    """Return how busy other programs kept a GPU before it was measured, from 0 to 1."""
    gpu = gpu_behind(facts, device.id) if device.kind == "gpu" else None
    return (gpu.utilization or 0) / 100 if gpu else 0.0


def _save(
    stores: Mapping[str, BenchmarkStore], benchmarks: Mapping[str, BenchmarkResult], facts: Facts
) -> None:
    """Store each device's own results; those of the CPU also for a GPU that cannot be used."""
    usable = {device.name for device in (facts.framework or Framework()).devices}
    for name, store in stores.items():
        if found := benchmarks.get(name if name in usable else CPU):
            with suppress(OSError):  # they are shown anyway, and measured again next time
                store.save(found)
