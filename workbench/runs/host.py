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


def may_live_elsewhere(worker: Mapping[str, Any], last_sign: float | None, now: float) -> bool:
    """True where a worker on another machine was heard of not long ago.

    Args:
        worker: its `host` and `boot_id`, as `launched` and `worker_started` tell them.
        last_sign: time of its last event in unix seconds, None where there is none.
        now: unix seconds.
    """
    here = this_host()
    if "host" not in worker or any(worker.get(key) == here[key] for key in here):
        return False
    return last_sign is not None and now - last_sign < SILENCE_SECONDS
