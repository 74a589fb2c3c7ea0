"""Which GPU a run uses: the requested one, or the freest that CUDA_VISIBLE_DEVICES leaves."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from workbench.errors import UserError
from workbench.machine.facts import Gpu, GpuProcess, MigDevice, Nvml, NvmlReport
from workbench.messages import tr
from workbench.text import format_choices, format_gib, safe_text

VARIABLE = "CUDA_VISIBLE_DEVICES"
AUTO, NONE = "auto", "none"
CPU = "CPU"  # the name under which backends list it
OLDEST_CAPABILITY = (6, 0)  # compute capability of the oldest GPU that TensorFlow supports


@dataclass(frozen=True)
class GpuChoice:
    """The device that a run will see.

    Attributes:
        gpu: the GPU, None for the CPU or where NVML reports none.
        mig_slice: its slice, in MIG mode.
        environment: variables that show the worker only this device.
        report: what NVML reported for the choice; None where it was not asked.
    """

    gpu: Gpu | None = None
    mig_slice: MigDevice | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    report: NvmlReport | None = None

    @property
    def _device(self) -> Gpu | MigDevice | None:
        return self.mig_slice or self.gpu

    @property
    def uuid(self) -> str:
        """NVML's name of the device, "" for the CPU."""
        return self._device.uuid if self._device else ""

    @property
    def key(self) -> str:
        """What names the device in the queue: its UUID, else its index; CPU's name without one."""
        return self.uuid or (str(self.gpu.index) if self.gpu else CPU)

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
    """Return the device of a run, the freest of those that it may use (see `usable_gpus`)."""
    return usable_gpus(requested, nvml, environment)[0]


def usable_gpus(
    requested: int | str, nvml: Nvml | None, environment: Mapping[str, str] = os.environ
) -> tuple[GpuChoice, ...]:
    """Return the devices that a run may use, the freest first; the CPU if there is no other.

    Each slice of a GPU in MIG mode is a device of its own.

    Args:
        requested: "auto" for the GPUs that CUDA_VISIBLE_DEVICES leaves, or the CPU without one;
            "none" for the CPU; an index as nvidia-smi counts.
        nvml: NVML's report, None without one.
        environment: for CUDA_VISIBLE_DEVICES.

    Raises:
        UserError: there is no such GPU, it does not respond, or the variable hides it.
    """
    if requested == NONE:
        return (GpuChoice(environment={VARIABLE: "-1"}),)
    all_gpus = nvml.gpus if nvml else ()
    seen = read_visibility(environment.get(VARIABLE), all_gpus)
    if requested == AUTO:
        usable = [
            choice
            for gpu in seen.gpus
            if not gpu.error and (not gpu.mig or gpu.mig_devices or seen.slices)
            for choice in _candidates(gpu, seen.slices)
        ]
    else:
        gpu = _requested(requested, all_gpus, seen, nvml, environment)
        usable = _candidates(gpu, seen.slices)
    return tuple(sorted(usable, key=_freedom, reverse=True)) or (GpuChoice(),)


def free_twins(
    choice: GpuChoice, nvml: Nvml | None, environment: Mapping[str, str]
) -> list[GpuChoice]:
    """Return the other GPUs of the same name that nobody uses, the freest first.

    Args:
        choice: the device of a run.
        nvml: NVML's report, None without one.
        environment: for CUDA_VISIBLE_DEVICES, as it was before the choice.
    """
    if choice.gpu is None:
        return []
    return [
        twin
        for twin in usable_gpus(AUTO, nvml, environment)
        if twin.gpu and twin.gpu.index != choice.gpu.index and twin.gpu.name == choice.gpu.name
        if twin.gpu.healthy and not twin.gpu.mig and not twin.gpu.processes
    ]


