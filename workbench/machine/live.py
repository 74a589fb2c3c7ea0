"""Gauges of the host once a second, from a process of its own that a driver may hang."""

import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any

from workbench.machine.facts import Nvml
from workbench.machine.probe import stream_probe
from workbench.machine.probe_process import MODULE
from workbench.runs.process import worker_command

PATIENCE = 5.0  # seconds of silence after which the driver counts as not responding


@dataclass(frozen=True)
class Gauges:
    """A snapshot of the host.

    Attributes:
        host: see `sample.host_gauges`.
        nvml: the GPUs.
        silent: seconds since the last report where the next is overdue, else 0.
    """

    host: dict[str, Any] = field(default_factory=dict)
    nvml: Nvml = field(default_factory=Nvml)
    silent: float = 0.0


def gauges(module: str = MODULE, patience: float = PATIENCE) -> Iterator[Gauges]:
    """Yield a snapshot each second until the iterator is closed, or the child process ends.

    Args:
        module: the child process; tests have their own.
        patience: seconds of silence after which the last snapshot is repeated.
    """
    last, heard = Gauges(), time.monotonic()
    # Closed with this generator, not only when it is collected.
    with closing(stream_probe(worker_command(module, "gauges"), patience)) as reports:
        for report in reports:
            if report is None:
                yield Gauges(last.host, last.nvml, time.monotonic() - heard)
                continue
            heard = time.monotonic()
            with suppress(ValueError, KeyError):
                last = Gauges(report["host"], Nvml.model_validate(report["nvml"]))
                yield last
