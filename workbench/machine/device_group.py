"""The devices of a run that shares each batch among several (`training.devices`)."""

import os
from collections.abc import Mapping, Sequence

from workbench.errors import UserError
from workbench.machine.facts import Nvml
from workbench.machine.gpus import VARIABLE, GpuChoice, usable_gpus
from workbench.messages import tr
from workbench.text import plural

# Parts of the CPU that take the place of GPUs where a run is to use several and there are none.
LOGICAL_DEVICES = "WORKBENCH_LOGICAL_DEVICES"
_LONGEST = 3  # digits


def choose_gpus(
    requested: int | str, nvml: Nvml | None, count: int, environment: Mapping[str, str] = os.environ
) -> tuple[GpuChoice, ...]:
    """Return the `count` freest devices that a run may use (see `can_share`).

    Raises:
        UserError: There are fewer, or as `usable_gpus`.
    """
    return can_share(usable_gpus(requested, nvml, environment), count, environment)[:count]


def can_share(
    usable: Sequence[GpuChoice], count: int, environment: Mapping[str, str] = os.environ
) -> tuple[GpuChoice, ...]:
    """Return the devices that can share a batch, in their order.

    A process sees one slice of a GPU at most, so slices cannot. The CPU is one device, even if it
    is split for the backend.

    Args:
        usable: devices that a run may use.
        count: how many it needs.
        environment: for WORKBENCH_LOGICAL_DEVICES.

    Raises:
        UserError: There are fewer.
    """
    if count == 1:
        return tuple(usable)
    found = tuple(one for one in usable if one.gpu and not one.mig_slice)
    if not any(one.gpu for one in usable) and logical_devices(environment) >= count:
        return tuple(usable)
    if len(found) < count:
        raise not_enough_devices(count, len(found))
    return found


def logical_devices(environment: Mapping[str, str] = os.environ) -> int:
    """Return into how many devices the CPU may be split, 0 without WORKBENCH_LOGICAL_DEVICES."""
    value = environment.get(LOGICAL_DEVICES, "").strip()
    return int(value) if value.isdecimal() and len(value) <= _LONGEST else 0


def not_enough_devices(count: int, gpus: int) -> UserError:
    """Return the error for a run that needs more devices than there are."""
    there = plural(gpus, "GPU") if gpus else tr("no GPU")
    return UserError(
        tr(
            "training.devices is {count}, and {there} can share a batch here.",
            count=count,
            there=there,
        ),
        tr(
            "Set training.devices = {fewer}; `workbench check` shows the GPUs.",
            fewer=max(gpus, 1),
        ),
    )


def torch_trains_on_one(count: int) -> UserError:
    """Return the error for a run on several devices with PyTorch."""
    return UserError(
        tr(
            "training.devices is {count}, but with PyTorch a batch cannot be shared here.",
            count=count,
        ),
        tr("Set training.devices = 1, or use KERAS_BACKEND=tensorflow or jax."),
    )


def shared_variables(choices: Sequence[GpuChoice]) -> dict[str, str]:
    """Return variables that show a process these devices alone, in their order."""
    found = {name: value for choice in choices for name, value in choice.environment.items()}
    if names := [one.environment[VARIABLE] for one in choices if VARIABLE in one.environment]:
        found[VARIABLE] = ",".join(names)
    return found
