"""The command line: fast, and with clear errors."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from image_files import class_folders, write_photo
from typist import Complete, Type

from workbench import __version__
from workbench.cli.app import workbench
from workbench.datasets import audit


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from workbench.cli import workbench\n"
        "try: workbench(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'keras', 'tensorflow', 'textual', 'sklearn', 'scipy', 'numpy', 'PIL', "
        "'pydantic', 'rich'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "Commands:" in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def test_nothing_but_the_worker_imports_keras() -> None:
    """Every module that a terminal may load, in a clean process."""
    script = (
        "import importlib, pkgutil, sys, workbench\n"
        "packages = ('cli', 'runs', 'datasets', 'experiment')\n"
        "for name in packages:\n"
        "    package = importlib.import_module(f'workbench.{name}')\n"
        "    for module in pkgutil.iter_modules(package.__path__):\n"
        "        importlib.import_module(f'workbench.{name}.{module.name}')\n"
        "print(sorted({'keras', 'tensorflow', 'textual', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_version_names_what_matters_and_imports_none_of_it(types: Type) -> None:
    lines = types("--version").output.splitlines()
    assert lines[0] == f"workbench {__version__}"
    versions = dict(line.rsplit(" ", 1) for line in lines)
    assert {"python", "keras", "tensorflow", "numpy", "pillow", "textual"} < versions.keys()
    assert versions["keras"] == importlib.metadata.version("keras")


def test_help_of_every_command_is_printed(types: Type) -> None:
    output = types("--help-all").output
    for words in ("[OPTIONS] [COMMAND]", "train [", "data scan [", "schema [", "mirror ["):
        assert f"Usage: workbench {words}" in output
    assert output.count("Usage: ") > 40


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(types: Type, shell: str) -> None:
    result = types("completion", shell)
    assert result.exit_code == 0
    assert "_WORKBENCH_COMPLETE" in result.output


@pytest.mark.parametrize(
    ("file", "line", "offered"),
    [("photos-1/spec.toml", "attach ph", "photos-1"), ("pets.ladder.json", "ladder pe", "pets")],
)
def test_runs_and_ladders_are_completed_by_name(
    complete: Complete, tmp_path: Path, file: str, line: str, offered: str
) -> None:
    path = tmp_path / "saved_models" / file
    path.parent.mkdir(parents=True)
    path.touch()
    assert complete(line) == [f"plain,{offered}"]


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("train",), "Give either a spec file or --preset NAME."),
        (("train", "a.toml", "--preset", "dense"), "Give either a spec file or --preset NAME."),
        (("train", "--preset", "convnet"), "A preset needs images: add --data PATH"),
        (("train", "a.toml"), "Cannot read the spec a.toml: No such file or directory."),
        (("train", "--preset", "vgg", "--data", "photos"), "There is no preset 'vgg'; allowed:"),
        (("train", "--preset", "convnet", "--data", "none"), "There is no file or folder none."),
        (
            ("train", "--preset", "convnet", "--data", "phtos"),
            "There is no file or folder phtos.\nDid you mean photos?\nGive a path",
        ),
        (("data", "scan", "./photo/"), "\nDid you mean ./photos?\n"),
        (("data", "scan", "digts"), "\nDid you mean digits?\n"),
        (("train", "--preset", "convnet", "--data", "empty"), "empty"),
        (("train", "--preset", "convnet", "--data", "photos/a"), "photos/a"),
        (
            ("train", "--preset", "convnet", "--data", "photos", "--set", "training.epoch=3"),
            "training.epoch: unknown key. Did you mean 'epochs'?",
        ),
        (
            ("train", "--preset", "convnet", "--data", "photos", "--set", "data.image_size=[8,8]",
             "--set", "model.filters=[32,64,64,64]"),
            "does not fit any more",
        ),
        (("train", "--preset", "convnet", "--data", "photos", "--name", "a/b"), "name: received"),
        (("presets", "none", "--data", "photos"), "There is no preset 'none'"),
        (("attach", "none"), "There are no runs in"),
        (("stop", "none"), "There are no runs in"),
        (("status", "../photos"), "There are no runs in"),
        (("resume", "none"), "There are no runs in"),
        (("evaluate", "none"), "There are no runs in"),
        (("compare", "a", "b"), "There are no runs in"),
        (("ladder",), "Give --data for a new ladder, or the name of one."),
        (("ladder", "none"), "There is no ladder 'none' in"),
        (("ladder", "none", "--stop", "--resume"), "Give one of --data, --watch, --stop"),
        (("ladder", "none", "--base", "vgg16"), "belong to a new ladder: --data."),
        (("ladder", "none", "--by", "07:00"), "--by belongs to a new ladder, --data, or to"),
        (("train", "--preset", "dense", "--data", "photos", "--by", "7"), "--by: received '7'"),
        (("ladder", "--data", "none"), "strategy dense: There is no file or folder none."),
        (("ladder", "--data", "photos", "--presets", "dense,vgg"), "strategy vgg: There is no"),
        (
            ("ladder", "--data", "photos", "--set", "model.filters=[8]"),
            "strategy dense: --set: model: filters: no effect in the dense baseline",
        ),
        (("ladder", "--data", "photos", "--weights", "gone.h5"), "gone.h5"),
        (("predict", "photos"), "has a finished model yet"),
        (("predict", "photos", "--model", "x.keras"), "There is no model file x.keras."),
        (("data", "scan", "none"), "There is no file or folder none."),
        (("data", "show", "none"), "There is no data set none"),
        (("data", "clean", "none"), "There is no data set none"),
        (("data", "get", "none"), "There is no data set 'none' in the catalogue."),
        (("--workspace", "photos/a/0.png", "runs"), "is a file, not a folder"),
    ],
)  # fmt: skip
def test_errors_are_for_people(
    types: Type, photos: Path, words: tuple[str, ...], output: str
) -> None:
    (photos.parent / "empty").mkdir()
    result = types(*words)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: ")
    assert output in result.stderr
    assert not (photos.parent / "saved_models").exists()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("--epochs", "8"), "--set training.epochs=8"),
        (("--learning-rate=0.1",), "--set training.learning_rate=0.1"),
        (("--dropout",), "--set model.dropout=VALUE"),
        (("--detached",), "--detach"),  # no key: click's own suggestion
    ],
)
def test_an_option_that_is_a_key_of_the_spec_is_named(
    types: Type, words: tuple[str, ...], meant: str
) -> None:
    result = types("train", "--data", "photos", *words)
    assert result.exit_code == 2
    assert meant in result.stderr


def test_a_format_has_the_name_that_it_had(types: Type) -> None:
    assert "'tflite'" not in types("export", "none", "--format", "tflite").stderr
    assert "'zip' is not one of" in types("export", "none", "--format", "zip").stderr


def test_a_preset_is_a_spec_to_start_from(types: Type, photos: Path, tmp_path: Path) -> None:
    written = types("presets", "convnet", "--data", "photos")
    assert written.exit_code == 0
    tree = tomllib.loads(written.output)
    assert tree["data"]["source"] == str(photos)
    assert tree["data"]["image_size"] == [20, 24]
    (tmp_path / "spec.toml").write_text(written.output)
    result = types("train", "spec.toml", "--set", "training.optimizer=lion")
    assert "spec.toml: training.optimizer: received 'lion'" in result.stderr


def test_paths_in_a_spec_start_at_its_folder(types: Type, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    model = '[model]\nstrategy = "dense"\n'
    (folder / "spec.toml").write_text(f'[data]\nsource = "gone"\n{model}')
    assert "There is no file or folder" in types("train", "elsewhere/spec.toml").stderr
    (folder / "spec.toml").write_text(f'[data]\nsource = "../photos"\nchannels = 2\n{model}')
    assert "data.channels: received 2" in types("train", "elsewhere/spec.toml").stderr


def test_scanning_shows_and_changes_nothing(types: Type, photos: Path, tmp_path: Path) -> None:
    (photos / "a" / "broken.png").write_bytes(b"\x89PNG\r\n")
    (photos / "b" / "\x1b[31m.png").write_bytes((photos / "b" / "1.png").read_bytes())
    before = {path: path.read_bytes() for path in photos.rglob("*.png")}
    result = types("data", "scan", "photos", "--all")
    assert result.exit_code == 0
    assert "broken.png" in result.output
    assert "\x1b" not in result.output
    assert "\\e[31m.png" in result.output
    assert before == {path: path.read_bytes() for path in photos.rglob("*.png")}
    assert "photos" in types("data", "list").output
    shown = types("data", "show", "photos").output
    assert "22 images in 2 classes" in shown
    assert "scan-pack.npy  30 kB  used by no run" in shown  # a training needs no second decoding
    assert "removed photos/scan-pack.npy" in types("data", "clean").output
    assert "0 B freed" in types("data", "clean").output


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("train --preset book-c", {"book-convnet", "book-convnet-augmented"}),
        ("train --data fla", set()),
        ("train --data flo", {"flowers"}),
        ("train --set training.batch", {"training.batch_size="}),
        ("resume night --set training.learn", {"training.learning_rate="}),
        ("resume night --set model.", set()),
        ("train --oom r", {"retry"}),
        ("presets den", {"dense"}),
        ("data get mn", {"mnist"}),
        ("ladder --presets dense,fi", {"dense,fine-tuning"}),
    ],
)
def test_tab_offers(complete: Complete, typed: str, offered: set[str]) -> None:
    lines = complete(typed)
    assert {line.removeprefix("plain,") for line in lines if line.startswith("plain,")} == offered
    assert any(line.startswith("file,") for line in lines) == ("--data" in typed)


def test_a_preset_can_be_printed_without_data(types: Type) -> None:
    tree = tomllib.loads(types("presets", "book-convnet").output)
    assert tree["data"]["split"]["train"] == 1000


def test_a_folder_is_no_spec(types: Type, photos: Path) -> None:
    result = types("train", "photos")
    assert result.exit_code == 2
    assert "workbench train --preset linear-probe --data photos" in result.stderr


def test_a_workspace_that_cannot_be_written_can_be_read(
    types: Type, tmp_path: Path, photos: Path
) -> None:
    run = tmp_path / "saved_models" / "photos-1"
    run.mkdir(parents=True)
    (run / "spec.toml").write_text("")
    for folder in (run, run.parent, tmp_path):
        folder.chmod(0o555)
    try:
        assert "photos-1" in types("runs").output
        assert types("presets", "dense", "--data", "photos").exit_code == 0
    finally:
        for folder in (tmp_path, run.parent, run):
            folder.chmod(0o755)


def test_an_empty_workspace_shows_what_to_do(types: Type) -> None:
    assert "Start one: workbench demo" in types("runs").output
    assert "workbench data get" in types("data", "list").output
    assert types("runs", "--json").output == "[]\n"


def test_the_catalogue_shows_how_files_are_checked(types: Type) -> None:
    output = types("data", "get").output
    assert "mnist" in output
    assert "checked: sha256 as published by Keras" in output


def test_one_run_is_no_comparison(types: Type, tmp_path: Path) -> None:
    run = tmp_path / "saved_models" / "photos-1"
    run.mkdir(parents=True)
    (run / "spec.toml").write_text("")
    for words in (("photos-1",), ("photos-1", "latest")):
        result = types("compare", *words)
        assert (result.exit_code, result.output.splitlines()[0]) == (
            2, "error: Name at least two different runs.",
        )  # fmt: skip


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """photos/a, b and c with one image each."""
    return class_folders(tmp_path / "photos", a=1, b=1, c=1)


def scanned(tmp_path: Path, plain: Path, *words: str) -> list[str]:
    command = ["--workspace", str(tmp_path), "data", "scan", str(plain), *words]
    result = CliRunner().invoke(workbench, command)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def test_of_many_classes_the_first_are_named_and_with_all_every_one(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "MAX_CLASSES", 2)
    assert scanned(tmp_path, plain)[1:4] == ["  a: 1", "  b: 1", "  and 1 more class"]
    assert scanned(tmp_path, plain, "--all")[1:4] == ["  a: 1", "  b: 1", "  c: 1"]


def test_class_folders_named_by_digits_of_other_scripts(tmp_path: Path, plain: Path) -> None:
    (plain / "a").rename(plain / "②")
    (plain / "b").rename(plain / "①")
    assert scanned(tmp_path, plain)[1:4] == ["  c: 1", "  ①: 1", "  ②: 1"]


def test_a_layout_that_is_doubted_is_a_warning_of_the_scan(tmp_path: Path, plain: Path) -> None:
    for part in ("learn", "check"):
        for label in ("a", "b"):
            (plain / part / label).mkdir(parents=True)
            (plain / part / label / "0.png").write_bytes((plain / label / "0.png").read_bytes())
    warned = [line for line in scanned(tmp_path, plain) if "folders of the same names" in line]
    assert [line.partition(" (")[0] for line in warned] == ["warning: 2 class folders"]
    assert "(check, learn) hold folders of the same names (a, b)" in warned[0]


@pytest.mark.parametrize("side", [28, 40, 150])
@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("model.filters=[32,64]", "convnet: convnet at {0}x{0}x3"),
        ("data.split.validation=0", "convnet: convnet at {0}x{0}x3"),
        ("data.split.train=0.9", "convnet: convnet at {0}x{0}x3"),
        ("data.image_size=[20,20]", "convnet: convnet at 20x20x3"),
        ("model.strategy=dense", "dense: dense at {0}x{0}x3"),
    ],
)
def test_a_preset_takes_it_at_any_size(
    setting: str, expected: str, side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        label = ("cat", "dog")[number % 2]
        write_photo(tmp_path / "photos" / label / f"{number}.png", number, side, side)
    words = ["plan", "--preset", "convnet", "--data", "photos", "--gpu", "none", "--set", setting]
    done = CliRunner().invoke(workbench, words, prog_name="workbench")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(expected.format(side))


def test_a_plan_ends_with_advice_and_what_follows_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(20):
        label = ("cat", "dog")[number % 2]
        write_photo(tmp_path / "photos" / label / f"{number}.png", number, 40, 40)
    words = ["plan", "--preset", "fine-tuning", "--data", "photos", "--gpu", "none"]
    words += ["--base", "mobilenetv2-0.35", "--set", "training.learning_rate=0.1"]
    done = CliRunner().invoke(workbench, words, prog_name="workbench")
    assert done.exit_code == 0, done.output
    advice = [line for line in done.output.splitlines() if line.startswith("advice   ")]
    assert len(advice) == 2
    assert advice[0].endswith("To follow it: --set training.learning_rate=1e-05")
    assert advice[1].startswith("advice   With 14 training images, fine-tuning is hardly worth")
