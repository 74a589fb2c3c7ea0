"""Weights & Biases: a run of a project, on its server, or as files for `wandb sync`.

Without a key, or with WANDB_MODE=offline, nothing is sent: the files stand in DIR/wandb.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast
from uuid import uuid4

import wandb

from workbench.experiment.metrics import VALIDATION
from workbench.runs.watch import RUNNING
from workbench.trackers.tracker import Destination
from workbench.trackers.update import EPOCH_METRICS, STEP, Update

MODE = "WANDB_MODE"
Mode = Literal["online", "offline", "disabled", "shared"]
_NOTHING_OF_OURS = {  # the mirror's own output, code and use of the machine say nothing of the run
    "console": "off",
    "disable_git": True,
    "save_code": False,
    "silent": True,
    "x_disable_stats": True,
}


class WandbTracker:
    """Writes a run of W&B; see `tracker.Tracker`."""

    def __init__(self, run: str, destination: Destination) -> None:
        self.name = run
        self.destination = destination
        self.own: dict[str, Any] = {}
        self.run: Any = None
        self._failed = False

    @property
    def place(self) -> str:
        """The address of the run, or the folder with its files."""
        online = self.run is not None and not self.run.offline
        return str(self.run.url) if online else str(Path(self.destination.place) / "wandb")

    def open(self, own: Mapping[str, Any]) -> bool:
        """Continue a run, or make one."""
        known = bool(own.get("run_id")) and not (own.get("offline") and not self._files(own))
        self.own = dict(own) if known else {"run_id": uuid4().hex[:12], "row": 0}
        return known

    def send(self, update: Update, artifacts: Mapping[str, Path]) -> None:
        """Send configuration, rows, results and files.

        Rows are numbered, so that a server that has one can tell it from a new one.
        """
        if self.run is None:
            self._begin()
        if update.params or update.tags:
            texts = {f"workbench.{name}": text for name, text in update.tags.items()}
            self.run.config.update({**update.params, **texts}, allow_val_change=True)
        for name, points in (("epoch", update.epochs), ("training_step", (update.step,))):
            for point in filter(None, points):
                self.run.log({name: point.step, **point.values}, step=self.own["row"])
                self.own["row"] += 1
        if update.test:
            self.run.summary.update(dict(update.test.values))
        for path in artifacts.values():
            self.run.save(str(path), base_path=str(path.parent), policy="now")
        self._failed = update.state not in RUNNING and update.state != "finished"

    def close(self) -> None:
        """Send what is still waiting."""
        if self.run is not None:
            self.run.finish(exit_code=int(self._failed))

    def _begin(self) -> None:
        """Begin to write; not before there is something to send."""
        Path(self.destination.place).mkdir(parents=True, exist_ok=True)
        mode = chosen_mode()
        self.own["offline"] = mode == "offline"
        self.run = wandb.init(
            project=self.destination.project,
            name=self.name,
            id=self.own["run_id"],
            dir=self.destination.place,
            mode=mode,
            resume="allow" if mode == "online" else None,
            reinit="create_new",
            settings=wandb.Settings(**_NOTHING_OF_OURS),
        )
        for name in EPOCH_METRICS:
            self.run.define_metric(name, step_metric="epoch")
        self.run.define_metric(f"{VALIDATION}*", step_metric="epoch")
        self.run.define_metric(f"{STEP}*", step_metric="training_step")

    def _files(self, own: Mapping[str, Any]) -> list[Path]:
        return list(Path(self.destination.place).glob(f"wandb/offline-run-*-{own['run_id']}"))


def chosen_mode() -> Mode:
    """Return "offline" unless there is a key, or WANDB_MODE says otherwise."""
    if mode := os.environ.get(MODE):
        return cast(Mode, mode)  # W&B refuses another
    return "online" if wandb.login(prompt=False, verify=False) else "offline"
