"""Slots: which run uses which device.

Every device - a GPU or a slice of one by its UUID, or the CPU - has slots: lock files, numbered
from 0. A run holds a slot of each device that it uses until its process ends, however it ends. The
CPU is a device like any other, so that without a GPU queued runs train one after the other, and a
run on the CPU never waits for a GPU.
"""

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from pydantic import BaseModel, ValidationError

from workbench.runs.folder import RunFolder
from workbench.runs.lock import is_locked, take_lock
from workbench.runs.queue_files import queue_folder, quote_run, unquote_run

CPU = "CPU"  # the device of runs without a GPU


class Holder(BaseModel, frozen=True):
    """A run that uses a device: its folder, quoted as in a ticket, and how many may share it."""

    run: str = ""
    share: int = 1

    @property
    def folder(self) -> RunFolder:
        """The run."""
        return unquote_run(self.run)


@dataclass(frozen=True)
class Slot:
    """A slot that this process holds as long as the descriptor is open."""

    device: str
    descriptor: int


def holders(device: str) -> list[Holder]:
    """Return the runs that use a device."""
    return [holder for _, holder in _held(device)]


def devices_in_use() -> dict[str, list[Holder]]:
    """Return the runs that use each device of this machine, as far as it is in use."""
    names = {unquote(path.stem) for path in _slots().glob("*.*")}
    return {name: found for name in sorted(names) if (found := holders(name))}


def device_of(run: RunFolder, used: Mapping[str, Sequence[Holder]]) -> str | None:
    """Return the device that a run uses, by what `devices_in_use` returned; None without one."""
    own = quote_run(run)
    return next((name for name, found in used.items() if own in {h.run for h in found}), None)


def adopt_slot(descriptor: int) -> Slot:
    """Return the slot that an inherited descriptor holds."""
    os.set_inheritable(descriptor, False)
    return Slot(unquote(Path(f"/proc/self/fd/{descriptor}").readlink().stem), descriptor)


def take_slot(device: str, folder: RunFolder, share: int) -> Slot:
    """Take the first free slot of a device for a run; the caller holds the queue's mutex."""
    taken = {number for number, _ in _held(device)}
    number = next(n for n in range(len(taken) + 1) if n not in taken)
    path = _slot_path(device, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = take_lock(path)
    holder = Holder(run=quote_run(folder), share=share)
    os.pwrite(descriptor, holder.model_dump_json().encode(), 0)
    return Slot(device, descriptor)


def _held(device: str) -> list[tuple[int, Holder]]:
    """Return number and holder of the slots of a device that are held."""
    found = []
    for path in _slots().glob(f"{quote(device, safe='')}.*"):
        with suppress(OSError, ValueError):
            if path.stem == quote(device, safe="") and is_locked(path):
                found.append((int(path.suffix[1:]), _read_holder(path)))
    return sorted(found, key=lambda one: one[0])


def _read_holder(path: Path) -> Holder:
    try:
        return Holder.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # it is being written
        return Holder()


def _slot_path(device: str, number: int) -> Path:
    return _slots() / f"{quote(device, safe='')}.{number}"


def _slots() -> Path:
    return queue_folder() / "slots"
