"""What commands say of the machine before anything runs: its figures, the GPU that is taken."""

from workbench.cli.show import say
from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.check import ask_nvml
from workbench.machine.figures import CPU, Figures, Shelf
from workbench.machine.gpus import AUTO, Choice, choose_gpu, holders_in_words
from workbench.text import human_gib, safe_text


def known_figures(asked: int | str) -> Figures | None:
    """What was measured of the device that a run would take; None where nothing was.

    Raises:
        UserError: the GPU asked for is not there.
    """
    choice = choose_gpu(asked, ask_nvml())
    return Shelf(choice.gpu.name if choice.gpu and choice.gpu.name else CPU).load()


def look_before(spec: ExperimentSpec, classes: int) -> None:
    """Tells which GPU a run will take and who else holds its memory.

    Raises:
        UserError: the GPU asked for is not there, or what is left of its memory cannot hold the
            training.
    """
    choice = choose_gpu(spec.training.gpu, ask_nvml())
    if choice.gpu is None:
        return
    free = f"{human_gib(choice.memory_free)} of {human_gib(choice.memory_total)} free"
    name = f"GPU {choice.gpu.index}, {safe_text(choice.gpu.name)}"
    say(f"gpu    {name}, {free}", err=True)
    holders = holders_in_words(choice)
    if holders:
        say(f"note   others hold its memory: {holders}", err=True)
    _refuse_too_little(spec, classes, choice, holders)


def _refuse_too_little(spec: ExperimentSpec, classes: int, choice: Choice, holders: str) -> None:
    from workbench.experiment.cost import stage_costs

    needed = max(cost.memory_bytes for cost in stage_costs(spec, classes))
    if not choice.memory_total or needed <= choice.memory_free:
        return
    number = choice.gpu.index if choice.gpu else 0
    held = f" Others hold its memory: {holders}." if holders else ""
    elsewhere = "" if spec.training.gpu == AUTO else " the freest GPU with --gpu auto,"
    batch = max(spec.training.batch_size // 2, 1)
    raise UserError(
        f"Training needs {human_gib(needed)} or more, and GPU {number} has "
        f"{human_gib(choice.memory_free)} free.{held}",
        f"Wait until it is free (workbench check --watch), or take{elsewhere} a smaller batch "
        f"with --set training.batch_size={batch}, or the CPU with --gpu none.",
    )
