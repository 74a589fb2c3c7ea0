"""What a worker runs on: chosen before keras is imported; and how long that should take."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

from workbench.experiment.cost import stage_costs
from workbench.experiment.estimate import stage_seconds
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.benchmark_store import Figures, Shelf
from workbench.machine.check import look_at_gpus
from workbench.machine.gpus import AUTO, CPU, Choice
from workbench.progress import Progress
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.training.backend import Device


def claim_device(asked: int | str = AUTO) -> Choice:
    """Chooses the GPU and hides all others from this process; keras must not be imported yet.

    Raises:
        UserError: the GPU asked for is not there.
    """
    choice = look_at_gpus(asked)
    os.environ.update(choice.environment)
    return choice


def expected_seconds(
    spec: ExperimentSpec,
    images: Mapping[str, int],
    classes: int,
    device: "Device",
    choice: Choice,
    progress: Progress,
    note: Callable[[str], None],
) -> dict[int, float]:
    """Seconds that an epoch of each stage should take; {} where nothing could be measured.

    A device that was never measured is measured now, once.

    Args:
        images: by "train" and "validation".
    """
    shelf = Shelf(choice.device_name)
    figures = shelf.load()
    if figures is None or figures.kind != device.kind:
        progress("measure this machine, once", 0, 0)
        try:
            figures = _measured(device)
        except Exception as error:  # a figure is no reason to end a training
            note(f"The machine could not be measured: {safe_text(error)}.")
            return {}
        if not spec.training.deterministic:  # which slows some operations down
            with suppress(OSError):
                shelf.save(figures)
    costs = stage_costs(spec, classes)
    return {c.stage.index: stage_seconds(c, images, figures.speed).epoch for c in costs}


def _measured(device: "Device") -> Figures:
    from workbench.training.device_benchmark import measure_device

    found = measure_device(device)
    name = device.name if device.kind == "gpu" else CPU
    return Figures(device=name, kind=device.kind, **vars(found))
