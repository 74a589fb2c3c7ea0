"""Files written behind the screens."""

import threading
from pathlib import Path

import pytest

from workbench.app import draft_writer as keeper_module
from workbench.app.draft_writer import Keeper


def no_fault(words: str) -> None:
    raise AssertionError(words)


def test_what_was_asked_for_is_there_after_a_flush(tmp_path: Path) -> None:
    keeper = Keeper(no_fault)
    keeper.flush()  # nothing to wait for
    kept, gone = tmp_path / "new" / "kept", tmp_path / "gone"
    gone.write_text("old")
    keeper.write(kept, "text")
    keeper.remove(gone)
    keeper.remove(tmp_path / "was never there")
    keeper.flush()
    assert kept.read_text() == "text"
    assert not gone.exists()


def test_nobody_waits_and_the_last_text_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, began = threading.Event(), threading.Event()
    written: list[str] = []

    def slow(path: Path, text: str) -> None:
        began.set()
        go.wait()
        written.append(text)

    monkeypatch.setattr(keeper_module, "keep", slow)
    keeper = Keeper(no_fault)
    keeper.write(tmp_path, "first")
    began.wait()
    for text in ("second", "third"):
        keeper.write(tmp_path, text)
    assert written == []
    go.set()
    keeper.flush()
    assert written == ["first", "third"]


def test_a_fault_is_told_and_ends_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    keeper = Keeper(told.append)
    (tmp_path / "file").write_text("")
    keeper.write(tmp_path / "file" / "below\x1b", "text")
    keeper.flush()
    [words] = told
    assert words.startswith(f"{tmp_path}/file/below")
    assert words.endswith(" cannot be written: File exists.")
    assert "\x1b" not in words
    keeper.write(tmp_path / "other", "text")
    keeper.flush()
    assert (tmp_path / "other").read_text() == "text"
