"""Whether the disk will hold what a run saves, told before hours of work."""

import shutil

from workbench.errors import DiskFull
from workbench.experiment.cost import saved_bytes, stage_costs
from workbench.experiment.spec import ExperimentSpec
from workbench.runs.folder import RunFolder
from workbench.text import human_bytes, safe_text


def check_space(folder: RunFolder, spec: ExperimentSpec, classes: int) -> None:
    """Looks before the training starts; what an earlier life has saved already counts as there.

    Raises:
        DiskFull: checkpoints and model will not fit.
    """
    saved = [*folder.checkpoints.glob("*.npz"), folder.model_path]
    there = sum(path.stat().st_size for path in saved if path.exists())
    needed = saved_bytes(stage_costs(spec, classes)) - there
    free = shutil.disk_usage(folder.path).free
    if needed > free:
        raise DiskFull(
            f"The run's checkpoints and its model need up to {human_bytes(needed)}, and "
            f"{safe_text(folder.path)} has {human_bytes(free)} free.",
            "Make room and resume, choose a smaller network, or another workspace with "
            "--workspace DIR.",
        )
