"""The scripts that the README gives to people, run as they stand there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from workbench.cli.scheduled import EXIT_TERMINATED

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SHELL = re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
SLURM = next(block for block in SHELL if "#SBATCH" in block)
UNIT = next(block for block in re.findall(r"```ini\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins on the path: `workbench` ends with $CODE; each notes how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, does in (
        ("srun", 'exec "$@"'),
        ("workbench", f'echo workbench "$@" >> {tmp_path}/called; exit $CODE'),
        ("scontrol", f'echo scontrol "$@" >> {tmp_path}/called; exit $SCONTROL'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{does}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    return tmp_path / "called"


@pytest.mark.parametrize("strict", ["", "set -e\n", "set -euo pipefail\n"])
@pytest.mark.parametrize(
    ("code", "requeued"),
    [
        pytest.param(0, False, id="finished"),
        pytest.param(1, False, id="failed"),
        pytest.param(2, False, id="refused"),
        pytest.param(130, False, id="interrupted"),
        pytest.param(142, False, id="below"),
        pytest.param(EXIT_TERMINATED, True, id="stopped"),
        pytest.param(144, False, id="above"),
    ],
)
def test_a_slurm_job_ends_as_its_run_did(
    commands: Path, monkeypatch: pytest.MonkeyPatch, code: int, requeued: bool, strict: str
) -> None:
    """COMPLETED for 0, FAILED for all else, and requeued only if it was stopped."""
    monkeypatch.setenv("CODE", str(code))
    monkeypatch.setenv("SCONTROL", "0")
    assert subprocess.run(["bash", "-c", strict + SLURM], check=False).returncode == code
    called = commands.read_text().splitlines()
    assert called[0] == "workbench train spec.toml --name night --resume-on-start"
    assert called[1:] == ["scontrol requeue 7"] * requeued


def test_a_stopped_job_that_cannot_be_requeued_is_no_finished_one(
    commands: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODE", str(EXIT_TERMINATED))
    monkeypatch.setenv("SCONTROL", "1")
    assert subprocess.run(["bash", "-c", SLURM], check=False).returncode == EXIT_TERMINATED


def test_systemd_takes_a_stopped_run_for_no_failure() -> None:
    settings = dict(line.split("=", 1) for line in UNIT.splitlines() if "=" in line)
    assert settings["SuccessExitStatus"] == str(EXIT_TERMINATED) == "143"
    assert settings["Restart"] == "on-failure"
    assert settings["ExecStart"].endswith(
        "/workbench train spec.toml --name night --resume-on-start"
    )


@pytest.mark.parametrize("block", SHELL, ids=range(len(SHELL)))
def test_what_people_are_to_type_is_shell(block: str) -> None:
    done = subprocess.run(["bash", "-n", "-c", block], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
