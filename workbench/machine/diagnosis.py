"""From what the probes told to what a person should know: findings, a verdict, an exit code.

Nothing here looks at the machine: the same facts give the same diagnosis.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from workbench.machine import host_faults as box_faults
from workbench.machine.facts import Facts
from workbench.machine.finding import Finding, Severity
from workbench.machine.gpu_faults import GPU_RULES, Rule
from workbench.machine.steps import outcome, working_gpus
from workbench.text import plural, safe_text

__all__ = ["RULES", "Diagnosis", "Finding", "Severity", "diagnose", "fold"]

Word = Literal["usable", "degraded", "broken"]

EXIT_CODES: dict[Word, int] = {"usable": 0, "degraded": 1, "broken": 2}

# From the most basic cause up: a finding is folded beneath an earlier one that explains it.
RULES: tuple[Rule, ...] = (
    *GPU_RULES,
    box_faults.silent_probes,
    box_faults.writable,
    box_faults.locks,
    box_faults.disk,
    box_faults.memory,
    box_faults.logout,
    box_faults.slurm,
    box_faults.terminal,
)


@dataclass(frozen=True)
class Diagnosis:
    """What a check of the machine found.

    Attributes:
        verdict: the outcome in short words: "GPU ready: NVIDIA H200", "CPU only: ...",
            "Broken: ...".
        word: usable: a GPU works and nothing will hurt; degraded: training runs, but on the CPU,
            or something will hurt; broken: it does not run.
        exit_code: 0, 1 or 2 for these three.
        findings: the most basic cause first; what follows from a cause is folded beneath it.
    """

    verdict: str
    word: Word
    exit_code: int
    findings: tuple[Finding, ...]


def diagnose(facts: Facts) -> Diagnosis:
    """What the facts mean. Facts that are not known yet give no findings."""
    findings = fold(finding for rule in RULES for finding in rule(facts))
    word = _word(facts, findings)
    return Diagnosis(_verdict(facts, word, findings), word, EXIT_CODES[word], findings)


def fold(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that an earlier one explains become its consequences; the first cause takes them."""
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
                explains=found.explains | finding.explains,  # what follows from what follows
            )
    return tuple(kept)


def _word(facts: Facts, findings: tuple[Finding, ...]) -> Word:
    severities = {finding.severity for finding in findings}
    if "broken" in severities:
        return "broken"
    return "degraded" if "warning" in severities or not working_gpus(facts) else "usable"


def _verdict(facts: Facts, word: Word, findings: tuple[Finding, ...]) -> str:
    if word == "broken":
        return f"Broken: {_reasons(findings, 'broken')}"
    if facts.framework is None and outcome(facts, "framework") is None:
        return "Not known yet: nothing was trained for a trial"
    if not working_gpus(facts):
        first = next((finding for finding in findings if finding.severity == "warning"), None)
        return f"CPU only: {_short(first) if first else 'no GPU'}"
    if word == "usable":
        return f"GPU ready: {_gpu_names(facts)}"
    count = sum(finding.severity == "warning" for finding in findings)
    return f"GPU ready, with {plural(count, 'warning')}: {_reasons(findings, 'warning')}"


def _reasons(findings: tuple[Finding, ...], severity: Severity) -> str:
    return "; ".join(_short(finding) for finding in findings if finding.severity == severity)


def _short(finding: Finding) -> str:
    return finding.short or finding.what.rstrip(".")


def _gpu_names(facts: Facts) -> str:
    """NVIDIA H200, or 8 x NVIDIA H200."""
    names = Counter(safe_text(gpu.name, 60) for gpu in working_gpus(facts))
    return " and ".join(name if n == 1 else f"{n} x {name}" for name, n in names.items())
