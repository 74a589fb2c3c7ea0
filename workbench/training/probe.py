"""The part of the machine check that needs the backend: which devices there are, and do they train.

python -m workbench.training.probe --report-fd N

It writes JSON lines, so that a crash loses no earlier result:

    {"framework": {...}}      versions and devices
    {"begin": "gpu:0 jit"}    a step begins; if the process ends here, it crashed in this step
    {"step": {...}}           a small network trained on a device in one way
    {"speed": {...}}          the measured throughput of a device

What may end the process comes last: half precision, then XLA.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import keras
from keras import layers

from workbench.machine.benchmark_store import measured_as
from workbench.machine.facts import TrialStep
from workbench.machine.trial import FLOAT16, FLOAT32, trial_of
from workbench.streams import use_utf8
from workbench.training.backend import (
    describe,
    list_devices,
    prepare_device,
    resolve_jit,
    resolve_precision,
)
from workbench.training.backends import Device, ListedDevice
from workbench.training.device_benchmark import (
    GPU_BATCH,
    convolution,
    dtype_policy,
    make_batch,
    make_network,
    measure_device,
    step_seconds,
)

TRIAL_SHAPE, TRIAL_STEPS, TRIAL_BATCH, SEED = (32, 32, 8), 3, 4, 1
MAX_ERROR_LENGTH = 2000  # characters
Write = Callable[[dict[str, Any]], None]


def try_training(jit: bool, precision: str = FLOAT32, batch: int = TRIAL_BATCH) -> dict[str, float]:
    """Train two convolutions and a matrix product for some steps on the current device.

    Returns:
        `loss` after the first steps, the same for the same weights and images; `pace`: seconds of
        a later step.

    Raises:
        Exception: any error of the backend.
    """
    keras.utils.set_random_seed(SEED)
    with dtype_policy(precision):
        body = [convolution(16), layers.MaxPooling2D(2), convolution(32), layers.MaxPooling2D(2)]
        network = make_network(TRIAL_SHAPE, body, jit)
        images, targets = make_batch(TRIAL_SHAPE, batch)

        def step() -> float:
            return float(network.train_on_batch(images, targets, return_dict=True)["loss"])

        loss = [step() for _ in range(TRIAL_STEPS)][-1]
        return {"loss": loss, "pace": step_seconds(step)}


def main(arguments: list[str] | None = None) -> int:
    """Run the probe; return the exit code."""
    use_utf8(sys.stdout)
    parser = argparse.ArgumentParser(prog="python -m workbench.training.probe")
    parser.add_argument("--report-fd", type=int, required=True)
    parser.add_argument("--skip", action="append", default=[], help="a step to leave out")
    parser.add_argument("--known", action="append", default=[], help="a speed not to measure")
    parser.add_argument("--steps", default="[]", help="those of earlier processes, as JSON")
    options = parser.parse_args(arguments)
    steps = [TrialStep.model_validate(step) for step in json.loads(options.steps)]
    with os.fdopen(options.report_fd, "w", encoding="utf-8") as out:

        def write(line: dict[str, Any]) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()

        run_probe_steps(write, frozenset(options.skip), frozenset(options.known), steps)
    return 0


def run_probe_steps(
    write: Write,
    skip: frozenset[str] = frozenset(),
    known: frozenset[str] = frozenset(),
    earlier: list[TrialStep] | None = None,
) -> None:
    """Write all results except those of steps to skip.

    Args:
        write: takes each line.
        skip: names of steps.
        known: speeds that need not be measured (see `measured_as`).
        earlier: steps of processes that ended early.
    """
    prepare_device(deterministic=False)
    devices, steps = list_devices(), list(earlier or ())
    write({"framework": _framework(devices)})
    tried: set[str] = set()
    for listed in devices:
        steps += _try_steps(listed, write, skip, every_way=listed.name not in tried)
        if trial_of(steps, listed.id).trains:
            tried.add(listed.name)
    measured = set(known)
    for listed in devices:
        device = replace(listed.as_device(), trial=trial_of(steps, listed.id))
        name, way = f"{listed.id} speed", _measured_as(device)
        if name not in skip and way not in measured:
            measured.add(way)
            write({"begin": name})
            _measure(listed.id, device, write)


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


def _measured_as(device: Device) -> str:
    precision, jit = resolve_precision("auto", device), resolve_jit("auto", device, False)
    return measured_as(device.name, precision, jit)


def _ways(device: ListedDevice, every_way: bool) -> list[tuple[str, bool, str]]:
    """Return name, jit and precision of each way to try a device."""
    backend = keras.backend.backend()
    compiles = backend == "jax"  # always, and takes seconds for each operation without
    ways = [(f"{device.id} jit" if compiles else device.id, compiles, FLOAT32)]
    if every_way and device.as_device().tensor_cores:
        ways.append((f"{device.id} half", compiles, FLOAT16))
    # On a CPU it would only slow training down (see `decide_jit`).
    if every_way and backend == "tensorflow" and device.kind == "gpu":
        ways.append((f"{device.id} jit", True, FLOAT32))
    return ways


def _try_steps(
    device: ListedDevice, write: Write, skip: frozenset[str], every_way: bool
) -> list[TrialStep]:
    """Train on a device; return the results.

    Args:
        device: to train on.
        write: takes each result.
        skip: names of steps to leave out.
        every_way: False for one more of a kind that works: compiling takes seconds on each.
    """
    tried = []
    for name, jit, precision in _ways(device, every_way):
        if name in skip:
            continue
        write({"begin": name})
        started, error, result = time.monotonic(), "", {}
        try:
            with keras.device(device.id):
                batch = GPU_BATCH if device.kind == "gpu" else TRIAL_BATCH
                result = try_training(jit, precision, batch)
        except Exception as problem:  # any error is a result
            error = _describe_error(problem)
        step = TrialStep(
            device=device.id,
            jit=jit,
            precision=precision,
            error=error,
            seconds=time.monotonic() - started,
            **{key: value for key, value in result.items() if math.isfinite(value)},
        )
        write({"step": step.model_dump()})
        tried.append(step)
    return tried


def _measure(device_id: str, device: Device, write: Write) -> None:
    try:
        with keras.device(device_id):
            found = measure_device(device)
    except Exception as problem:  # reported as a failed step
        write({"step": {"device": device_id, "jit": False, "error": _describe_error(problem)}})
        return
    settings = {"precision": found.precision, "jit": found.jit, "busy": found.busy}
    write({"speed": {"device": device_id, **settings, "speed": found.speed.model_dump()}})


def _describe_error(problem: Exception) -> str:
    return f"{type(problem).__name__}: {problem}"[:MAX_ERROR_LENGTH]


if __name__ == "__main__":
    sys.exit(main())
