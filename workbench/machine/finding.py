"""A finding of the machine check: one plain sentence, what it means, and one thing to do."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from workbench.machine.facts import Facts, Gpu
from workbench.text import safe_text

Severity = Literal["broken", "warning", "note"]

# What shows when a GPU cannot be used, whatever the cause.
STEP_SYMPTOMS = frozenset({"gpu-compute", "gpu-jit", "gpu-speed"})
GPU_SYMPTOMS = STEP_SYMPTOMS | {"gpu-untested", "framework-no-gpu"}


@dataclass(frozen=True)
class Finding:
    """One thing that a user should know about this machine. All its text is safe to print.

    Attributes:
        id: kebab-case, the same for the same cause.
        what: one plain sentence: what was found, with its values.
        why: one or two plain sentences: what it means.
        remedy: one line to type or to do; "" where there is none.
        severity: broken: training cannot run here; warning: the GPU cannot be used, or training
            will suffer; note: worth knowing, without effect on training.
        explains: ids of findings that are consequences of this one.
        consequences: those of them that were found.
        short: `what` in a few words, for the verdict.
    """

    id: str
    what: str
    why: str
    remedy: str = ""
    severity: Severity = "warning"
    explains: frozenset[str] = frozenset()
    consequences: tuple["Finding", ...] = ()
    short: str = ""


Findings = Iterator[Finding]
Rule = Callable[[Facts], Findings]


def quote(message: str, limit: int = 140) -> str:
    """Return another program's message, safe to print and short, for the end of a sentence."""
    return safe_text(message.strip(), limit).rstrip(" .")


def shell_safe(name: str) -> str:
    """Return a name for a line that users copy into a shell, without characters that act there."""
    return "".join(c for c in name[:100] if c.isascii() and (c.isalnum() or c in "-_.+/:"))


def last_line(text: str) -> str:
    """Return the last line that is not empty: where programs report why they ended."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def gpu_label(gpu: Gpu) -> str:
    """Return a label such as "GPU 1 (NVIDIA H200)"."""
    return f"GPU {gpu.index} ({safe_text(gpu.name, 60)})" if gpu.name else f"GPU {gpu.index}"


def gpu_labels(gpus: Iterable[Gpu]) -> str:
    """Return "GPU 0 (NVIDIA H200) and GPU 1 (NVIDIA H200)"."""
    return join_names([gpu_label(gpu) for gpu in gpus])


def join_names(names: list[str]) -> str:
    """Return "a, b and c"; of more than five, the first four and how many more."""
    if len(names) > 5:
        names = [*names[:4], f"{len(names) - 4} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def version_numbers(version: str) -> tuple[int, ...]:
    """Return (525, 60, 13) for "525.60.13"; what follows the numbers is ignored, () for none."""
    match = re.match(r"\d{1,9}(\.\d{1,9})*", version.strip())
    return tuple(int(number) for number in match[0].split(".")) if match else ()
