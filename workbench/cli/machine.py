"""What commands say of the machine before anything runs: its figures, the GPU that is taken."""

from workbench.cli.show import say
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.check import look_at_gpus
from workbench.machine.figures import Figures, Shelf
from workbench.machine.gpus import AUTO, NONE, Choice, holders_in_words
from workbench.text import human_gib, safe_text

# Of the counted memory surely needed: what is fused or not kept for the way back needs none.
SURE_SHARE = 0.6


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
    if choice.gpu is None:
        return
    free = f"{human_gib(choice.memory_free)} of {human_gib(choice.memory_total)} free"
    say(f"gpu    GPU {choice.gpu.index}, {safe_text(choice.device_name)}, {free}", err=True)
    holders = holders_in_words(choice)
    if holders:
        say(f"note   its memory is held by {holders}", err=True)
    if not queue:
        _refuse_too_little(spec, classes, choice, holders)


def _refuse_too_little(spec: ExperimentSpec, classes: int, choice: Choice, holders: str) -> None:
    from workbench.experiment.cost import stage_costs

    needed = SURE_SHARE * max(cost.memory_bytes for cost in stage_costs(spec, classes))
    if not choice.memory_total or needed <= choice.memory_free:
        return
    number = choice.gpu.index if choice.gpu else 0
    held = f" Its memory is held by {holders}." if holders else ""
    elsewhere = "" if spec.training.gpu == AUTO else " the freest GPU with --gpu auto,"
    batch = max(spec.training.batch_size // 2, 1)
    raise UserError(
        f"Training needs {human_gib(needed)} or more, and GPU {number} has "
        f"{human_gib(choice.memory_free)} free.{held}",
        f"Wait until it is free (workbench check --watch), or take{elsewhere} a smaller batch "
        f"with --set training.batch_size={batch}, or the CPU with --gpu none.",
    )
