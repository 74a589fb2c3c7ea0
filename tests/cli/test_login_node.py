"""A login node without a framework: its requirements, and what works with them alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fake_slurm import FakeSlurm, job
from login_requirements import FILE, FRAMEWORK, login_requirements
from person import REPOSITORY

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.slurm import read_job

# Imports of a framework fail, and importlib finds none.
SCRIPT = f"""
import sys
sys.modules |= dict.fromkeys({(*FRAMEWORK, "jax", "torch", "openvino")!r})
"""
COMMANDS = """
from click.testing import CliRunner
from workbench.cli import workbench
for line in sys.stdin.read().splitlines():
    result = CliRunner().invoke(workbench, line.split(), prog_name="workbench")
    print(line, result.exit_code, result.output, sep="\\n")
"""
APP = """
from pathlib import Path
from ui_pilot import driven, until
import asyncio
async def scene():
    async with driven(Path.cwd()) as (app, pilot):
        await until(pilot, lambda: app.runs)
        print(app.runs[0].summary.state.description)
        for key in ("enter", "escape", "m", "escape", "n"):
            await pilot.press(key)
            await until(pilot, lambda: True)
asyncio.run(scene())
"""


def python(folder: Path, script: str, lines: str = "") -> str:
    paths = (REPOSITORY, REPOSITORY / "tests", REPOSITORY / "tests/ui")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT + script],
        input=lines,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_its_requirements_are_those_of_the_package_without_the_framework() -> None:
    assert FILE.read_text(encoding="utf-8") == login_requirements(), "make login"
    lines = FILE.read_text(encoding="utf-8").splitlines()
    assert "click>=8.1" in lines
    assert not [line for line in lines if line.startswith(FRAMEWORK)]


def test_runs_are_prepared_submitted_and_watched_without_a_framework(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("WORKBENCH_HOME", raising=False)
    (tmp_path / "bin").mkdir()
    slurm = FakeSlurm(tmp_path / "bin", monkeypatch)
    slurm.queue(job("PENDING", state_reason="Priority"))
    commands = (
        "slurm default command=/shared/venv/bin/workbench",
        "plan --preset dense --data photos",
        "train --preset dense --data photos --name night --slurm --detach",
        "runs",
        "sweep --preset dense --data photos --name s --seeds 2 --slurm --detach",
    )
    output = python(tmp_path, COMMANDS, "\n".join(commands))
    codes = [output.split(f"{line}\n", 1)[1].split("\n", 1)[0] for line in commands]
    assert codes == ["0", "0", "0", "0", "0"], output
    assert "night: wait for SLURM job 7: Priority\n\n" in output
    assert "job    7 of SLURM, for 2 runs of sweep s\n" in output
    assert read_job(RunFolder(Workspace(tmp_path).runs / "night"))
    assert python(tmp_path, APP) == "wait for SLURM job 7: Priority\n"
