"""The machine check's question to the backend: which devices there are, and whether they train.

Told line by line as JSON, so that what a crash cuts off does not take the rest along:

    {"framework": {...}}      versions and devices
    {"begin": "gpu:0 jit"}    a step begins; the process that ends here failed in it
    {"step": {...}}           a convolution and a matrix product trained one step on a device
    {"speed": {...}}          what the device was measured to do
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

from workbench.printable import make_log
from workbench.training.backend import (
    MIN_TENSOR_CORES,
    Device,
    Listed,
    describe,
    list_devices,
    prepare_device,
)
from workbench.training.device_benchmark import measure_device, one_step

LONGEST_ERROR = 2000  # characters

Tell = Callable[[dict[str, Any]], None]


def main(arguments: list[str] | None = None) -> int:
    """Answers; returns the exit code."""
    make_log(sys.stdout)
    parser = argparse.ArgumentParser(prog="python -m workbench.training.backend")
    parser.add_argument("--answer-fd", type=int, required=True)
    parser.add_argument("--skip", action="append", default=[], help="a step not to do")
    parser.add_argument("--known", action="append", default=[], help="a device not to measure")
    given = parser.parse_args(arguments)
    with os.fdopen(given.answer_fd, "w", encoding="utf-8") as out:

        def tell(line: dict[str, Any]) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()

        answer(tell, frozenset(given.skip), frozenset(given.known))
    return 0


def answer(tell: Tell, skip: frozenset[str], known: frozenset[str]) -> None:
    """Tells everything, but for the steps to skip; devices named in `known` are not measured."""
    prepare_device(deterministic=False)
    devices = list_devices()
    tell({"framework": _framework(devices)})
    for device in devices:
        _try_out(device, tell, skip)
    measured = set(known)
    for device in devices:
        name = f"{device.id} speed"
        if name not in skip and device.name not in measured:
            measured.add(device.name)
            tell({"begin": name})
            _measure(device, tell)


def _framework(devices: list[Listed]) -> dict[str, Any]:
    build = asdict(describe())
    told = [
        {
            "id": device.id,
            "kind": device.kind,
            "name": device.name,
            "compute_capability": device.capability,
        }
        for device in devices
    ]
    return {**build, "keras": keras.__version__, "devices": told}


def _try_out(device: Listed, tell: Tell, skip: frozenset[str]) -> None:
    """One step without jit and one with, where the backend has it."""
    modes = (False,) if keras.backend.backend() == "torch" else (False, True)
    for jit in modes:
        name = f"{device.id} jit" if jit else device.id
        if name in skip:
            continue
        tell({"begin": name})
        started, error = time.monotonic(), ""
        try:
            with keras.device(device.id):
                one_step(jit)
        except Exception as problem:  # whatever it is, it is the answer
            error = _in_words(problem)
        seconds = time.monotonic() - started
        tell({"step": {"device": device.id, "jit": jit, "error": error, "seconds": seconds}})


def _measure(device: Listed, tell: Tell) -> None:
    cores = device.kind == "gpu" and (device.capability or (0, 0)) >= MIN_TENSOR_CORES
    here = Device(device.kind, device.name, cores)
    try:
        with keras.device(device.id):
            found = measure_device(here)
    except Exception as problem:  # a step that failed
        tell({"step": {"device": device.id, "jit": False, "error": _in_words(problem)}})
        return
    told = {"precision": found.precision, "jit": found.jit, "busy": found.busy}
    tell({"speed": {"device": device.id, **told, "speed": found.speed.model_dump()}})


def _in_words(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"[:LONGEST_ERROR]
