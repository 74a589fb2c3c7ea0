"""Which GPU a run takes: the one that was asked for, or the freest."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.errors import UserError
from workbench.machine.facts import Gpu, GpuProcess, MigDevice, Nvml
from workbench.machine.visibility import read_visibility
from workbench.text import human_gib, one_of, safe_text

VARIABLE = "CUDA_VISIBLE_DEVICES"
AUTO, NONE = "auto", "none"
CPU = "CPU"  # the name under which backends list it
OLDEST_CARD = (6, 0)  # compute capability that TensorFlow's builds begin with


@dataclass(frozen=True)
class Choice:
    """What a run will see.

    Attributes:
        asked: "auto", "none" or a number.
        gpu: the GPU, None for the CPU or where NVML tells of none.
        part: the MIG slice of it, where it is cut into slices.
        environment: variables that show the worker this device alone.
    """

    asked: int | str
    gpu: Gpu | None = None
    part: MigDevice | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def uuid(self) -> str:
        """NVML's name of it, "" for the CPU."""
        here = self.part or self.gpu
        return here.uuid if here else ""

    @property
    def device_name(self) -> str:
        """What backends call it: the GPU's or slice's name, "CPU" without one."""
        here = self.part or self.gpu
        return (here.name if here else "") or (self.gpu.name if self.gpu else "") or CPU

    @property
    def memory_total(self) -> int:
        """Bytes of the GPU or slice."""
        here = self.part or self.gpu
        return here.memory_total if here else 0

    @property
    def memory_free(self) -> int:
        """Bytes of it that nobody holds."""
        here = self.part or self.gpu
        return max(here.memory_total - here.memory_used, 0) if here else 0

    @property
    def holders(self) -> tuple[GpuProcess, ...]:
        """Processes that hold its memory, the largest first."""
        if self.gpu is None or self.part is not None:
            return ()  # NVML does not tell whose slice a process is in
        return tuple(sorted(self.gpu.processes, key=lambda one: -(one.memory or 0)))

    def as_event(self) -> dict[str, object] | None:
        """The GPU for the run's log."""
        if self.gpu is None:
            return None
        return {
            "index": self.gpu.index,
            "uuid": self.uuid,
            "name": self.gpu.name,
            "memory_free": self.memory_free,
            "memory_total": self.memory_total,
        }


def choose_gpu(
    asked: int | str, nvml: Nvml | None, environment: Mapping[str, str] = os.environ
) -> Choice:
    """The device of a run.

    Args:
        asked: "auto" for the freest GPU that CUDA_VISIBLE_DEVICES leaves, and the CPU where there
            is none; "none" for the CPU; an index as nvidia-smi counts.
        nvml: what NVML told, None where it could not be asked.

    Raises:
        UserError: there is no such GPU, it does not answer, or the variable hides it.
    """
    if asked == NONE:
        return Choice(asked, environment={VARIABLE: "-1"})
    all_gpus = nvml.gpus if nvml else ()
    seen = read_visibility(environment.get(VARIABLE), all_gpus)
    if asked == AUTO:
        usable = [
            _candidate(asked, gpu, seen.slices)
            for gpu in seen.gpus
            if not gpu.error and (not gpu.mig or gpu.mig_devices or seen.slices)
        ]
        return max(usable, key=_freedom, default=Choice(asked))
    gpu = _named(asked, all_gpus, nvml)
    if gpu not in seen.gpus:
        value = environment.get(VARIABLE, "")
        raise UserError(
            f"GPU {asked} is hidden by {VARIABLE}={safe_text(value)}.",
            f"Allowed here: {_numbers(seen.gpus)}. Or: unset {VARIABLE}",
        )
    if gpu.error:
        raise UserError(
            f"GPU {gpu.index} ({safe_text(gpu.name)}) does not answer: {safe_text(gpu.error)}.",
            "Take another, or the CPU with --gpu none; workbench check tells more.",
        )
    if gpu.mig and not gpu.mig_devices and not seen.slices:
        raise UserError(
            f"GPU {gpu.index} ({safe_text(gpu.name)}) is in MIG mode and has no slices, so nothing "
            "can run on it.",
            "Take another, or the CPU with --gpu none; workbench check tells more.",
        )
    return _candidate(asked, gpu, seen.slices)


def holders_in_words(choice: Choice) -> str:
    """Who holds memory of the chosen GPU; "" where nobody does."""
    told = []
    for one in choice.holders:
        who = "you" if one.own else safe_text(one.user) or "somebody"
        size = f" {human_gib(one.memory)}" if one.memory else ""
        told.append(f"{who} (PID {one.pid}{', ' + safe_text(one.name) if one.name else ''}){size}")
    return ", ".join(told)


def _named(asked: int | str, gpus: Sequence[Gpu], nvml: Nvml | None) -> Gpu:
    for gpu in gpus:
        if asked == gpu.index:
            return gpu
    if not gpus:
        why = f" ({safe_text(nvml.error)})" if nvml and nvml.error else ""
        raise UserError(
            f"There is no GPU {asked}: no NVIDIA GPU can be found here{why}.",
            "Train on the CPU with --gpu none; workbench check tells what is wrong.",
        )
    raise UserError(f"There is no GPU {asked}; allowed: {_numbers(gpus)}.")


def _candidate(asked: int | str, gpu: Gpu, named: Sequence[MigDevice]) -> Choice:
    if not gpu.mig:
        return Choice(asked, gpu, None, _shown(gpu.uuid, gpu.index))
    parts = [part for part in gpu.mig_devices if part in named]
    if named and not parts:  # named in a way of old drivers: what was chosen stays
        return Choice(asked, gpu, named[0])
    freest = max(parts or gpu.mig_devices, key=lambda part: part.memory_total - part.memory_used)
    return Choice(asked, gpu, freest, _shown(freest.uuid, gpu.index))


def _shown(uuid: str, index: int) -> dict[str, str]:
    # CUDA counts the fastest card first unless told; a name means the same card to everyone.
    return {VARIABLE: uuid or str(index), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _freedom(choice: Choice) -> tuple[bool, bool, int, int, int]:
    """Sorts the freest last; cards with a fault, and those too old, are the last resort."""
    assert choice.gpu is not None
    gpu = choice.gpu
    known = (gpu.compute_capability or OLDEST_CARD) >= OLDEST_CARD
    return gpu.sound, known, choice.memory_free, -(gpu.utilization or 0), -gpu.index


def _numbers(gpus: Sequence[Gpu]) -> str:
    return one_of([str(gpu.index) for gpu in gpus] + [NONE, AUTO])
