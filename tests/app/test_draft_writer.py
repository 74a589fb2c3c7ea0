"""Files written in the background."""

import threading
from pathlib import Path

import pytest

from workbench.app import draft_writer as writer_module
from workbench.app.draft_writer import DraftWriter


def no_error(message: str) -> None:
    raise AssertionError(message)


def test_everything_is_written_after_a_flush(tmp_path: Path) -> None:
    writer = DraftWriter(no_error)
    writer.flush()  # nothing to wait for
    kept, gone = tmp_path / "new" / "kept", tmp_path / "gone"
    gone.write_text("old")
    writer.write(kept, "text")
    writer.remove(gone)
    writer.remove(tmp_path / "was never there")
    writer.flush()
    assert kept.read_text() == "text"
    assert not gone.exists()


def test_nobody_waits_and_the_last_text_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, began = threading.Event(), threading.Event()
    written: list[str] = []

    def slow(path: Path, text: str) -> None:
        began.set()
        go.wait()
        written.append(text)

    monkeypatch.setattr(writer_module, "write_file", slow)
    writer = DraftWriter(no_error)
    writer.write(tmp_path, "first")
    began.wait()
    for text in ("second", "third"):
        writer.write(tmp_path, text)
    assert written == []
    go.set()
    writer.flush()
    assert written == ["first", "third"]


def test_an_error_is_shown_and_ends_nothing(tmp_path: Path) -> None:
    errors: list[str] = []
    writer = DraftWriter(errors.append)
    (tmp_path / "file").write_text("")
    writer.write(tmp_path / "file" / "below\x1b", "text")
    writer.flush()
    [message] = errors
    assert message.startswith(f"{tmp_path}/file/below")
    assert message.endswith(" cannot be written: File exists.")
    assert "\x1b" not in message
    writer.write(tmp_path / "other", "text")
    writer.flush()
    assert (tmp_path / "other").read_text() == "text"
