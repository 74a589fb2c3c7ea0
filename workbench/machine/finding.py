"""What a check of the machine finds: one plain sentence, what it means, and one thing to do."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from workbench.machine.facts import Gpu
from workbench.text import safe_text

Severity = Literal["broken", "warning", "note"]

# What is seen when a GPU cannot be used, whatever the cause.
STEP_SYMPTOMS = frozenset({"gpu-compute", "gpu-jit", "gpu-speed"})
GPU_SYMPTOMS = STEP_SYMPTOMS | {"gpu-untested", "framework-no-gpu"}
INSTALL_FAULTS = frozenset({"cpu-only-install", "wheels-missing", "library-path", "library-broken"})
# Everything that has no meaning of its own where the GPU cannot be reached at all.
GPU_FINDINGS = (
    GPU_SYMPTOMS
    | INSTALL_FAULTS
    | {"no-uvm", "cuda-init", "driver-too-old", "hidden-gpus", "mig", "mig-no-slices"}
    | {"card-too-old", "pascal-cudnn", "blackwell", "cudnn-old", "libdevice", "memory-taken"}
)


@dataclass(frozen=True)
class Finding:
    """One thing that a person should know about this machine. Everything in it is safe to print.

    Attributes:
        id: kebab-case, the same for the same cause.
        severity: broken: training cannot run here; warning: the GPU cannot be used, or something
            will hurt; note: worth knowing, costs nothing.
        what: one plain sentence of what was found, with its values.
        why: one or two plain sentences of what it means.
        remedy: one line to type or to do; "" where there is none.
        explains: ids of findings that are mere consequences of this one.
        consequences: those of them that were found.
        short: `what` in a few words, for the verdict.
    """

    id: str
    severity: Severity
    what: str
    why: str
    remedy: str = ""
    explains: frozenset[str] = field(default=frozenset())
    consequences: tuple["Finding", ...] = ()
    short: str = ""


def quote(words: str, limit: int = 140) -> str:
    """Words of another program, harmless and short, for the end of a sentence of ours."""
    return safe_text(words.strip(), limit).rstrip(" .")


def typed(word: str) -> str:
    """A name from outside for a line that people copy into a shell: nothing that acts there."""
    return "".join(c for c in word[:100] if c.isascii() and (c.isalnum() or c in "-_.+/:"))


def last_line(text: str) -> str:
    """The last line that is not empty: where programs tell why they ended."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def gpu_label(gpu: Gpu) -> str:
    """GPU 1 (NVIDIA H200)."""
    return f"GPU {gpu.index} ({safe_text(gpu.name, 60)})" if gpu.name else f"GPU {gpu.index}"


def gpu_labels(gpus: Iterable[Gpu]) -> str:
    """GPU 0 (NVIDIA H200) and GPU 1 (NVIDIA H200)."""
    return together([gpu_label(gpu) for gpu in gpus])


def together(names: list[str]) -> str:
    """a, b and c; from the fifth on only their number is told."""
    if len(names) > 5:
        names = [*names[:4], f"{len(names) - 4} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def version_numbers(version: str) -> tuple[int, ...]:
    """ "525.60.13" is (525, 60, 13); what follows the numbers is passed over; () for none."""
    match = re.match(r"\d{1,9}(\.\d{1,9})*", version.strip())
    return tuple(int(number) for number in match[0].split(".")) if match else ()
