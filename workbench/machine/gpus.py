"""Which GPU a run uses: the requested one, or the freest."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.errors import UserError
from workbench.machine.facts import Gpu, GpuProcess, MigDevice, Nvml
from workbench.machine.visibility import read_visibility
from workbench.text import format_choices, format_gib, safe_text

VARIABLE = "CUDA_VISIBLE_DEVICES"
AUTO, NONE = "auto", "none"
CPU = "CPU"  # the name under which backends list it
OLDEST_CAPABILITY = (6, 0)  # compute capability of the oldest GPU that TensorFlow supports


@dataclass(frozen=True)
class GpuChoice:
    """The device that a run will see.

    Attributes:
        requested: "auto", "none" or a number.
        gpu: the GPU, None for the CPU or where NVML reports none.
        mig_slice: its slice, in MIG mode.
        environment: variables that show the worker only this device.
    """

    requested: int | str
    gpu: Gpu | None = None
    mig_slice: MigDevice | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def _device(self) -> Gpu | MigDevice | None:
        return self.mig_slice or self.gpu

    @property
    def uuid(self) -> str:
        """NVML's name of the device, "" for the CPU."""
        return self._device.uuid if self._device else ""

    @property
    def device_name(self) -> str:
        """The name in backends: the GPU's or slice's name, "CPU" without one."""
        return (self._device.name if self._device else "") or (self.gpu.name if self.gpu else CPU)

    @property
    def memory_total(self) -> int:
        """Bytes of the GPU or slice."""
        return self._device.memory_total if self._device else 0

    @property
    def memory_free(self) -> int:
        """Bytes of the GPU or slice that no process holds."""
        device = self._device
        return max(device.memory_total - device.memory_used, 0) if device else 0

    @property
    def holders(self) -> tuple[GpuProcess, ...]:
        """Processes that hold its memory, the largest first."""
        if self.gpu is None or self.mig_slice is not None:
            return ()  # NVML does not report in which slice a process runs
        return tuple(sorted(self.gpu.processes, key=lambda one: -(one.memory or 0)))

    def as_event(self) -> dict[str, object] | None:
        """Return the GPU for the run's log."""
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
    requested: int | str, nvml: Nvml | None, environment: Mapping[str, str] = os.environ
) -> GpuChoice:
    """Return the device of a run.

    Args:
        requested: "auto" for the freest GPU that CUDA_VISIBLE_DEVICES leaves, or the CPU without
            one; "none" for the CPU; an index as nvidia-smi counts.
        nvml: NVML's report, None without one.
        environment: for CUDA_VISIBLE_DEVICES.

    Raises:
        UserError: there is no such GPU, it does not respond, or the variable hides it.
    """
    if requested == NONE:
        return GpuChoice(requested, environment={VARIABLE: "-1"})
    all_gpus = nvml.gpus if nvml else ()
    seen = read_visibility(environment.get(VARIABLE), all_gpus)
    if requested == AUTO:
        usable = [
            _candidate(requested, gpu, seen.slices)
            for gpu in seen.gpus
            if not gpu.error and (not gpu.mig or gpu.mig_devices or seen.slices)
        ]
        return max(usable, key=_freedom, default=GpuChoice(requested))
    gpu = _named(requested, all_gpus, nvml)
    if gpu not in seen.gpus:
        value = environment.get(VARIABLE, "")
        raise UserError(
            f"GPU {requested} is hidden by {VARIABLE}={safe_text(value)}.",
            f"Allowed here: {_numbers(seen.gpus)}. Or: unset {VARIABLE}",
        )
    if gpu.error:
        raise UserError(
            f"GPU {gpu.index} ({safe_text(gpu.name)}) does not respond: {safe_text(gpu.error)}.",
            "Choose another, or the CPU with --gpu none; `workbench check` shows more.",
        )
    if gpu.mig and not gpu.mig_devices and not seen.slices:
        raise UserError(
            f"GPU {gpu.index} ({safe_text(gpu.name)}) is in MIG mode and has no slices, so nothing "
            "can run on it.",
            "Choose another, or the CPU with --gpu none; `workbench check` shows more.",
        )
    return _candidate(requested, gpu, seen.slices)


def describe_holders(choice: GpuChoice) -> str:
    """Return who holds memory of the chosen GPU; "" where nobody does."""
    holders = []
    for one in choice.holders:
        who = "you" if one.own else safe_text(one.user) or "somebody"
        size = f" {format_gib(one.memory)}" if one.memory else ""
        name = f", {safe_text(one.name)}" if one.name else ""
        holders.append(f"{who} (PID {one.pid}{name}){size}")
    return ", ".join(holders)


def _named(requested: int | str, gpus: Sequence[Gpu], nvml: Nvml | None) -> Gpu:
    for gpu in gpus:
        if requested == gpu.index:
            return gpu
    if not gpus:
        why = f" ({safe_text(nvml.error)})" if nvml and nvml.error else ""
        raise UserError(
            f"There is no GPU {requested}: no NVIDIA GPU can be found here{why}.",
            "Train on the CPU with --gpu none; `workbench check` shows what is wrong.",
        )
    raise UserError(f"There is no GPU {requested}; allowed: {_numbers(gpus)}.")


def _candidate(requested: int | str, gpu: Gpu, named: Sequence[MigDevice]) -> GpuChoice:
    if not gpu.mig:
        return GpuChoice(requested, gpu, None, _variables(gpu.uuid, gpu.index))
    parts = [part for part in gpu.mig_devices if part in named]
    if named and not parts:  # named as in old drivers: keep the variable
        return GpuChoice(requested, gpu, named[0])
    freest = max(parts or gpu.mig_devices, key=lambda part: part.memory_total - part.memory_used)
    return GpuChoice(requested, gpu, freest, _variables(freest.uuid, gpu.index))


def _variables(uuid: str, index: int) -> dict[str, str]:
    # By default CUDA counts the fastest GPU first; a name means the same GPU to every program.
    return {VARIABLE: uuid or str(index), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def _freedom(choice: GpuChoice) -> tuple[bool, bool, int, int, int]:
    """Sort the freest last; GPUs with a fault, and those too old, are the last resort."""
    assert choice.gpu is not None
    gpu = choice.gpu
    known = (gpu.compute_capability or OLDEST_CAPABILITY) >= OLDEST_CAPABILITY
    return gpu.healthy, known, choice.memory_free, -(gpu.utilization or 0), -gpu.index


def _numbers(gpus: Sequence[Gpu]) -> str:
    return format_choices([str(gpu.index) for gpu in gpus] + [NONE, AUTO])
