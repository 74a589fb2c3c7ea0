"""The machine in a dozen short lines, as the command and the screen show it."""

import time
from collections.abc import Mapping

from workbench.machine.benchmark_store import BenchmarkResult
from workbench.machine.facts import Facts, Gpu, Nvml
from workbench.machine.host_facts import StorageFolder, System
from workbench.text import format_bytes, format_gib, format_seconds, plural, safe_text

Row = tuple[str, str]


def rows(facts: Facts, benchmarks: Mapping[str, BenchmarkResult]) -> list[Row]:
    """Return label and text of each line; what is not known is left out.

    Args:
        facts: of the check.
        benchmarks: by the device's name, "CPU" for the processor.
    """
    found: list[Row] = []
    if facts.system:
        found.append(("cpu", _cpu(facts.system)))
    found += _gpus(facts.nvml)
    found.append(("framework", _framework(facts)))
    found += [("speed", format_benchmark(one)) for one in benchmarks.values()]
    rates = (one.images_per_second for one in benchmarks.values() if one.images_per_second)
    if rate := next(rates, None):
        found.append(("images", f"{rate:,.0f} a second read and resized (500x375 to 150x150)"))
    if facts.storage:
        found += [("disk", _disk(facts.storage.places))]
        found.append(("weights", _weights(facts)))
    found.append(("session", _session(facts)))
    found.append(("terminal", _terminal(facts)))
    return [(label, text) for label, text in found if text]


def format_benchmark(result: BenchmarkResult) -> str:
    """Return the measured speed: CPU 221 GFLOP/s in a VGG16-like convolution, ..."""
    device = safe_text(result.device, 40)
    forward, training = result.speed.forward_flops, result.speed.training_flops
    noise = "" if result.reliable else " (other programs kept the CPU busy)"
    return (
        f"{device} {human_flops(forward)} in a convolution, {human_flops(training)} trained{noise}"
    )


def human_flops(rate: float) -> str:
    """Return operations per second: 221 GFLOP/s, 47.3 TFLOP/s."""
    return f"{rate / 1e12:,.1f} TFLOP/s" if rate >= 1e12 else f"{rate / 1e9:,.0f} GFLOP/s"


def format_gpu(gpu: Gpu) -> str:
    """Return a GPU's gauges: NVIDIA H200, 12.1 of 139.8 GiB used, 34 % busy, 41 °C."""
    if gpu.error:
        return f"{safe_text(gpu.name or 'GPU', 40)}: {safe_text(gpu.error, 60)}"
    used = f"{gpu.memory_used / 2**30:.1f} of {format_gib(gpu.memory_total)} used"
    parts = [safe_text(gpu.name, 40), used]
    if gpu.utilization is not None:
        parts.append(f"{gpu.utilization} % busy")
    if gpu.temperature is not None:
        parts.append(f"{gpu.temperature} °C")
    return ", ".join(parts)


def _cpu(system: System) -> str:
    cores = f"{system.cores_allowed:g}"
    if system.cores_allowed != system.cores:
        cores += f" of {system.cores}"
    memory = (
        f"{format_gib(system.memory_available)} of {format_gib(system.memory_total)} memory free"
    )
    return f"{safe_text(system.cpu, 40) or 'processor'}, {cores} cores, {memory}"


def _gpus(nvml: Nvml | None) -> list[Row]:
    if nvml is None or not nvml.gpus:
        return [("gpu", "none")]
    found = [(f"gpu {gpu.index}", format_gpu(gpu)) for gpu in nvml.gpus]
    cuda = f", CUDA up to {nvml.cuda[0]}.{nvml.cuda[1]}" if nvml.cuda else ""
    return [*found, ("driver", f"{safe_text(nvml.driver, 20)}{cuda}")] if nvml.driver else found


def _framework(facts: Facts) -> str:
    backends, framework = facts.backends, facts.framework
    keras = f"keras {safe_text(backends.keras, 20)} on {safe_text(backends.chosen, 20)}"
    version = backends.installed.get(backends.chosen, "")
    others = [name for name in backends.installed if name != backends.chosen]
    also = f"; also installed: {', '.join(others)}" if others else ""
    if framework is None:
        return f"{keras} {safe_text(version, 20)}: did not respond{also}"
    failed = {step.device for step in framework.steps if step.error}
    tried = {step.device for step in framework.steps} - failed
    works = f", trains on {', '.join(sorted(tried))}" if tried else ""
    return f"{keras} {safe_text(framework.version, 20)}{works}{also}"


def _disk(places: tuple[StorageFolder, ...]) -> str:
    """Return the free space of each disk once: 80 GB free for runs, packs, cache."""
    by_free: dict[int | None, list[StorageFolder]] = {}
    for place in places:
        by_free.setdefault(place.free, []).append(place)
    parts = []
    for free, group in by_free.items():
        names = [place.what for place in group]
        space = "unknown space" if free is None else f"{format_bytes(free)} free"
        parts.append(f"{space} for {', '.join(names)}")
    return "; ".join(parts)


def _weights(facts: Facts) -> str:
    assert facts.storage is not None
    there = [one.base for one in facts.storage.weights if one.path]
    missing = [one for one in facts.storage.weights if not one.path]
    parts = [f"{', '.join(there)} here"] if there else []
    if missing:
        sizes = [
            f"{one.base}{f' ({format_bytes(one.size)})' if one.size else ''}" for one in missing
        ]
        parts.append(f"{', '.join(sizes)} when needed, by download")
    return "; ".join(parts)


def _session(facts: Facts) -> str:
    system = facts.system
    parts = ["ssh"] if facts.terminal.ssh else []
    if facts.terminal.multiplexer:
        parts.append(facts.terminal.multiplexer)
    if system and system.container:
        parts.append(f"in a container ({safe_text(system.container.kind, 20)})")
    if system and system.virtual:
        parts.append(system.virtual.upper())
    if system and system.slurm and system.slurm.job:
        parts.append(_slurm(system.slurm.job, system.slurm.ends))
    return ", ".join(parts)


def _slurm(job: str, ends: float | None) -> str:
    left = f", {format_seconds(max(ends - time.time(), 0))} left" if ends else ""
    return f"SLURM job {safe_text(job, 20)}{left}"


def _terminal(facts: Facts) -> str:
    terminal = facts.terminal
    if not terminal.interactive:
        return ""
    colors = plural(terminal.colors, "colour") if terminal.colors else "no colours"
    letters = "UTF-8" if terminal.utf8 else "no UTF-8"
    return f"{terminal.columns}x{terminal.rows}, {colors}, {letters}"
