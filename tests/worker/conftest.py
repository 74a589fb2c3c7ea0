"""A workspace with tiny images, and the command line run as a person would."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Person:
    """Someone in a workspace with a terminal."""

    workspace: Path

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "WORKBENCH_HOME": str(self.workspace), "PYTHONPATH": str(REPOSITORY)}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "workbench", *words]

    def types(self, *words: str, expect: int = 0) -> str:
        """Runs a command; returns what it printed, errors after the rest."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.workspace,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert "Traceback" not in done.stdout + done.stderr
        assert done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def events(self, run: str) -> list[dict[str, Any]]:
        log = self.workspace / "saved_models" / run / "events.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()]

    def epochs(self, run: str) -> list[dict[str, Any]]:
        """Figures of the finished epochs, without times and numbering."""
        return [
            {k: v for k, v in event.items() if k not in ("n", "t", "v", "seconds")}
            for event in self.events(run)
            if event["event"] == "epoch_finished"
        ]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """With photos/light and photos/dark: 30 images each, told apart at a glance."""
    rng = np.random.default_rng(1)
    for label, level in (("dark", 40), ("light", 200)):
        folder = tmp_path / "photos" / label
        folder.mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(level - 30, level + 30, (20, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{label}-{number}.png")
    return Person(tmp_path)
