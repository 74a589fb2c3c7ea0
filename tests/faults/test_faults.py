"""Every case of the table, with real workers."""

from pathlib import Path

import pytest
from cases import FINISHED, REFUSED, SEQUENCES, Case, chosen
from everything import EVERYTHING
from faults import FAULTS
from outcome import Reference, differences, outcome
from sessions import new_run, printed, prints, run_session

from workbench.runs.lock import is_locked

pytestmark = [pytest.mark.worker, pytest.mark.xdist_group("faults")]


@pytest.mark.parametrize("case", chosen(), ids=lambda case: case.name)
def test_fault(case: Case, request: pytest.FixtureRequest, reference: Reference) -> None:
    fault = FAULTS[case.fault]
    workspace: Path = request.getfixturevalue(fault.workspace)
    run, photos = new_run(workspace, case.spec), prints(workspace / "photos")

    first = run_session(run, fault=case.fault, moment=case.moment)
    assert first.strikes == 1, f"the moment never occurred; the worker printed:\n{printed(run)}"
    assert first.ends == (case.ends or fault.ends), printed(run)
    assert prints(workspace / "photos") == photos
    messages = first.messages
    if case.ending != FINISHED:
        if fault.between:
            fault.between(run)
        last = run_session(run, resume=True)
        messages += last.messages
        assert last.ends == ("failed user" if case.ending == REFUSED else "finished"), printed(run)
    assert (fault.message if case.message is None else case.message) in messages
    assert not is_locked(run.lock_path)
    if case.ending != REFUSED:
        assert differences(outcome(run), reference(case.spec)) == []
        assert [path.name for path in workspace.rglob(".*.tmp*")] == []


@pytest.mark.parametrize("name", SEQUENCES if EVERYTHING else ["many"])
def test_sequence_of_faults(name: str, workspace: Path, reference: Reference) -> None:
    run = new_run(workspace, "small")
    for number, (kind, moment) in enumerate(SEQUENCES[name]):
        fault = FAULTS[kind]
        session = run_session(run, resume=number > 0, fault=kind, moment=moment)
        assert (kind, session.strikes, session.ends) == (kind, number + 1, fault.ends), printed(run)
        if fault.between:
            fault.between(run)
    assert run_session(run, resume=True).ends == "finished", printed(run)
    assert differences(outcome(run), reference("small")) == []
