"""The scripts that the documentation gives to people, as they stand there."""

import re
import subprocess
from pathlib import Path

import pytest

from workbench.runs.slurm import EXIT_TERMINATED

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs/how-to").glob("*.md"))]
SHELL = [
    block
    for page in PAGES
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text("utf-8"), re.M | re.DOTALL)
]
SLURM = (ROOT / "docs/how-to/slurm.md").read_text("utf-8")
UNIT = next(block for block in re.findall(r"```ini\n(.*?)```", SLURM, re.DOTALL))


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
