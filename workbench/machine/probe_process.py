"""The child process of the small probes: one probe, reported in JSON lines on a descriptor.

python -m workbench.machine.probe_process NAME --report-fd N [--workspace DIR]

What it prints is not part of the report.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench.machine.probe import SMALL_PROBES
from workbench.streams import use_utf8

GAUGE_SECONDS = 1.0

Reports = Iterator[dict[str, Any]]


def main(arguments: list[str] | None = None) -> int:
    """Run one probe; return the exit code."""
    use_utf8(sys.stdout)
    parser = argparse.ArgumentParser(prog=SMALL_PROBES)
    parser.add_argument("name", choices=sorted(_PROBES))
    parser.add_argument("--report-fd", type=int, required=True)
    parser.add_argument("--workspace", type=Path, help="absolute; storage needs it")
    options = parser.parse_args(arguments)
    if options.name == "storage" and options.workspace is None:
        parser.error("storage needs --workspace")
    os.set_inheritable(options.report_fd, False)
    # The reader of gauges closes the pipe when it has seen enough.
    with suppress(BrokenPipeError), os.fdopen(options.report_fd, "w", 1, encoding="ascii") as out:
        for report in _PROBES[options.name](options):
            out.write(json.dumps(report) + "\n")
    return 0


# Each probe imports what it needs itself: a library that crashes ends no other probe.


def _nvml(options: argparse.Namespace) -> Reports:
    import pynvml

    from workbench.machine.nvml import read_kernel_log, read_nvml

    yield read_nvml(pynvml, read_kernel_log()).model_dump(mode="json")


def _libraries(options: argparse.Namespace) -> Reports:
    from workbench.machine.libraries import read_libraries

    yield read_libraries(os.environ).model_dump(mode="json")


def _system(options: argparse.Namespace) -> Reports:
    from workbench.machine.host import read_system

    yield read_system(os.environ).model_dump(mode="json")


def _storage(options: argparse.Namespace) -> Reports:
    from workbench.machine.host import read_storage
    from workbench.paths import Workspace, cache_folder

    workspace = Workspace(options.workspace)
    yield read_storage(workspace, cache_folder(os.environ), os.environ).model_dump(mode="json")


def _decoding(options: argparse.Namespace) -> Reports:
    from workbench.machine.decoding import measure_decoding

    yield measure_decoding().model_dump(mode="json")


def _gauges(options: argparse.Namespace) -> Reports:
    """Report the gauges once a second, until the reader closes the pipe."""
    import pynvml

    from workbench.machine.live import host_gauges
    from workbench.machine.nvml import read_nvml

    # Held open: where no program uses a GPU, each start would wake it and each end power it down.
    with suppress(pynvml.NVMLError):
        pynvml.nvmlInit()
    host_gauges()
    while True:
        time.sleep(GAUGE_SECONDS)
        yield {"host": host_gauges(), "nvml": read_nvml(pynvml).model_dump(mode="json")}


_PROBES: dict[str, Callable[[argparse.Namespace], Reports]] = {
    "nvml": _nvml,
    "libraries": _libraries,
    "system": _system,
    "storage": _storage,
    "decoding": _decoding,
    "gauges": _gauges,
}


if __name__ == "__main__":
    sys.exit(main())
