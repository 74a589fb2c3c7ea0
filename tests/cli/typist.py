"""A command line with fake workers, and the types of the fixtures."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from click.testing import Result
from event_lines import LogWriter
from person import REPOSITORY

from workbench.experiment.presets import BOOK_FACTS, preset_tree
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run

Type = Callable[..., Result]  # runs a command in this process
Complete = Callable[[str], list[str]]
TESTS = REPOSITORY / "tests"
PATH = [REPOSITORY, TESTS, TESTS / "runs", TESTS / "cli"]


@dataclass(frozen=True)
class Typist:
    """Runs commands whose workers do what `worker` names (see `fake_worker`)."""

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
        """Start a command."""
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
        """Run a command to its end; return its output, stderr after stdout."""
        done = self.start(*words, worker=worker)
        output = "".join(done.communicate())
        assert "Traceback" not in output
        assert done.returncode == expect, output
        return output

    def run(self, name: str, **worker: str) -> RunFolder:
        """Make a run's folder, with the first event of a worker if one is given."""
        tree = preset_tree("convnet", str(self.workspace.root), BOOK_FACTS)
        folder = create_run(self.workspace, dump_spec(parse_spec(tree, "")), name, name)
        if worker:
            LogWriter(folder.events_path).write("worker_started", **worker)
        return folder
