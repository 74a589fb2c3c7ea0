"""Whether a training fits what is left of a GPU's memory, told before it begins."""

from workbench.errors import UserError
from workbench.experiment.cost import stage_costs
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.gpus import Choice, holders_in_words
from workbench.text import human_gib, safe_text

# Of the counted memory surely needed: what is fused or not kept for the way back needs none.
SURE_SHARE = 0.6


def gpu_notes(choice: Choice) -> list[str]:
    """The GPU that a run takes, and who holds its memory; [] for the CPU."""
    if choice.gpu is None:
        return []
    free = f"{human_gib(choice.memory_free)} of {human_gib(choice.memory_total)} free"
    found = [f"GPU {choice.gpu.index}, {safe_text(choice.device_name)}, {free}"]
    if holders := holders_in_words(choice):
        found.append(f"Its memory is held by {holders}.")
    return found


def refuse_too_little(spec: ExperimentSpec, classes: int, choice: Choice) -> None:
    """Raises UserError where the memory that is left surely cannot hold the training."""
    if choice.gpu is None or not choice.memory_total:
        return
    needed = SURE_SHARE * max(cost.memory_bytes for cost in stage_costs(spec, classes))
    if needed <= choice.memory_free:
        return
    holders = holders_in_words(choice)
    held = f" Its memory is held by {holders}." if holders else ""
    batch = max(spec.training.batch_size // 2, 1)
    raise UserError(
        f"Training needs {human_gib(needed)} or more, and GPU {choice.gpu.index} has "
        f"{human_gib(choice.memory_free)} free.{held}",
        "Wait until it is free (workbench check --watch); or take a smaller batch "
        f"(training.batch_size = {batch}), the freest GPU (training.gpu = auto, --gpu auto) or the "
        "CPU (training.gpu = none, --gpu none).",
    )
