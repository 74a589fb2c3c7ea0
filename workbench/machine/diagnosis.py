"""From the reports of the probes to what a user should know: findings, a verdict, an exit code.

Nothing here inspects the machine: the same facts give the same diagnosis.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from workbench.machine.facts import Facts
from workbench.machine.finding import Finding, Rule, Severity, outcome, working_gpus
from workbench.machine.rules import driver, framework, gpus, host, training
from workbench.text import plural, safe_text

MachineState = Literal["usable", "degraded", "broken"]

EXIT_CODES: dict[MachineState, int] = {"usable": 0, "degraded": 1, "broken": 2}

# The most basic cause first: a finding is folded beneath an earlier one that explains it.
RULES: tuple[Rule, ...] = (
    driver.native_windows,
    driver.wsl1,
    driver.driver,
    driver.driver_silent,
    gpus.hardware,
    driver.devices,
    driver.driver_too_old,
    framework.cpu_only_install,
    framework.libraries,
    gpus.hidden_gpus,
    gpus.mig,
    gpus.gpu_too_old,
    gpus.pascal_cudnn,
    gpus.blackwell,
    training.cudnn_old,
    training.libdevice,
    training.memory_taken,
    framework.keras_settings,
    framework.backend_missing,
    framework.framework_silent,
    training.cpu_compute,
    training.framework_no_gpu,
    training.gpu_compute,
    host.silent_probes,
    host.writable,
    host.locks,
    host.disk,
    host.memory,
    host.logout,
    host.slurm,
    host.terminal,
)


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
        return f"Broken: {_reasons(findings, 'broken')}"
    if facts.framework is None and outcome(facts, "framework") is None:
        return "Not known yet: the framework was not tried"
    if not working_gpus(facts):
        first = next((finding for finding in findings if finding.severity == "warning"), None)
        return f"CPU only: {_short(first) if first else 'no GPU'}"
    if state == "usable":
        return f"GPU ready: {_gpu_names(facts)}"
    count = sum(finding.severity == "warning" for finding in findings)
    return f"GPU ready, with {plural(count, 'warning')}: {_reasons(findings, 'warning')}"


def _reasons(findings: tuple[Finding, ...], severity: Severity) -> str:
    return "; ".join(_short(finding) for finding in findings if finding.severity == severity)


def _short(finding: Finding) -> str:
    return finding.short or finding.what.rstrip(".")


def _gpu_names(facts: Facts) -> str:
    """Return "NVIDIA H200", or "8 x NVIDIA H200"."""
    names = Counter(safe_text(gpu.name, 60) for gpu in working_gpus(facts))
    return " and ".join(name if n == 1 else f"{n} x {name}" for name, n in names.items())
