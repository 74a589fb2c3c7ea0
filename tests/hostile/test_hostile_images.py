"""Hostile names and files in a folder of images: reported, skipped, and harmless in a terminal."""

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hostile.bad_images import REFUSED, USED, image, write_all, write_odd_files
from hostile.bad_names import (
    LONGEST_PATH,
    NAMES,
    assert_harmless,
    class_folders,
    damaged,
    dangers,
    deep_folder,
    text_of,
    too_deep_folder,
)
from hostile.make_corpus import make_corpus
from hypothesis import given, settings
from hypothesis import strategies as st
from person import Person

from workbench.cli.app import workbench
from workbench.datasets.decoding import decode
from workbench.datasets.image_files import ImageError
from workbench.datasets.manifest import read_manifest
from workbench.datasets.names import normalize_label
from workbench.datasets.prepare import inspect, prepare
from workbench.experiment.sections import DataSpec, SplitSpec
from workbench.paths import Workspace

ODD_FILES = {
    "pipe.jpg": "it is not a regular file",
    "socket.jpg": "it cannot be read: No such device or address",
    "device.jpg": "it is not a regular file",
    "dangling.jpg": "there is no such file",
    "itself.jpg": "it cannot be read: Too many levels of symbolic links",
    "passwords.jpg": "its content is not an image of a known format",
}

LABELS = {os.fsencode(normalize_label(os.fsdecode(name))) for name in NAMES.values()}


