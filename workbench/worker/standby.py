"""What a worker can do before it has a run: seconds that nobody needs to wait for later.

Where there is a GPU it imports only: whatever touches a device would hold memory of a card that the
run may not even choose. Without one it also takes a step of training, the first of which costs
a second.
"""

import json
import os
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import UserError
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import read_spec
from workbench.machine.backends import chosen_backend
from workbench.machine.check import look_at_gpus
from workbench.machine.gpus import AUTO, NONE
from workbench.machine.keras_settings import DEFAULT
from workbench.runs.folder import RunFolder
from workbench.runs.standby import LONGEST_ORDER
from workbench.training.environment import prepare_environment


@dataclass(frozen=True)
class Warmth:
    """What a process has done that cannot be undone.

    Attributes:
        stepped: it has looked at its devices, and is not deterministic by that.
    """

    stepped: bool = False

    def suits(self, spec: ExperimentSpec) -> bool:
        """Whether the run would be the same in a process that has done nothing yet."""
        training = spec.training
        return not self.stepped or (not training.deterministic and training.gpu in (AUTO, NONE))


def warm_up(step: bool = True) -> Warmth:
    """Imports what training needs; takes a step as well where there is no GPU.

    Args:
        step: False for imports alone.
    """
    has_gpu = look_at_gpus(AUTO).gpu is not None
    if has_gpu and chosen_backend(os.environ) != DEFAULT:
        return Warmth()  # importing keras would start the driver there
    prepare_environment()
    _import_all()
    if has_gpu or not step:
        return Warmth()
    from workbench.training.first_step import take_step

    take_step()
    return Warmth(stepped=True)


def warm_up_for(spec: ExperimentSpec) -> None:
    """Does what suits a run that is known already but has to wait.

    What goes wrong is not told: the run meets it again at a moment when it is told.
    """
    with suppress(Exception):
        warm_up(step=Warmth(stepped=True).suits(spec))


def wait_for_run(channel_fd: int) -> int:
    """Warms up, then trains the run that comes over the channel; returns the exit code.

    Where what was done does not suit the run, the process begins anew as if it had been started
    for it. Ends when the other side of the channel is closed.
    """
    with socket.socket(fileno=channel_fd) as channel:
        warmth = _tried()
        order, descriptors, _, _ = socket.recv_fds(channel, LONGEST_ORDER, 2)
    if not order:
        os._exit(0)  # the libraries' own clean-up takes a second
    lock, log = descriptors
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    os.close(log)
    told = json.loads(order)
    folder, resume = Path(told["folder"]), bool(told["resume"])
    _name_process(folder.name)
    from workbench.worker.session import begin_anew, train_run

    if not _suits(warmth, folder):
        begin_anew(folder, lock, resume)
    return train_run(folder, lock, resume)


def _name_process(run: str) -> None:
    """Has `ps -e` and `top` say which run it trains: its command line was made before."""
    with suppress(OSError):  # no Linux
        Path("/proc/self/comm").write_text(f"wb:{run}")  # the kernel keeps 15 bytes


def _import_all() -> None:
    import workbench.evaluation.evaluate
    import workbench.evaluation.model_file
    import workbench.training.trainer
    import workbench.training.weights  # noqa: F401


def _tried() -> Warmth | None:
    """None where it failed: the run's own process will say why."""
    try:
        return warm_up()
    except Exception:
        traceback.print_exc()
        return None


def _suits(warmth: Warmth | None, folder: Path) -> bool:
    try:
        return warmth is not None and warmth.suits(read_spec(RunFolder(folder).spec_path))
    except (OSError, UserError):
        return False
