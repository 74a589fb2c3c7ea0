"""Which GPUs the environment variable CUDA_VISIBLE_DEVICES leaves, read as CUDA reads it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.machine.facts import Gpu, MigDevice


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
        found = _named(entry.strip(), gpus)
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


def _named(entry: str, gpus: Sequence[Gpu]) -> tuple[Gpu | MigDevice, Gpu] | None:
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
