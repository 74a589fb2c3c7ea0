"""What commands say of the machine before anything runs: its figures, the GPU that is taken."""

from workbench.cli.show import progress_bar, say
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.benchmark_store import Figures, Shelf
from workbench.machine.check import look_at_gpus
from workbench.machine.gpus import NONE
from workbench.machine.memory_check import gpu_notes
from workbench.machine.preflight import look_before_start


def known_figures(asked: int | str) -> Figures | None:
    """What was measured of the device that a run would take; None where nothing was.

    Raises:
        UserError: the GPU asked for is not there.
    """
    figures = Shelf(look_at_gpus(asked).device_name).load()
    return None if figures and asked == NONE and figures.kind != "cpu" else figures


def look_before(spec: ExperimentSpec, queue: bool) -> None:
    """Looks whether a run can begin; tells which GPU it will take and who else holds its memory.

    Args:
        queue: True for a run that waits: whoever holds the memory may be gone by then.

    Raises:
        UserError: as `look_before_start`.
    """
    doubts: list[str] = []
    with progress_bar() as progress:
        choice = look_before_start(spec, queue, progress, doubts.append)
    for doubt in doubts:
        say(f"warning {doubt}", err=True)
    for label, words in zip(("gpu", "note"), gpu_notes(choice), strict=False):
        say(f"{label:<6} {words}", err=True)
