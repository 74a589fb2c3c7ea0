"""How busy others keep the processor."""

import os

import psutil


def busy_share(seconds: float) -> float:
    """Share of the cores this process may use that others used while it slept, from 0 to 1."""
    used = psutil.cpu_percent(seconds, percpu=True)
    ours = [share for core, share in enumerate(used) if core in os.sched_getaffinity(0)]
    return sum(ours or used) / max(len(ours or used), 1) / 100
