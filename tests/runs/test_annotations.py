"""Tags and notes of a run: files of their own, which go where its folder goes."""

from pathlib import Path

import pytest

from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.annotations import (
    AnnotationReader,
    add_note,
    change_tags,
    newest_note,
    read_notes,
    read_tags,
    write_tags,
)
from workbench.runs.folder import RunFolder, create_run
from workbench.runs.trash import find_trashed, move_to_trash, restore


@pytest.fixture
def folder(workspace: Workspace) -> RunFolder:
    return create_run(workspace, "", "photos-1", "")


def test_tags_are_added_and_removed(folder: RunFolder) -> None:
    assert read_tags(folder) == ()
    assert change_tags(folder, ["+night", "good"]) == ("good", "night")
    assert change_tags(folder, ["-good", "-never", "+night"]) == ("night",)
    assert (folder.path / "tags.json").read_text() == '["night"]\n'
    assert change_tags(folder, ["-night"]) == read_tags(folder) == ()


def test_only_these_files_are_written(folder: RunFolder) -> None:
    assert change_tags(folder, ["-night"]) == ()
    assert [path.name for path in folder.path.iterdir()] == ["spec.toml"]
    change_tags(folder, ["밤", "a.b-c_1"])
    add_note(folder, "a note", now=0.0)
    assert sorted(path.name for path in folder.path.iterdir()) == [
        "notes.txt", "spec.toml", "tags.json"
    ]  # fmt: skip
    assert read_tags(folder) == ("a.b-c_1", "밤")


@pytest.mark.parametrize("tag", ["", "-x", "a b", "a,b", "x" * 33, ".x", "\x1b[31m"])
def test_what_cannot_be_a_tag_changes_nothing(folder: RunFolder, tag: str) -> None:
    write_tags(folder, ["x" * 32])
    with pytest.raises(UserError) as error:
        write_tags(folder, ["good", tag])
    assert error.value.message.endswith("cannot be a tag.")
    assert "\x1b" not in error.value.message
    assert read_tags(folder) == ("x" * 32,)


def test_a_run_has_at_most_32_tags(folder: RunFolder) -> None:
    tags = [f"tag-{number:02}" for number in range(32)]
    assert write_tags(folder, tags) == tuple(tags)
    with pytest.raises(UserError, match="A run has at most 32 tags; received 33"):
        change_tags(folder, ["more"])


@pytest.mark.parametrize("content", ["", "{}", '[1, null, [], "a b"]', "[" * 9999, "\xff"])
def test_a_damaged_file_has_no_tags(folder: RunFolder, content: str) -> None:
    (folder.path / "tags.json").write_text(content, "latin-1")
    assert read_tags(folder) == ()


def test_the_newest_note_is_the_last_line(folder: RunFolder) -> None:
    assert (read_notes(folder), newest_note(folder)) == ([], "")
    for note in ("first", " second\nline \x1b[31m"):
        add_note(folder, note, now=0.0)
    assert [note[18:] for note in read_notes(folder)] == ["first", "second\\nline \\e[31m"]
    assert newest_note(folder) == read_notes(folder)[1]


def test_they_are_read_again_after_a_change(folder: RunFolder) -> None:
    reader = AnnotationReader(folder)
    assert not reader.poll()
    write_tags(folder, ["good"])
    assert reader.poll()
    assert (reader.tags, reader.poll()) == (("good",), False)
    (folder.path / "tags.json").unlink()
    assert reader.poll()
    assert (reader.tags, reader.note) == ((), "")


def test_they_go_to_the_trash_and_come_back(folder: RunFolder, workspace: Workspace) -> None:
    write_tags(folder, ["good"])
    add_note(folder, "keep", now=0.0)
    (folder.path / "events.jsonl").write_text('{"event": "finished", "t": 1}\n')
    trashed: Path = move_to_trash(workspace, folder).path
    assert read_tags(RunFolder(trashed)) == ("good",)
    back = restore(workspace, find_trashed(workspace, "photos-1"))
    assert read_tags(back) == ("good",)
    assert newest_note(back)[18:] == "keep"
