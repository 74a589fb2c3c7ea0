"""The schemas that `workbench schema` prints describe the files that are written."""

import json
import tomllib
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from fake_runs import fake_results, finished, training
from recorded_run import recorded_run, results
from schema_checker import check, problems

from workbench.app.schema import DIALECT, SCHEMAS, json_schema
from workbench.cli import workbench as command
from workbench.cli.schema import NAMES
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.confusion import bounded
from workbench.runs.event_log import stamped
from workbench.runs.events import Interrupted, Known


def run(workspace: Workspace, *words: str) -> Any:
    done = CliRunner().invoke(command, ["--workspace", str(workspace.root), *words])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


@pytest.mark.parametrize("name", NAMES)
def test_each_is_printed(name: str, workspace: Workspace) -> None:
    assert tuple(SCHEMAS) == NAMES
    schema = run(workspace, "schema", name)
    assert schema == json_schema(name)
    assert (schema["$schema"], schema["title"]) == (DIALECT, f"workbench {name}")


def test_a_spec_fits(workspace: Workspace) -> None:
    folder = recorded_run(workspace)
    schema = json_schema("spec")
    check(tomllib.loads(folder.spec_path.read_text()), schema)
    wrong = tomllib.loads(folder.spec_path.read_text())
    wrong["training"]["epochs"] = "many"
    wrong["training"]["speed"] = 1
    found = problems(wrong, schema, schema)
    assert len(found) == 2
    assert ".training.speed is not named" in found


def test_every_line_of_a_log_fits(workspace: Workspace) -> None:
    schema = json_schema("events")
    with training(workspace) as one:
        made = [recorded_run(workspace), one.folder, finished(workspace).folder]
        for folder in made:
            for line in folder.events_path.read_text().splitlines():
                check(json.loads(line), schema)
        check(json.loads(one.folder.status_path.read_text()), json_schema("status"))
    assert problems({"v": 2, "n": 1, "t": 1.0, "event": "epoch_finished"}, schema, schema)


@pytest.mark.parametrize("kind", [*get_args(Known), Interrupted], ids=lambda kind: kind.event)
def test_every_kind_of_event_fits_and_all_its_fields_are_explained(kind: Any) -> None:
    schema = json_schema("events")
    needed = {"stage": 0, "epoch": 1}
    values = {name: needed[name] for name in needed if name in kind.__dataclass_fields__}
    check(json.loads(json.dumps(stamped(kind(**values), 1))), schema)
    fields = schema["$defs"][kind.__name__]["properties"]
    assert [
        n for n in fields if n not in ("v", "n", "t", "event") and not fields[n].get("description")
    ] == []


@pytest.mark.parametrize(
    "values",
    [results(("a", "b"), ("x.png",)), bounded(fake_results(61)), fake_results(60)],
    ids=["few labels", "61 labels", "60 labels"],
)
def test_results_fit(values: dict[str, Any]) -> None:
    schema = json_schema("results")
    check(json.loads(json.dumps(values)), schema)
    assert problems({**values, "accuracy": 2}, schema, schema)
    assert problems({**values, "unheard": 2}, schema, schema)


def test_what_runs_and_status_print_fits(workspace: Workspace) -> None:
    finished(workspace)
    recorded_run(workspace)
    schema = json_schema("runs")
    check(run(workspace, "runs", "--json"), schema)
    check([run(workspace, "status", "--json")], schema)


def test_a_spec_with_all_tables_fits() -> None:
    tree = {
        "data": {"source": "x"},
        "base": {"name": "vgg16", "trainable": ["block5"]},
        "model": {"strategy": "fine-tuning"},
        "training": {"head_epochs": 1},
    }
    check(tomllib.loads(dump_spec(parse_spec(tree, "test"))), json_schema("spec"))
