"""Home with runs of other machines: a column for the machine, what fails, and fetching."""

import json
from pathlib import Path

import pytest
from fake_runs import finished, training
from ssh_server import needs_rsync, put_command
from textual.widgets import DataTable
from ui_pilot import driven, messages, notices, text_of, until

from workbench.paths import Workspace, cache_folder
from workbench.settings import HostSettings, Settings, write_settings
from workbench.ui.app import WorkbenchApp
from workbench.ui.dialogs import Choose, Prompt
from workbench.ui.fetch import FetchDialog
from workbench.ui.home.screen import HomeScreen
from workbench.ui.train.screen import TrainScreen

pytestmark = pytest.mark.usefixtures("commands")


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, there: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    there.runs.mkdir(parents=True)
    use("gpu-07", there)


def use(address: str, there: Workspace) -> None:
    host = HostSettings(address=address, workspace=str(there.root))
    write_settings(Settings(hosts={"gpu-07": host}))


def rows(app: WorkbenchApp) -> list[list[str]]:
    """Machine and run of each row."""
    table = app.screen.query_one(DataTable)
    titles = [str(key.value) for key in table.columns]
    found = [[str(cell) for cell in table.get_row_at(at)] for at in range(table.row_count)]
    return [[row[titles.index("machine")], row[titles.index("run")]] for row in found]


def columns(app: WorkbenchApp) -> list[str]:
    return [str(key.value) for key in app.screen.query_one(DataTable).columns]


def offered(app: WorkbenchApp) -> set[str]:
    return {one.binding.action for one in app.screen.active_bindings.values()}


async def test_without_machines_nothing_changes(tmp_path: Path) -> None:
    write_settings(Settings())
    finished(Workspace(tmp_path), "mine")
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one(DataTable).row_count == 1, "the run")
        assert columns(app) == ["state", "run", "strategy", "acc", "curve", "when"]


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (80, ["state", "run", "strategy", "acc", "machine", "when"]),
        (120, ["state", "run", "strategy", "acc", "machine", "when"]),  # beside the detail
    ],
)
async def test_runs_of_all_machines_are_in_one_list(
    tmp_path: Path, there: Workspace, width: int, titles: list[str]
) -> None:
    finished(Workspace(tmp_path), "same")
    finished(there, "same")
    with training(there, "new") as run:
        async with driven(tmp_path, (width, 40)) as (app, pilot):
            wanted = [["gpu-07", "new"], ["gpu-07", "same"], ["here", "same"]]
            await until(pilot, lambda: app.hosts and rows(app) == wanted, "all runs")
            assert columns(app) == titles
            assert "3 runs, 1 running on 2 machines" in text_of(app.screen, "#heading")
            await pilot.press("home")
            assert "on gpu-07\ntraining on GPU 0: epoch 17 of 30" in text_of(app.screen, "#detail")
            assert not {"stop", "delete", "compare", "resume"} & offered(app)  # only read
            assert app.screen.run == ""
            await pilot.press("down", "down")
            assert {"delete"} <= offered(app)
            assert not app.screen.query_one("#hosts").display
            run.die()
            await pilot.press("slash", *"gpu-07")
            await until(pilot, lambda: len(rows(app)) == 2, "the filter")


async def test_a_machine_that_does_not_answer(tmp_path: Path, there: Workspace) -> None:
    finished(Workspace(tmp_path), "mine")
    use("down", there)
    async with driven(tmp_path) as (app, pilot):
        line = "gpu-07 does not answer: ssh: connect to host down port 22: Connection refused."
        await until(pilot, lambda: text_of(app.screen, "#hosts") == line, "why")
        assert rows(app) == [["here", "mine"]]


async def test_an_old_answer_has_an_age(tmp_path: Path, there: Workspace, commands: Path) -> None:
    finished(there, "theirs")
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: len(rows(app)) == 1, "the run")
    put_command(commands, "ssh", "#!/bin/sh\necho no route >&2; exit 255\n")
    (path,) = cache_folder().rglob("answer.json")
    answer = json.loads(path.read_text())
    answer["answered"] -= 3 * 3600 + 60
    path.write_text(json.dumps(answer))
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: rows(app) == [["gpu-07 3 h", "theirs"]], "the age")
        await until(pilot, lambda: "on gpu-07, as it was 3 h ago" in text_of(app.screen, "#detail"))
        await until(pilot, lambda: "no route" in text_of(app.screen, "#hosts"), "why")


@needs_rsync
async def test_enter_fetches_a_run_and_then_opens_it(tmp_path: Path, there: Workspace) -> None:
    finished(there, "theirs")
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.hosts and rows(app) == [["gpu-07", "theirs"]], "the run")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose), "the question")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "nothing is done")
        await pilot.press("enter", "f")
        await until(pilot, lambda: len(app.runs) == 1, "the run is here")
        await until(pilot, lambda: notices(app) == "theirs is here now; enter opens it.", "done")
        await until(pilot, lambda: ["here", "theirs"] in rows(app), "both")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, Choose), "the one there")
        await pilot.press("f")
        await until(pilot, lambda: isinstance(app.screen, Prompt), "another name")
        await pilot.press("enter")
        await until(pilot, lambda: {"theirs", "theirs-gpu-07"} == {one.name for one in app.runs})
        await pilot.press("home" if rows(app)[0][0] == "here" else "end", "enter")
        await until(pilot, lambda: isinstance(app.screen, TrainScreen), "a run like any")


async def test_a_fetch_can_be_cancelled_and_a_failed_one_says_why(
    tmp_path: Path, there: Workspace, commands: Path
) -> None:
    finished(there, "theirs")
    put_command(commands, "rsync", "#!/bin/sh\nexec tail -f /dev/null\n")
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: app.hosts and len(rows(app)) == 1, "the run")
        await pilot.press("enter", "c")
        await until(pilot, lambda: isinstance(app.screen, FetchDialog), "the progress")
        assert "Fetching theirs from gpu-07" in str(app.screen.query("Static").first().content)
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, HomeScreen), "cancelled")
        assert messages(app) == []
        put_command(commands, "rsync", "#!/bin/sh\necho 'rsync: no space there' >&2; exit 11\n")
        await until(pilot, lambda: not list(Workspace(tmp_path).runs.rglob(".*.lock")), "it ended")
        await pilot.press("enter", "f")
        why = "theirs was not fetched from gpu-07: rsync: no space there."
        await until(pilot, lambda: notices(app).startswith(why), "why")
        assert app.runs == ()


async def test_a_machine_that_is_no_name_is_shown_once(tmp_path: Path) -> None:
    path = tmp_path / "config" / "workbench" / "settings.toml"
    path.write_text('[hosts."-oProxyCommand=x"]\naddress = "a"\n')
    async with driven(tmp_path) as (app, pilot):
        await until(pilot, lambda: "hosts.-oProxyCommand=x" in notices(app), "what is ignored")
        assert app.hosts == ()
