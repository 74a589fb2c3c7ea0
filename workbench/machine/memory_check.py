"""Whether a training fits into the free memory of a GPU, checked before it starts."""

from workbench.errors import UserError
from workbench.experiment.cost import stage_costs
from workbench.experiment.spec import ExperimentSpec
from workbench.machine.gpus import GpuChoice, describe_holders
from workbench.text import format_gib, safe_text

# Of the computed memory certainly needed: fused or recomputed values need none.
CERTAIN_SHARE = 0.6


def gpu_notes(choice: GpuChoice) -> list[str]:
    """Return the GPU that a run uses, and who holds its memory; [] for the CPU."""
    if choice.gpu is None:
        return []
    free = f"{format_gib(choice.memory_free)} of {format_gib(choice.memory_total)} free"
    found = [f"GPU {choice.gpu.index}, {safe_text(choice.device_name)}, {free}"]
    if holders := describe_holders(choice):
        found.append(f"Its memory is held by {holders}.")
    return found


def require_gpu_memory(spec: ExperimentSpec, classes: int, choice: GpuChoice) -> None:
    """Check that the GPU's free memory can hold the training.

    Raises:
        UserError: it certainly cannot.
    """
    if choice.gpu is None or not choice.memory_total:
        return
    needed = CERTAIN_SHARE * max(cost.memory_bytes for cost in stage_costs(spec, classes))
    if needed <= choice.memory_free:
        return
    holders = describe_holders(choice)
    held = f" Its memory is held by {holders}." if holders else ""
    batch = max(spec.training.batch_size // 2, 1)
    raise UserError(
        f"Training needs {format_gib(needed)} or more, and GPU {choice.gpu.index} has "
        f"{format_gib(choice.memory_free)} free.{held}",
        "Wait until it is free (workbench check --watch); or use a smaller batch "
        f"(training.batch_size = {batch}), the freest GPU (training.gpu = auto, --gpu auto) or the "
        "CPU (training.gpu = none, --gpu none).",
    )
