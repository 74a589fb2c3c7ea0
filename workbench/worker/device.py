"""The device of a worker, chosen before keras is imported, and how long an epoch takes on it."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from workbench.experiment.cost import stage_costs
from workbench.experiment.estimate import stage_seconds
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.benchmark_store import BenchmarkResult, BenchmarkStore
from workbench.machine.check import find_gpu
from workbench.machine.gpus import AUTO, CPU, GpuChoice
from workbench.progress import Progress
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.training.backend import Device


def claim_device(gpu: int | str = AUTO) -> GpuChoice:
    """Choose the GPU and hide all others from this process; keras must not be imported yet.

    Raises:
        UserError: The requested GPU does not exist.
    """
    choice = find_gpu(gpu)
    os.environ.update(choice.environment)
    return choice


def expected_seconds(
    spec: ExperimentSpec,
    images: Mapping[str, int],
    classes: int,
    device: "Device",
    choice: GpuChoice,
    progress: Progress,
    notice: Callable[[str], None],
) -> dict[int, float]:
    """Estimate the seconds of an epoch of each stage; {} if the device cannot be measured.

    A device without benchmark is measured now, once. `images` are counted by split.
    """
    store = BenchmarkStore(choice.device_name)
    benchmark = store.load()
    if benchmark is None or benchmark.kind != device.kind:
        progress("measure this machine, once", 0, 0)
        try:
            benchmark = _measure(device)
        except Exception as error:  # an estimate is no reason to end a training
            notice(f"The machine could not be measured: {safe_text(error)}.")
            return {}
        if not spec.training.deterministic:  # which slows down some operations
            with suppress(OSError):
                store.save(benchmark)
    costs = stage_costs(spec, classes)
    return {c.stage.index: stage_seconds(c, images, benchmark.speed).epoch for c in costs}


def _measure(device: "Device") -> BenchmarkResult:
    from workbench.training.device_benchmark import measure_device

    benchmark = measure_device(device)
    name = device.name if device.kind == "gpu" else CPU
    return BenchmarkResult(device=name, kind=device.kind, **vars(benchmark))
