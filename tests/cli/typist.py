"""Someone at a command line whose workers train nothing."""

import os
import subprocess
import sys
from dataclasses import dataclass

from person import REPOSITORY

from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.events import EventWriter
from workbench.runs.folder import RunFolder, create_run

PATH = [REPOSITORY, REPOSITORY / "tests" / "runs", REPOSITORY / "tests" / "cli"]


@dataclass(frozen=True)
class Typist:
    """Types commands whose workers do what `worker` says (see `fake_worker`)."""

    workspace: Workspace

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "fake_cli", *words]

    def environment(self, worker: str) -> dict[str, str]:
        return {
            **os.environ,
            "WORKBENCH_HOME": str(self.workspace.root),
            "PYTHONPATH": os.pathsep.join(map(str, PATH)),
            "FAKE_WORKER": worker,
        }

    def start(
        self, *words: str, worker: str = "finish", stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """A command that goes on by itself."""
        return subprocess.Popen(
            self.command(*words),
            cwd=self.workspace.root,
            env=self.environment(worker),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def types(self, *words: str, worker: str = "finish", expect: int = 0) -> str:
        """Runs a command to its end; returns what it printed, errors after the rest."""
        done = self.start(*words, worker=worker)
        told = "".join(done.communicate())
        assert "Traceback" not in told
        assert done.returncode == expect, told
        return told

    def run(self, name: str, **worker: str) -> RunFolder:
        """A run's folder, and a worker that was at it once."""
        tree = preset_tree("convnet", str(self.workspace.root), BOOK_FACTS)
        folder = create_run(self.workspace, dump_spec(parse_spec(tree, "")), name, name)
        if worker:
            EventWriter(folder.events_path).write("worker_started", **worker)
        return folder
