"""The part of the machine check that needs the backend: which devices there are, and do they train.

python -m workbench.training.probe --report-fd N

It writes JSON lines, so that a crash loses no earlier result:

    {"framework": {...}}      versions and devices
    {"begin": "gpu:0 jit"}    a step begins; if the process ends here, it crashed in this step
    {"step": {...}}           a convolution and a matrix product trained one step on a device
    {"speed": {...}}          the measured throughput of a device
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import keras

from workbench.text import use_utf8
from workbench.training.backend import describe, list_devices, prepare_device
from workbench.training.backends import ListedDevice
from workbench.training.device_benchmark import measure_device, train_one_step

MAX_ERROR_LENGTH = 2000  # characters

Write = Callable[[dict[str, Any]], None]


def main(arguments: list[str] | None = None) -> int:
    """Run the probe; return the exit code."""
    use_utf8(sys.stdout)
    parser = argparse.ArgumentParser(prog="python -m workbench.training.probe")
    parser.add_argument("--report-fd", type=int, required=True)
    parser.add_argument("--skip", action="append", default=[], help="a step to leave out")
    parser.add_argument("--known", action="append", default=[], help="a device not to measure")
    options = parser.parse_args(arguments)
    with os.fdopen(options.report_fd, "w", encoding="utf-8") as out:

        def write(line: dict[str, Any]) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()

        run_probe_steps(write, frozenset(options.skip), frozenset(options.known))
    return 0


def run_probe_steps(write: Write, skip: frozenset[str], known: frozenset[str]) -> None:
    """Write all results except those of steps to skip; do not measure devices named in `known`."""
    prepare_device(deterministic=False)
    devices = list_devices()
    write({"framework": _framework(devices)})
    for device in devices:
        _try_steps(device, write, skip)
    measured = set(known)
    for device in devices:
        name = f"{device.id} speed"
        if name not in skip and device.name not in measured:
            measured.add(device.name)
            write({"begin": name})
            _measure(device, write)


def _framework(devices: list[ListedDevice]) -> dict[str, Any]:
    listed = [
        {
            "id": device.id,
            "kind": device.kind,
            "name": device.name,
            "compute_capability": device.capability,
        }
        for device in devices
    ]
    return {**asdict(describe()), "keras": keras.__version__, "devices": listed}


def _try_steps(device: ListedDevice, write: Write, skip: frozenset[str]) -> None:
    """Train one step without jit and, unless the backend is PyTorch, one with it."""
    modes = (False,) if keras.backend.backend() == "torch" else (False, True)
    for jit in modes:
        name = f"{device.id} jit" if jit else device.id
        if name in skip:
            continue
        write({"begin": name})
        started, error = time.monotonic(), ""
        try:
            with keras.device(device.id):
                train_one_step(jit)
        except Exception as problem:  # any error is a result
            error = _describe_error(problem)
        seconds = time.monotonic() - started
        write({"step": {"device": device.id, "jit": jit, "error": error, "seconds": seconds}})


def _measure(device: ListedDevice, write: Write) -> None:
    try:
        with keras.device(device.id):
            found = measure_device(device.as_device())
    except Exception as problem:  # reported as a failed step
        write({"step": {"device": device.id, "jit": False, "error": _describe_error(problem)}})
        return
    settings = {"precision": found.precision, "jit": found.jit, "busy": found.busy}
    write({"speed": {"device": device.id, **settings, "speed": found.speed.model_dump()}})


def _describe_error(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"[:MAX_ERROR_LENGTH]


if __name__ == "__main__":
    sys.exit(main())