def types(folder: Path, *words: str) -> Result:
    """A command in the workspace `folder`; what it prints is harmless, and no error escapes."""
    result = CliRunner().invoke(workbench, ["--workspace", str(folder), *words])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert_harmless(result.output)
    return result


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    """Sizes and times of all there is."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


# --- one by one -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REFUSED)
def test_a_trap_is_refused_with_its_reason(name: str) -> None:
    content, shown = REFUSED[name]
    with pytest.raises(ImageError) as refused:
        decode(content)
    assert shown in refused.value.reason
    assert_harmless(refused.value.reason)


@pytest.mark.parametrize("name", USED)
def test_a_lie_that_does_no_harm_is_read(name: str) -> None:
    assert decode(USED[name]).size in {(20, 20), (2, 2)}


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged metadata
@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"]), data=st.data())
def test_damage_anywhere_is_an_image_or_a_reason(kind: str, data: st.DataObject) -> None:
    content = damaged(image(kind), data, most=4)
    try:
        found = decode(content[: data.draw(st.integers(0, len(content)))])
    except ImageError as error:
        assert_harmless(error.reason)
    else:
        assert found.mode in ("L", "RGB")


# --- whole folders ----------------------------------------------------------------------------


def test_a_scan_names_every_bad_file_and_changes_none(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_all(photos / "bad")
    (photos / "good").mkdir()
    (photos / "good" / "1.png").write_bytes(image(shade=7))
    before = snapshot(photos)
    result = types(tmp_path / "ws", "data", "scan", str(photos), "--all")
    assert result.exit_code == 0
    for name in (*REFUSED, *ODD_FILES):
        assert f"bad/{name}" in result.output
    assert f"{len(USED) + 1} usable" in result.output
    assert snapshot(photos) == before


def test_odd_files_have_their_reasons(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label in ("bad", "good"):
        (photos / label).mkdir(parents=True)
        (photos / label / "1.png").write_bytes(image(shade=len(label)))
    write_odd_files(photos / "bad")
    found = inspect(photos, Workspace(tmp_path / "ws"))
    shown = {
        file: finding.message
        for finding in found.findings
        if finding.code == "unusable"
        for file in finding.files
    }
    assert set(shown) == {f"bad/{name}" for name in ODD_FILES}
    for name, reason in ODD_FILES.items():
        assert reason in shown[f"bad/{name}"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_files_are_reported(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    for label in ("bad", "good", "closed"):
        (photos / label).mkdir(parents=True)
        (photos / label / "1.png").write_bytes(image(shade=len(label)))
    (photos / "bad" / "secret.png").write_bytes(image(shade=9))
    (photos / "bad" / "secret.png").chmod(0)
    (photos / "closed").chmod(0)
    try:
        result = types(tmp_path / "ws", "data", "scan", str(photos), "--all")
    finally:
        (photos / "closed").chmod(0o700)
    assert result.exit_code == 0
    assert "it cannot be read: Permission denied (bad/secret.png)" in result.output
    assert "3 images in 2 classes (class folders), 2 usable" in result.output


def test_links_in_circles_and_to_folders_above_count_nothing_twice(tmp_path: Path) -> None:
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        (tmp_path / "photos" / label / "1.png").write_bytes(image(shade=ord(label)))
        (tmp_path / "photos" / label / "round").symlink_to("..")
        (tmp_path / "photos" / label / "same").symlink_to(".")
    (tmp_path / "photos" / "itself").symlink_to("itself")
    assert inspect(tmp_path / "photos", Workspace(tmp_path / "ws")).images == 2


def test_names_that_attack_a_terminal_are_shown_as_escapes(tmp_path: Path) -> None:
    photos = class_folders(tmp_path / "photos", image())
    for words in (("--all",), ()):
        assert types(tmp_path / "ws", "data", "scan", str(photos), *words).exit_code == 0
    shown = types(tmp_path / "ws", "data", "show", "photos").output
    assert "\\e[31mred" in shown
    assert "a\\nerror: all is lost" in shown
    assert "caf\\xe9\\xff\\xfe" in shown
    shown = json.loads(types(tmp_path / "ws", "data", "scan", str(photos), "--json").output)
    assert {os.fsencode(label) for label in shown["counts"]} >= LABELS


def test_images_of_such_names_can_be_trained_on(tmp_path: Path) -> None:
    photos = class_folders(tmp_path / "photos", image())
    for number, folder in enumerate(sorted(photos.iterdir())):
        (folder / "own.png").write_bytes(image(shade=number, side=21))
    split = SplitSpec(train=1.0, validation=0.0, test=0.0)
    data = DataSpec(source=str(photos), image_size=(8, 8), split=split)
    prepared = prepare(data, Workspace(tmp_path / "ws"))
    assert {os.fsencode(label) for label in prepared.labels} >= LABELS
    assert read_manifest(prepared.folder / "manifest.csv") == list(prepared.rows)


@pytest.mark.parametrize("name", NAMES)
def test_a_data_set_of_such_a_name_is_found_again(tmp_path: Path, name: str) -> None:
    photos = tmp_path / text_of(NAMES[name])
    for label in "ab":
        (photos / label).mkdir(parents=True)
        (photos / label / "1.png").write_bytes(image(shade=ord(label)))
    assert types(tmp_path / "ws", "data", "scan", "--", str(photos)).exit_code == 0
    listed = types(tmp_path / "ws", "data", "list")
    assert listed.exit_code == 0
    assert len(list((tmp_path / "ws" / "data").glob("*/source.json"))) == 1
    plan = types(tmp_path / "ws", "plan", "--preset", "dense", "--data", str(photos))
    if name in ("no UTF-8", "half a character"):
        assert plan.exit_code == 2
        assert "a spec is UTF-8 text and cannot hold it; rename it" in plan.output
    else:
        assert plan.exit_code == 0


@pytest.mark.parametrize("name", NAMES)
def test_missing_names_are_shown_harmlessly(tmp_path: Path, name: str) -> None:
    given = f"./{text_of(NAMES[name])}"
    for words in (
        ("data", "scan", given),
        ("data", "show", given),
        ("data", "get", given),
        ("data", "clean", given),
        ("status", given),
        ("attach", given),
        ("stop", given),
        ("resume", given),
        ("delete", given),
        ("restore", given),
        ("evaluate", given),
        ("layers", given),
        ("compare", given, given),
        ("plan", given),
        ("train", given),
        ("train", "--preset", given, "--data", given),
        ("plan", "--preset", "dense", "--data", given, "--set", f"{given}={given}"),
        ("predict", given, "--model", given),
        ("--workspace", f"{tmp_path}/{given}", "runs"),
    ):
        result = types(tmp_path, *words)
        assert result.exit_code in (0, 2), words


def test_paths_as_long_as_there_are_any(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    deep = deep_folder(photos, image(shade=3))
    assert LONGEST_PATH - 115 < len(os.fsencode(photos / deep)) <= LONGEST_PATH
    too_deep_folder(photos / "too-deep", image())
    (photos / "plain").mkdir()
    (photos / "plain" / "1.png").write_bytes(image())
    (photos / "too-deep" / "1.png").write_bytes(image(shade=4))
    result = types(tmp_path / "ws", "data", "scan", str(photos), "--all")
    assert result.exit_code == 0
    assert result.output.startswith("3 images in 3 classes (class folders), 3 usable")
    assert "1 folder could not be read" in result.output


def test_the_whole_corpus_is_scanned(tmp_path: Path) -> None:
    """As a person would see it: a real process, every byte of what it prints."""
    corpus = make_corpus(tmp_path / "corpus")
    printed = Person(tmp_path).types("data", "scan", str(corpus), "--all")
    assert_harmless(printed)
    assert "note: Skipped, without images: archives, models, specs and 1 more." in printed
    assert {path.name for path in tmp_path.iterdir()} == {"corpus", "data"}


def test_the_test_itself_sees_what_is_dangerous() -> None:
    for name in NAMES.values():
        text = text_of(name)
        assert bool([*dangers(text)]) is not text.isprintable() or "\n" in text
