"""A user at the command line, for tests of several packages."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.runs.folder import RunFolder

REPOSITORY = Path(__file__).resolve().parents[1]


def signal_worker(run: RunFolder, number: signal.Signals) -> None:
    """Send a signal to the worker of a run, for example to suspend it."""
    os.kill(json.loads(run.worker_path.read_text())["pid"], number)


@dataclass(frozen=True)
class Person:
    """A user in a workspace."""

    workspace: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "WORKBENCH_HOME": str(self.workspace), "PYTHONPATH": str(REPOSITORY)}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "workbench", *words]

    def types(self, *words: str, expect: int = 0) -> str:
        """Run a command; return its output, errors after the rest."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.workspace,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def events(self, run: str) -> list[dict[str, Any]]:
        log = self.workspace / "saved_models" / run / "events.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()]

    def epochs(self, run: str) -> list[dict[str, Any]]:
        """Return the metrics of the finished epochs, without times and numbering."""
        return [
            {k: v for k, v in event.items() if k not in ("n", "t", "v", "seconds")}
            for event in self.events(run)
            if event["event"] == "epoch_finished"
        ]
