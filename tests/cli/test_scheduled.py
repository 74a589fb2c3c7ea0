"""`workbench train --resume-on-start`: the same line at every start of a scheduled job."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from typist import Typist
from waiting import wait_until

from workbench.experiment.toml import read_spec
from workbench.runs.event_log import read_events
from workbench.runs.folder import RunFolder
from workbench.runs.history import fold
from workbench.runs.launch import request_stop
from workbench.runs.lock import is_locked, this_host

LINE = ("train", "--preset", "dense", "--data", "photos", "--name", "night", "--resume-on-start")


pytestmark = pytest.mark.usefixtures("photos")


@pytest.fixture
def night(typist: Typist) -> RunFolder:
    """Where the run is, or will be."""
    return RunFolder(typist.workspace.runs / "night")


def kinds(folder: RunFolder) -> list[str]:
    return [event.event for event in read_events(folder.events_path)]


def output_of(process: subprocess.Popen[str], expect: int) -> str:
    output = "".join(process.communicate())
    assert "Traceback" not in output
    assert process.returncode == expect, output
    return output


def started(folder: RunFolder, sessions: int = 1) -> bool:
    return folder.events_path.exists() and kinds(folder).count("worker_started") == sessions


def test_the_first_start_begins_the_run(typist: Typist, night: RunFolder) -> None:
    output = typist.types(*LINE)
    assert "run    night started" in output
    assert kinds(night) == ["launched", "worker_started", "finished"]


@pytest.mark.parametrize("line", [LINE, LINE[:-1]], ids=["scheduled", "plain"])
def test_memory_and_end_are_provided_for(
    typist: Typist, night: RunFolder, line: tuple[str, ...]
) -> None:
    typist.types(*line, "--oom", "retry", "--on-finish", "touch done", worker="variable")
    assert read_spec(night.spec_path).training.out_of_memory == "retry"
    assert "touch done" not in night.spec_path.read_text()
    output = [notice.message for notice in fold(read_events(night.events_path)).notices]
    assert output == ["touch done"]


def test_a_finished_run_is_not_changed_even_without_its_images(
    typist: Typist, night: RunFolder, photos: Path
) -> None:
    typist.types(*LINE)
    photos.rename(photos.with_name("elsewhere"))
    assert "night is finished; there is nothing to do." in typist.types(*LINE)
    assert kinds(night).count("launched") == 1


def test_sigterm_has_the_worker_save_and_the_next_start_resumes(
    typist: Typist, night: RunFolder
) -> None:
    process = typist.start(*LINE, worker="wait")
    wait_until(lambda: started(night))
    process.send_signal(signal.SIGTERM)
    assert "stopped; everything is saved" in output_of(process, expect=143)
    assert kinds(night)[-1] == "stopped"
    output = typist.types(*LINE)
    assert "run    night resumed; it was stopped: stopped on request at " in output
    assert kinds(night)[3:] == ["launched", "worker_started", "resumed", "finished"]


def test_a_run_that_its_sweep_has_given_up_is_not_started_again(
    typist: Typist, night: RunFolder
) -> None:
    process = typist.start(*LINE, worker="prune")
    wait_until(lambda: started(night))
    process.send_signal(signal.SIGTERM)
    output_of(process, expect=130)


def test_a_failed_run_is_resumed(typist: Typist, night: RunFolder) -> None:
    assert "night failed. no images" in typist.types(*LINE, worker="fail", expect=2)
    assert "it was failed: no images (at " in typist.types(*LINE)
    assert kinds(night)[-1] == "finished"


def test_a_killed_run_is_resumed(typist: Typist, night: RunFolder) -> None:
    assert "night was interrupted" in typist.types(*LINE, worker="die", expect=2)
    assert "it was interrupted: killed or crashed at " in typist.types(*LINE)
    assert kinds(night)[-1] == "finished"


def test_another_machine_is_believed_to_be_gone(typist: Typist) -> None:
    folder = typist.run("night", host="far", boot_id="another")
    output = typist.types(*LINE)
    assert "run    night resumed; it was on far, last sign of life " in output
    assert kinds(folder)[-2:] == ["resumed", "finished"]


def test_a_second_start_watches_the_same_worker(typist: Typist, night: RunFolder) -> None:
    first = typist.start(*LINE, worker="wait")
    wait_until(lambda: started(night))
    second = typist.start(*LINE)
    assert second.stderr
    wait_until(lambda: "run    night is running" in second.stderr.readline())
    request_stop(night)
    for process in (first, second):
        output_of(process, expect=0)
    assert kinds(night) == ["launched", "worker_started", "stopped"]


def test_starts_at_the_same_moment_make_one_worker(typist: Typist, night: RunFolder) -> None:
    processes = [typist.start(*LINE, worker="wait") for _ in range(3)]
    for process in processes:  # one that came later than the stop would rightly resume the run
        assert any("run    night " in line for line in process.stderr or ())
    wait_until(lambda: started(night))
    request_stop(night)
    for process in processes:
        output = "".join(process.communicate())
        assert "Traceback" not in output
    sessions = kinds(night)
    assert [sessions.count(kind) for kind in ("launched", "worker_started", "stopped")] == [1, 1, 1]


def test_it_stays_until_the_worker_is_gone(typist: Typist, night: RunFolder) -> None:
    """A scheduler would end the worker in the middle of the command of --on-finish."""
    typist.types(*LINE, worker="linger")
    pid = json.loads(night.worker_path.read_text())["pid"]
    assert not Path("/proc", str(pid)).exists()


def test_ctrl_c_leaves_it_to_itself(typist: Typist, night: RunFolder) -> None:
    process = typist.start(*LINE, worker="wait")
    assert process.stderr is not None
    assert process.stderr.readline() == "run    night started\n"
    process.send_signal(signal.SIGINT)
    assert "Detached; night keeps running." in output_of(process, expect=0)
    assert is_locked(night.lock_path)
    request_stop(night)
    wait_until(lambda: not is_locked(night.lock_path))


def test_the_runs_own_spec_counts(typist: Typist, night: RunFolder) -> None:
    typist.types(*LINE, worker="die", expect=2)
    own = night.spec_path.read_bytes()
    output = typist.types(*LINE, "--set", "training.epochs=3", "--set", "data.split.seed=9")
    assert "note   night keeps its own spec; ignored: " in output
    assert "data.split.seed, training.epochs\n" in output
    assert night.spec_path.read_bytes() == own


def test_what_cannot_be_read_any_more_stops_nothing(
    typist: Typist, night: RunFolder, photos: Path
) -> None:
    typist.types(*LINE, worker="die", expect=2)
    photos.rename(photos.with_name("elsewhere"))
    output = typist.types(*LINE)
    assert "note   the given experiment is ignored: There is no file or folder photos." in output
    assert kinds(night)[-1] == "finished"


def test_a_folder_left_empty_by_a_start_that_was_cut_off_is_used(
    typist: Typist, night: RunFolder
) -> None:
    night.path.mkdir(parents=True)
    typist.types(*LINE)
    assert kinds(night)[-1] == "finished"


def test_a_run_that_is_damaged_is_not_started_again(typist: Typist) -> None:
    folder = typist.run("night", **this_host())
    folder.spec_path.write_text("[model")
    assert "is not TOML" in typist.types(*LINE, expect=2)
    assert kinds(folder) == ["worker_started"]


def test_a_worker_cut_off_while_it_was_to_stop_is_resumed_next_time(
    typist: Typist, night: RunFolder
) -> None:
    process = typist.start(*LINE, worker="deaf")
    wait_until(lambda: started(night))
    pid = read_events(night.events_path)[-1].pid
    process.send_signal(signal.SIGTERM)
    wait_until(lambda: (night.control / "stop").exists())
    os.kill(pid, signal.SIGKILL)
    output_of(process, expect=143)
    typist.types(*LINE)
    assert kinds(night)[-1] == "finished"


def test_without_the_flag_sigterm_only_ends_the_watching(typist: Typist, night: RunFolder) -> None:
    process = typist.start(*LINE[:-1], worker="wait")
    wait_until(lambda: started(night))
    process.send_signal(signal.SIGTERM)
    output_of(process, expect=-signal.SIGTERM)
    assert is_locked(night.lock_path)
    request_stop(night)
    wait_until(lambda: not is_locked(night.lock_path))
    assert kinds(night)[-1] == "stopped"


@pytest.mark.parametrize("words", [("--detach", "--name", "night"), ()])
def test_it_needs_a_name_and_stays(typist: Typist, words: tuple[str, ...]) -> None:
    line = ("train", "--preset", "dense", "--data", "photos", "--resume-on-start", *words)
    assert "--resume-on-start needs --name" in typist.types(*line, expect=2)
    assert not typist.workspace.runs.exists()


def test_the_name_given_again_without_the_flag_is_taken(typist: Typist) -> None:
    typist.types(*LINE)
    assert "The name night is taken" in typist.types(*LINE[:-1], expect=2)
