"""What commands say of the machine before anything runs: its figures, the GPU that is taken."""

from workbench.cli.show import say
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.check import look_at_gpus
from workbench.machine.figures import Figures, Shelf
from workbench.machine.gpus import NONE
from workbench.machine.room import gpu_notes, refuse_too_little


def known_figures(asked: int | str) -> Figures | None:
    """What was measured of the device that a run would take; None where nothing was.

    Raises:
        UserError: the GPU asked for is not there.
    """
    figures = Shelf(look_at_gpus(asked).device_name).load()
    return None if figures and asked == NONE and figures.kind != "cpu" else figures


def look_before(spec: ExperimentSpec, classes: int, queue: bool) -> None:
    """Tells which GPU a run will take and who else holds its memory.

    Args:
        queue: True for a run that waits: whoever holds the memory may be gone by then.

    Raises:
        UserError: the GPU asked for is not there, or what is left of its memory cannot hold the
            training.
    """
    choice = look_at_gpus(spec.training.gpu)
    for label, words in zip(("gpu", "note"), gpu_notes(choice), strict=False):
        say(f"{label:<6} {words}", err=True)
    if not queue:
        refuse_too_little(spec, classes, choice)
