"""Which machine a worker runs on: a lock tells of workers on this one only."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# A worker that trains tells something every second; silent for so long it has ended.
SILENCE_SECONDS = 600.0


def this_host() -> dict[str, str]:
    """`host`, the machine's name, and `boot_id`, which names it from its start to its shutdown.

    Containers on a machine have names of their own but share its boot id, as they share locks.
    """
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return {"host": socket.gethostname(), "boot_id": boot_id}


def on_another_host(worker: Mapping[str, Any]) -> bool:
    """True where a worker ran on another machine, so that no lock tells of it here.

    Args:
        worker: its `host` and `boot_id`, as `launched` and `worker_started` tell them.
    """
    here = this_host()
    return "host" in worker and not any(worker.get(key) == here[key] for key in here)


def may_live_elsewhere(worker: Mapping[str, Any], last_sign: float | None, now: float) -> bool:
    """True where a worker on another machine was heard of not long ago.

    A sign from the future was told by a clock that goes wrong: by a little it counts as any
    other, by more it says nothing, or a clock set back would make a run look alive for ever.

    Args:
        worker: as `on_another_host` has it.
        last_sign: time of its last event in unix seconds, None where there is none.
        now: unix seconds.
    """
    if last_sign is None or not on_another_host(worker):
        return False
    return abs(now - last_sign) < SILENCE_SECONDS
