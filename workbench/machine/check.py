"""The machine check: runs every probe, each within its time limit, and diagnoses the results.

What changes from minute to minute is probed each time. The framework is imported only where
something has changed that decides about its result (see `kept_check`), or on request.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from workbench.machine.backends import read_backends
from workbench.machine.benchmark_store import MAX_BUSY_SHARE, BenchmarkResult, BenchmarkStore
from workbench.machine.diagnosis import Diagnosis, diagnose
from workbench.machine.driver import NVML_SECONDS
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
from workbench.machine.gpus import CPU, VARIABLE, visible_gpus
from workbench.machine.host_facts import Storage, System
from workbench.machine.kept import forget, keep, load_kept
from workbench.machine.kept_check import KeptCheck, check_path, worth_keeping
from workbench.machine.probe import SMALL_PROBES, ProbeResult, run_probe
from workbench.machine.terminal import inspect_terminal
from workbench.machine.trial import keep_trials
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.process import worker_command

# Seconds, as `run_probe` counts them. A probe of a healthy host takes a tenth of its limit; a
# compiler on a new GPU needs more.
LIMITS = {
    "nvml": NVML_SECONDS,
    "libraries": 15.0,
    "system": 10.0,
    "storage": 10.0,
    "decoding": 15.0,
    "framework": 90.0,
}
QUICK = ("nvml", "system", "storage")  # run at the same time, in every check

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
        measure: try and measure again what is known.
        progress: called with the probe that is running.
        environment: the variables of the probes.
        limits: seconds for each probe.
        framework_module: the child process of the framework; tests have their own.
    """
    began = time.monotonic()
    progress(tr("probe the machine"), 0, 3)
    with _probes(QUICK, workspace, environment, limits) as results:
        pass
    nvml, system = _model(Nvml, results["nvml"]), _model(System, results["system"])
    stores = {name: BenchmarkStore(name, environment) for name in _devices(nvml, environment)}
    stored = {} if measure else _stored(stores)
    path = check_path(nvml, system, environment)
    is_measured = not measure and all(store.load() for store in stores.values())
    kept = load_kept(path, KeptCheck) if is_measured else None
    progress(tr("read images"), 1, 3)
    decoding = None
    if CPU not in stored or stored[CPU].images_per_second is None:
        with _probes(("decoding",), workspace, environment, limits) as more:
            pass
        results.update(more)
        decoding = _model(Decoding, results["decoding"])
    progress(tr("start the framework and train a step"), 2, 3)
    framework: Framework | None
    libraries: Libraries | None
    if kept:
        framework, libraries, outcomes = kept.framework, kept.libraries, kept.outcomes
    else:
        with _probes(("libraries",), workspace, environment, limits) as more:
            framework, outcome = probe_framework(
                limits["framework"],
                [one.measured_as for one in stored.values()],
                environment,
                framework_module,
            )
        libraries = _model(Libraries, more["libraries"])
        outcomes = {"libraries": more["libraries"].outcome, "framework": outcome}
    facts = Facts(
        visible_devices=environment.get(VARIABLE),
        backends=read_backends(environment),
        terminal=inspect_terminal(environment, sys.stdout),
        nvml=nvml,
        libraries=libraries,
        framework=framework,
        system=system,
        storage=_model(Storage, results["storage"]),
        decoding=decoding,
        outcomes={**{name: result.outcome for name, result in results.items()}, **outcomes},
        tried=kept.tried if kept else 0.0,
    )
    benchmarks = _benchmarks(facts, stored)
    if not kept:
        _save(path, facts, environment)
    if not kept or decoding:
        _save_benchmarks(stores, benchmarks, facts)
    progress(tr("start the framework and train a step"), 3, 3)
    return MachineReport(facts, diagnose(facts), benchmarks, time.monotonic() - began)


@contextmanager
def _probes(
    names: tuple[str, ...],
    workspace: Workspace,
    environment: Mapping[str, str],
    limits: Mapping[str, float],
) -> Iterator[dict[str, ProbeResult]]:
    """Run small probes beside the block, each with its own limit; yield their results to be."""
    failed = ProbeResult(ProbeOutcome(status="failed", detail=tr("before it was started")))
    results = dict.fromkeys(names, failed)
    cancelled = threading.Event()

    def run(name: str) -> None:
        command = worker_command(SMALL_PROBES, name, "--workspace", str(workspace.root))
        results[name] = run_probe(command, limits[name], environment, cancelled)

    threads = [threading.Thread(target=run, args=(name,)) for name in names]
    try:
        for thread in threads:
            thread.start()
        yield results
        for thread in threads:
            thread.join()
    finally:  # Ctrl-C reaches only this thread
        cancelled.set()


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
    """Return the stored results of the devices themselves."""
    found = {name: store.load() for name, store in stores.items()}
    return {n: one for n, one in found.items() if one and one.device == n}


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


def _save(path: Path, facts: Facts, environment: Mapping[str, str]) -> None:
    """Keep what the framework showed, for the next check and for runs."""
    found = worth_keeping(facts, time.time())
    with suppress(OSError):  # it is shown anyway, and tried again next time
        keep(path, found) if found else forget(path)
        if facts.framework:
            keep_trials(facts.framework, environment)


def _save_benchmarks(
    stores: Mapping[str, BenchmarkStore], benchmarks: Mapping[str, BenchmarkResult], facts: Facts
) -> None:
    """Store each device's own results; those of the CPU also for a GPU that cannot be used."""
    usable = {device.name for device in (facts.framework or Framework()).devices}
    for name, store in stores.items():
        if found := benchmarks.get(name if name in usable else CPU):
            with suppress(OSError):  # they are shown anyway, and measured again next time
                store.save(found)
