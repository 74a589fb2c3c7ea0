"""The helpers of a run: each on a device of its own, ended with the run, their failures told."""

import os
from pathlib import Path

import pytest
from waiting import wait_until

from workbench.worker.feature_processes import FeatureHelpers, Place

NAMES = ["GPU-1aaa", "GPU-2aaa"]


@pytest.fixture(autouse=True)
def _stub_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def helpers(folder: Path, do: str, notices: list[str]) -> FeatureHelpers:
    request = {"folder": str(folder), "do": do}
    places = [Place({"CUDA_VISIBLE_DEVICES": name}) for name in NAMES]
    return FeatureHelpers(request, places, notices.append, module="feature_stub")


def pids(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_end_of_a_run_ends_its_helpers(tmp_path: Path) -> None:
    notices: list[str] = []
    with helpers(tmp_path, "wait", notices):
        wait_until(lambda: sorted(name for name, pid in pids(tmp_path).items() if pid) == NAMES)
    for pid in pids(tmp_path).values():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    assert notices == []


@pytest.mark.parametrize(
    ("do", "why"), [("fail", "Keras sees no GPU here."), ("kill", "ended by signal SIGKILL")]
)
def test_a_helper_that_fails_is_a_notice(tmp_path: Path, do: str, why: str) -> None:
    notices: list[str] = []
    with helpers(tmp_path, do, notices):
        wait_until(lambda: len(notices) == 2)
    assert all(
        "helped to compute features has ended; the others continue." in one for one in notices
    )
    assert all(why in one for one in notices)


def test_a_helper_that_is_done_says_nothing(tmp_path: Path) -> None:
    notices: list[str] = []
    with helpers(tmp_path, "finish", notices) as started:
        wait_until(lambda: not any(thread.is_alive() for thread in started._threads))
    assert (sorted(pids(tmp_path)), notices) == (NAMES, [])