def gpu_variables(numbers: Sequence[int]) -> dict[str, str]:
    """Return the variables that leave a process these GPUs, as nvidia-smi counts them."""
    return {VARIABLE: ",".join(map(str, numbers)), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def describe_holders(choice: GpuChoice) -> str:
    """Return who holds memory of the chosen GPU; "" where nobody does."""
    holders = []
    for one in choice.holders:
        who = "you" if one.own else safe_text(one.user) or "somebody"
        size = f" {format_gib(one.memory)}" if one.memory else ""
        name = f", {safe_text(one.name)}" if one.name else ""
        holders.append(f"{who} (PID {one.pid}{name}){size}")
    return ", ".join(holders)


def _requested(
    requested: int | str,
    gpus: Sequence[Gpu],
    seen: "Visibility",
    nvml: Nvml | None,
    environment: Mapping[str, str],
) -> Gpu:
    """Return the GPU that a person named.

    Raises:
        UserError: It does not exist, does not respond, or is hidden.
    """
    gpu = _named(requested, gpus, nvml)
    if gpu not in seen.gpus:
        value = environment.get(VARIABLE, "")
        raise UserError(
            tr(
                "GPU {requested} is hidden by {variable}={value}.",
                requested=requested,
                variable=VARIABLE,
                value=safe_text(value),
            ),
            tr(
                "Allowed here: {numbers}. Or: unset {variable}, or add it to --gpus.",
                numbers=_numbers(seen.gpus),
                variable=VARIABLE,
            ),
        )
    if gpu.error:
        raise UserError(
            tr(
                "GPU {index} ({gpu_name}) does not respond: {error}.",
                index=gpu.index,
                gpu_name=safe_text(gpu.name),
                error=safe_text(gpu.error),
            ),
            tr("Choose another, or the CPU with --gpu none; `workbench check` shows more."),
        )
    if gpu.mig and not gpu.mig_devices and not seen.slices:
        raise UserError(
            tr(
                "GPU {index} ({gpu_name}) is in MIG mode and has no slices, so "
                "nothing can run on it.",
                index=gpu.index,
                gpu_name=safe_text(gpu.name),
            ),
            tr("Choose another, or the CPU with --gpu none; `workbench check` shows more."),
        )
    return gpu


def _named(requested: int | str, gpus: Sequence[Gpu], nvml: Nvml | None) -> Gpu:
    for gpu in gpus:
        if requested == gpu.index:
            return gpu
    if not gpus:
        why = f" ({safe_text(nvml.error)})" if nvml and nvml.error else ""
        raise UserError(
            tr(
                "There is no GPU {requested}: no NVIDIA GPU can be found here{why}.",
                requested=requested,
                why=why,
            ),
            tr("Train on the CPU with --gpu none; `workbench check` shows what is wrong."),
        )
    raise UserError(
        tr(
            "There is no GPU {requested}; allowed: {numbers}.",
            requested=requested,
            numbers=_numbers(gpus),
        )
    )


def _candidates(gpu: Gpu, named: Sequence[MigDevice]) -> list[GpuChoice]:
    """Return a GPU, or its slices; of these only named ones, if any is named."""
    if not gpu.mig:
        return [GpuChoice(gpu, None, _variables(gpu.uuid, gpu.index))]
    parts = [part for part in gpu.mig_devices if part in named]
    if named and not parts:  # named as in old drivers: keep the variable
        return [GpuChoice(gpu, named[0])]
    return [
        GpuChoice(gpu, part, _variables(part.uuid, gpu.index)) for part in parts or gpu.mig_devices
    ]


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


@dataclass(frozen=True)
class Visibility:
    """The meaning of a CUDA_VISIBLE_DEVICES.

    Attributes:
        gpus: those that programs see, in the order of the variable, including GPUs of named slices.
        slices: the MIG slices that are named.
        invalid: the entry that ended the list because it names nothing here, or something twice;
            None where all are valid.
    """

    gpus: tuple[Gpu, ...]
    slices: tuple[MigDevice, ...] = ()
    invalid: str | None = None


def visible_gpus(value: str | None, gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Return the GPUs that programs see.

    Args:
        value: of CUDA_VISIBLE_DEVICES, None where it is not set.
        gpus: all that NVML lists.
    """
    return read_visibility(value, gpus).gpus


def read_visibility(value: str | None, gpus: Sequence[Gpu]) -> Visibility:
    """Return the GPUs and slices that the variable leaves (arguments as for `visible_gpus`).

    Entries are indices ("1"), or prefixes of a name that match only one GPU or slice ("GPU-8932",
    "MIG-4f1c"). CUDA stops at the first entry that names nothing, and shows nothing at all where
    an entry appears twice.
    """
    if value is None:
        return Visibility(tuple(gpus))
    seen: list[Gpu | MigDevice] = []
    shown: list[Gpu] = []
    for entry in value.split(","):
        found = _find_entry(entry.strip(), gpus)
        if found is None:
            return _visibility(shown, seen, entry.strip())
        named, gpu = found
        if named in seen:
            return Visibility((), (), entry.strip())
        seen.append(named)
        if gpu not in shown:
            shown.append(gpu)
    return _visibility(shown, seen, None)


def _visibility(shown: list[Gpu], seen: list[Gpu | MigDevice], invalid: str | None) -> Visibility:
    slices = tuple(named for named in seen if isinstance(named, MigDevice))
    return Visibility(tuple(shown), slices, invalid)


def _find_entry(entry: str, gpus: Sequence[Gpu]) -> tuple[Gpu | MigDevice, Gpu] | None:
    """Return what an entry names, and its GPU; None for nothing, or for more than one."""
    if entry.startswith("MIG-GPU-"):
        return _by_place(entry.removeprefix("MIG-"), gpus)
    if entry.startswith(("GPU-", "MIG-")):
        return _by_name(entry, gpus)
    # Like C's strtoul, CUDA ignores what follows a number.
    number = re.match(r"\+?\d{1,9}", entry, re.ASCII)
    found = [gpu for gpu in gpus if number and gpu.index == int(number[0])]
    return (found[0], found[0]) if found else None


def _by_name(entry: str, gpus: Sequence[Gpu]) -> tuple[Gpu | MigDevice, Gpu] | None:
    named: list[tuple[Gpu | MigDevice, Gpu]] = []
    for gpu in gpus:
        if gpu.uuid.startswith(entry):
            named.append((gpu, gpu))
        named += [(part, gpu) for part in gpu.mig_devices if part.uuid.startswith(entry)]
    return named[0] if len(named) == 1 else None


def _by_place(entry: str, gpus: Sequence[Gpu]) -> tuple[Gpu | MigDevice, Gpu] | None:
    """Read a slice's name of drivers before 470: MIG-<GPU's name>/<instance>/<instance>."""
    found = [gpu for gpu in gpus if gpu.mig and gpu.uuid == entry.split("/")[0]]
    return (MigDevice(uuid=f"MIG-{entry}"), found[0]) if found else None
