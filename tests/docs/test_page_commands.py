"""Every command of every page can be typed, and runs here unless there is a reason why not.

Those of the tutorial are run by the build of the documentation. The others are run in one
workspace: a folder of photos, two finished runs, a sweep and a ladder.
"""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from fake_runs import FakeRun
from image_files import write_photo
from made_sweeps import made_ladder, made_sweep

from workbench.cli.app import workbench
from workbench.datasets.manifest import ImageRecord, write_manifest
from workbench.datasets.prepare import prepare
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.lock import this_host
from workbench.runs.sweep import SweepTrial

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*/*.md")])
SHELL = re.compile(r"^```sh\n(.*?)^```|^```\{run\}\n(.*?)^```", re.MULTILINE | re.DOTALL)

pytestmark = pytest.mark.xdist_group("page commands")  # one after the other, in one workspace

# Why a command is not run here, by how its line begins or what it contains.
NOT_RUN = {
    r"^workbench( --lang ko)?$": "opens the app: tests/ui",
    r"^workbench check$": "tries the framework: the build of the tutorial",
    r"^workbench (train|demo|lr-find|tune|resume|stop)\b": "trains: the build, tests/worker",
    r"^workbench sweep \w+.toml ": "trains: tests/worker, tests/cli/test_sweep_command.py",
    r"^workbench (sweep|ladder) \S+ (--add|--stop)": "changes what trains: tests/worker",
    r"^workbench ladder --data ": "trains: tests/worker",
    r"^workbench lessons (?!pooling --specs)\S": "trains: tests/lessons, tests/worker",
    r"^workbench evaluate [\w-]+$": "loads a model: the build",
    r"^workbench evaluate [\w-]+ --": "loads a model: tests/worker, tests/evaluation",
    r"^workbench predict ": "loads a model: the build, tests/cli, tests/evaluation",
    r"^workbench explain layers ": "reads a model: the build",
    r"^workbench explain (activations|filters|gradcam) ": "loads a model: tests/cli",
    r"^workbench export \S+$": "loads a model: the build",
    r"^workbench export \S+ --format ": "loads a model: tests/evaluation",
    r"^workbench analyze \S+ --(folds|learning-curve)": "runs a base: tests/evaluation",
    r"^workbench label ": "asks a person, key by key: tests/ui",
    r"^workbench data get mnist": "downloads: tests/datasets",
    r" --(host|all-hosts)\b|^workbench fetch ": "asks another machine: tests/hosts",
    r" --weights \S+\.h5": "reads a file of weights: tests/training",
    r" --(on-finish|notify) ": "runs a command of a person: tests/runs, tests/worker",
    r"^workbench mirror .*--to (wandb|mlflow)": "needs a library of its own: tests/trackers",
    r" --slurm\b": "needs SLURM: tests/slurm",
}


def lines(page: Path) -> list[tuple[str, bool]]:
    """Return the commands of a page's blocks of shell, and whether the build runs each."""
    found = []
    for sh, run in SHELL.findall(page.read_text("utf-8")):
        text = re.sub(r"^:\w+:.*$", "", sh or run, flags=re.MULTILINE).replace("\\\n", " ")
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            command = shlex.join(words).replace("'<'", "<").replace("'>'", ">")
            if words and words[0].rpartition("/")[2] == "workbench":
                command = command.removeprefix(words[0].removesuffix("workbench"))
                command = re.sub(r"'([\w./]*\*[\w./]*)'", r"\1", command)  # the shell's to expand
                found.append((re.sub(r" > \S+$", "", command), bool(run)))
    return found


TYPED = [(page, line) for page in PAGES for line, _ in lines(page)]
HERE = [line for page in PAGES for line, in_build in lines(page) if not in_build]
RUN = list(dict.fromkeys(line for line in HERE if not any(re.search(one, line) for one in NOT_RUN)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace as the pages presume it."""
    root = tmp_path_factory.mktemp("work")
    workspace = Workspace(root)
    for label in ("cat", "dog"):
        for name in (*range(11), "patient_1"):
            write_photo(root / f"photos/{label}/{name}.jpg", seed=hash_of(label, name))
    tree = {"data": {"source": "photos", "image_size": [8, 8]}, "model": {"strategy": "dense"}}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.delenv("WORKBENCH_HOME", raising=False)
        patch.setenv("XDG_CONFIG_HOME", str(root / "config"))
        spec = parse_spec(tree, "test")
        text = dump_spec(spec)
        (root / "spec.toml").write_text(text)
        rows = prepare(spec.data, workspace).rows
        tested = [row for row in rows if row.split == "test"]
        made_ladder(workspace, "photos-ladder-1", "photos", [("dense", text)])
        for number in (1, 2):
            finish(FakeRun(workspace, f"photos-{number}", text), rows, tested)
        made_sweep(workspace, "photos-sweep-1", [SweepTrial({}, 1, text, "photos-1")])
        yield root


def hash_of(label: str, name: object) -> int:
    return int.from_bytes(f"{label}{name}".encode()[-4:], "big")


def finish(run: FakeRun, rows: Sequence[ImageRecord], tested: Sequence[ImageRecord]) -> None:
    """Write what a run of two epochs leaves, one of its test images wrong."""
    run.emit("worker_started", **this_host())
    run.data("photos", train=16, rest=len(tested))
    run.stage(0, "train all", 2, layers=[
        {"name": "dense", "kind": "dense", "output_shape": [2], "parameters": 8,
         "requested": "trains"}
    ])  # fmt: skip
    run.epochs(0, 2)
    run.emit("layers", stage=0, epoch=2, layers=[
        {"name": "dense", "requested": "trains", "compiled": "trains", "moved": 0.1}
    ])  # fmt: skip
    run.emit("stage_finished", stage=0, reason="all epochs", best_epoch=2, kept_epoch=2)
    score = {"split": "test", "images": len(tested), "loss": 0.2, "interval": [0.5, 0.99]}
    score["accuracy"] = 1 - 1 / len(tested)
    run.emit("evaluated", **score)
    run.emit("finished", seconds=3)
    half = len(tested) // 2
    matrix = [[half, 0], [1, half - 1]]
    results = {**score, "labels": ["cat", "dog"], "confusion": matrix, "classes": [], "worst": []}
    run.folder.results_path.write_text(json.dumps(results))
    write_manifest(run.folder.manifest_path, rows)
    run.folder.log_path.touch()
    table = ["path,label,predicted,cat,dog"]
    wrong = next(row for row in tested if row.label == "dog")
    for row in tested:
        cat = (row.label == "cat") != (row is wrong)
        shares = "0.900000,0.100000" if cat else "0.100000,0.900000"
        table.append(f"{row.path},{row.label},{'cat' if cat else 'dog'},{shares}")
    run.folder.predictions_path.write_text("\n".join(table) + "\n")


def parse(words: list[str]) -> None:
    """Parse a command as click does before it runs it.

    Raises:
        click.UsageError: it has no such command, option or value.
    """
    command: click.Command = workbench
    context: click.Context | None = None
    while True:
        context = command.make_context(command.name, words, context)
        words = [*context._protected_args, *context.args]
        if not isinstance(command, click.Group) or not words:
            return
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found


def test_every_command_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name, options and values; the files that it names are there."""
    monkeypatch.chdir(tmp_path)
    refused = []
    for page, line in TYPED:
        words = shlex.split(line)[1:]
        for word in words:
            if re.fullmatch(r"[\w./*-]+\.(toml|csv|jpg|h5|keras)", word):
                (tmp_path / word).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / word).touch()
        try:
            parse(words)
        except click.UsageError as error:
            refused.append(f"{page.relative_to(ROOT)}: {line}: {error.format_message()}")
    assert not refused


@pytest.mark.parametrize(
    "wrong", ["chek", "train --presett dense", "data scan a b", "runs --limit"]
)
def test_a_command_that_is_wrong_is_refused(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        parse(wrong.split())


@pytest.mark.parametrize("line", RUN)
def test_it_runs(folder: Path, line: str) -> None:
    """In the order of the pages, each once."""
    result = CliRunner().invoke(workbench, shlex.split(line)[1:], prog_name="workbench")
    assert result.exit_code == 0, result.output


def test_every_reason_is_needed() -> None:
    assert len(RUN) > 20
    needless = [one for one in NOT_RUN if not any(re.search(one, line) for line in HERE)]
    assert not needless
