"""What every tracker offers, and how one is opened by its name.

A library is imported by the one module that uses it, and that only when it is asked for.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from workbench import pip_install
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace, parse_path

if TYPE_CHECKING:
    from workbench.trackers.update import Update

# By name: the module's class, and variables of its library that nobody has set. We try again by
# ourselves, and nothing is reported to others than the tracker that was named.
TRACKERS: dict[str, tuple[str, dict[str, str]]] = {
    "tensorboard": ("TensorBoardTracker", {}),
    "mlflow": (
        "MlflowTracker",
        {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_ALLOW_FILE_STORE": "true",
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
            "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
        },
    ),
    "wandb": ("WandbTracker", {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}),
}
# Where runs are put, in the workspace, if neither --at nor the tracker's own variable says so. The
# folder of W&B is made by its library.
_FOLDERS = {"tensorboard": "tensorboard", "mlflow": "mlruns", "wandb": "."}
_VARIABLES = {"mlflow": "MLFLOW_TRACKING_URI", "wandb": "WANDB_DIR"}
PROJECT = "workbench"


@dataclass(frozen=True)
class Destination:
    """Where a tracker puts runs.

    Attributes:
        to: name of the tracker.
        place: folder, or for MLflow the address of a server or store.
        project: name of MLflow's experiment, and of W&B's project.
    """

    to: str
    place: str
    project: str


class Tracker(Protocol):
    """A run in a tracker.

    Its methods raise what its library raises; nothing of it is the fault of the run.

    Attributes:
        own: what it needs to continue later; plain data.
    """

    own: dict[str, Any]

    @property
    def place(self) -> str:
        """Where a person finds it."""

    def open(self, own: Mapping[str, Any]) -> bool:
        """Continue what was sent before; False if that is gone, or there was nothing."""

    def send(self, update: "Update", artifacts: Mapping[str, Path]) -> None:
        """Send what is new of the run, and files by their names."""

    def close(self) -> None:
        """Send what is still waiting."""


def find_destination(workspace: Workspace, to: str, at: str | None, project: str) -> Destination:
    """Return where a tracker puts runs.

    Args:
        workspace: of the runs.
        to: name of the tracker.
        at: folder, or for MLflow an address; None for the tracker's variable, else the workspace.
        project: name of MLflow's experiment, and of W&B's project.
    """
    given = at or os.environ.get(_VARIABLES.get(to, "")) or str(workspace.root / _FOLDERS[to])
    if to == "mlflow" and ("://" in given or given == "databricks"):
        return Destination(to, given, project)
    folder = parse_path(given, new=True).resolve()
    return Destination(to, folder.as_uri() if to == "mlflow" else str(folder), project)


def make_tracker(run: str, destination: Destination) -> Tracker:
    """Return a run's tracker, not opened yet.

    Raises:
        UserError: its library is not installed.
    """
    name, quiet = TRACKERS[destination.to]
    for variable, value in quiet.items():
        os.environ.setdefault(variable, value)
    try:
        module = import_module(f"workbench.trackers.{destination.to}")
    except ModuleNotFoundError as error:
        raise UserError(
            tr(
                "The package {package} is not installed, so nothing can be sent to {tracker}.",
                package=error.name,
                tracker=destination.to,
            ),
            tr("Install it: {command}", command=pip_install(destination.to)),
        ) from None
    tracker: Tracker = getattr(module, name)(run, destination)
    return tracker
