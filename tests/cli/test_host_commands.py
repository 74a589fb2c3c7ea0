"""Runs of several machines in one list, and a run fetched, as a person types it."""

import json
import re
from pathlib import Path

import pytest
from fake_runs import finished, training
from ssh_server import needs_rsync, put_command
from typist import Complete, Type

from workbench.paths import Workspace
from workbench.settings import HostSettings, Settings, write_settings

pytestmark = pytest.mark.usefixtures("commands")


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    hosts = {
        "gpu-07": HostSettings(address="someone@gpu-07.lab", workspace=str(there.root)),
        "old": HostSettings(address="down"),
    }
    write_settings(Settings(hosts=hosts))


def machines(output: str) -> list[list[str]]:
    """State, machine and run of every line of the table."""
    lines = output.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith("state"))
    return [line.split()[:3] for line in lines[start + 1 :]]


def test_runs_of_a_machine_are_listed_beside_those_of_this_one(
    types: Type, workspace: Workspace, there: Workspace
) -> None:
    finished(workspace, "mine")
    with training(there, "theirs"):
        result = types("runs", "--host", "gpu-07")
    assert result.exit_code == 0
    assert machines(result.output) == [
        ["training", "gpu-07", "theirs"],
        ["finished", "here", "mine"],
    ]
    assert types("runs").output.splitlines()[0].split()[:3] == ["state", "run", "preset"]


def test_json_names_the_machine(types: Type, workspace: Workspace, there: Workspace) -> None:
    finished(workspace, "mine")
    finished(there, "theirs")
    found = json.loads(types("runs", "--host", "gpu-07", "--json").output)
    assert [(run["host"], run["name"]) for run in found] == [("gpu-07", "theirs"), ("", "mine")]
    assert "host" not in json.loads(types("runs", "--json").output)[0]


def test_a_machine_without_settings(types: Type, there: Workspace) -> None:
    finished(there, "theirs")
    place = f"gpu-08:{there.root}"
    result = types("runs", "--host", place, "--best-first")
    assert result.output.splitlines()[1].startswith(f"finished  {place}  theirs")


@pytest.mark.parametrize("name", ["-oProxyCommand=touch pwned", "a b", "a;b", "$(touch pwned)", ""])
def test_no_name_of_a_machine(types: Type, tmp_path: Path, name: str) -> None:
    result = types("runs", "--host", name)
    assert result.exit_code == 2
    assert f"error: {name!r} names no machine" in result.output
    assert "(gpu-07 or old)" in result.output
    assert not (tmp_path / "pwned").exists()


def test_one_that_does_not_answer_is_reported(
    types: Type, workspace: Workspace, there: Workspace, commands: Path
) -> None:
    finished(there, "theirs")
    refused = "old does not answer: ssh: connect to host down port 22: Connection refused.\n"
    result = types("runs", "--all-hosts")
    assert (result.exit_code, result.stderr) == (0, refused)
    assert machines(result.stdout) == [["finished", "gpu-07", "theirs"]]
    put_command(commands, "ssh", "#!/bin/sh\necho 'no route' >&2; exit 255\n")
    result = types("runs", "--host", "gpu-07")
    assert result.exit_code == 2
    shown = r"gpu-07 does not answer: no route\. Its runs are shown as they were \d+ s ago\.\n"
    assert re.fullmatch(shown, result.stderr)
    assert machines(result.stdout) == [["finished", "gpu-07", "theirs"]]


def test_no_machine_in_the_settings(types: Type) -> None:
    write_settings(Settings())
    result = types("runs", "--all-hosts")
    assert result.exit_code == 0
    assert result.stderr.startswith("The settings name no machine: ")


@needs_rsync
def test_fetching_a_run(types: Type, workspace: Workspace, there: Workspace) -> None:
    finished(there, "theirs")
    result = types("fetch", "gpu-07", "latest", "--into", "mine")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("theirs of gpu-07 is here as mine, ")
    assert "See: workbench status mine\n" in result.stdout
    assert "finished" in types("status", "mine").output
    result = types("fetch", "gpu-07", "theirs", "--into", "mine")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (
        2,
        "Give the run another name here: --into NAME",
    )
    assert types("fetch", "gpu-07", "none").exit_code == 2
    assert types("fetch", "old", "theirs").stderr.startswith("error: old does not answer: ssh: ")


@needs_rsync
def test_fetching_one_that_still_runs(types: Type, there: Workspace) -> None:
    with training(there, "theirs"):
        result = types("fetch", "gpu-07", "theirs")
    assert "It still runs there" in result.stdout


def test_names_of_machines_are_completed(complete: Complete) -> None:
    assert complete("runs --host o") == ["plain,old"]
    assert complete("fetch gp") == ["plain,gpu-07"]
