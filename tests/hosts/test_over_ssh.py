"""Listing and fetching over a real sshd on loopback, with keys and settings of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_runs import finished, training
from ssh_server import needs_rsync, sshd

from workbench.hosts.feed import poll_hosts
from workbench.hosts.fetch import fetch_run
from workbench.paths import Workspace
from workbench.runs.summary import summarize
from workbench.settings import HostSettings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with sshd(tmp_path_factory.mktemp("sshd")) as folder:
        yield folder


@pytest.fixture(autouse=True)
def _known_machines(server: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{server}:{os.environ['PATH']}")


def test_runs_of_machines_in_one_list(there: Workspace) -> None:
    old = finished(there, "old")
    with training(there, "new") as new:
        hosts = {
            name: HostSettings(address=name, workspace=str(there.root))
            for name in ("far", "nokey", "closed")
        }
        hosts["wrong"] = HostSettings(address="far", workspace="/nowhere")
        far, nokey, closed, wrong = poll_hosts(hosts)
        assert [run.summary for run in far.runs] == [summarize(new.folder), summarize(old.folder)]
        assert far.problem == ""
        assert "Permission denied (publickey" in nokey.problem
        assert "Connection refused" in closed.problem
        assert wrong.problem == "there is no folder /nowhere on it"
        assert not nokey.runs + closed.runs + wrong.runs


@needs_rsync
def test_a_run_is_fetched(there: Workspace, workspace: Workspace) -> None:
    run = finished(there, "old")
    host = HostSettings(address="far", workspace=str(there.root))
    folder = fetch_run(workspace, host, "old", "old")
    assert summarize(folder) == summarize(run.folder)
    assert not Path("pwned").exists()
