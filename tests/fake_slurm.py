"""Stand-ins for SLURM's commands, which print what a test has them print."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from workbench.paths import Workspace
from workbench.runs import slurm_queue
from workbench.runs.folder import RunFolder, create_run

SPEC = '[data]\nsource = "/photos"\n[model]\nstrategy = "dense"\n'
SCRIPT = """#!/bin/sh
echo {name} "$@" >> {folder}/called
cat {folder}/{name}.err >&2
cat {folder}/{name}.out
exit $(cat {folder}/{name}.rc)
"""


class FakeSlurm:
    """sbatch, squeue, scancel and scontrol on the path.

    Attributes:
        folder: of the commands.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        for name in ("sbatch", "squeue", "scancel", "scontrol"):
            (folder / name).write_text(SCRIPT.format(name=name, folder=folder))
            (folder / name).chmod(0o755)
            self.prints(name)
        self.prints("sbatch", "7\n")
        self.queue()
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        conf = folder / "slurm.conf"  # without one the programs know no cluster
        conf.touch()
        monkeypatch.setenv("SLURM_CONF", str(conf))
        for name in ("SLURM_JOB_ID", "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(slurm_queue, "ASK_SECONDS", 0.0)
        monkeypatch.setattr(slurm_queue, "_PATIENCE", 0)
        monkeypatch.setattr(slurm_queue, "_workspaces", {})

    def prints(self, command: str, out: str = "", err: str = "", code: int = 0) -> None:
        """Set what a command prints, and its exit code."""
        (self.folder / f"{command}.out").write_text(out)
        (self.folder / f"{command}.err").write_text(err)
        (self.folder / f"{command}.rc").write_text(str(code))

    def queue(self, *jobs: dict[str, Any]) -> None:
        """Set the records that squeue prints."""
        self.prints("squeue", json.dumps({"meta": {}, "errors": [], "jobs": jobs}))

    def called(self, command: str = "") -> list[str]:
        """Return the calls, of one command if it is named."""
        path = self.folder / "called"
        lines = path.read_text().splitlines() if path.exists() else []
        return [line for line in lines if line.startswith(command)]


def job(state: str | list[str] = "RUNNING", number: int = 7, **fields: Any) -> dict[str, Any]:
    """Return a record of squeue as SLURM 22.05 writes it."""
    return {
        "job_id": number, "job_state": state, "state_reason": "None", "start_time": 0,
        "exit_code": 0, "array_job_id": 0, "array_task_id": None, "array_task_string": "", **fields,
    }  # fmt: skip


def make_run(workspace: Path, name: str = "night") -> RunFolder:
    """Make the folder of a run without a worker."""
    return create_run(Workspace(workspace), SPEC, name, name)
