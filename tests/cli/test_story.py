"""A run told in lines: where a resume goes on, and with which batch."""

from pathlib import Path

import pytest

from workbench.cli.event_printer import Story
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder


class Lines:
    """A screen that keeps what stays on it."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def line(self, text: str) -> None:
        self.told.append(text)

    def bar(self, text: str, done: int, total: int) -> None:
        raise AssertionError("a resume has no bar")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ({}, "resumed from the beginning"),
        ({"stage": 0, "epoch": 1, "step": 0}, "resumed from the beginning"),
        ({"stage": 0, "epoch": 1, "step": 7}, "resumed at epoch 1, step 7"),
        ({"stage": 1, "epoch": 1, "step": 0}, "resumed at epoch 1"),
        ({"stage": 0, "epoch": 4, "step": 0}, "resumed after epoch 3"),
        ({"stage": 0, "epoch": 4, "step": 7}, "resumed at epoch 4, step 7"),
    ],
)
def test_a_resume_tells_its_place(tmp_path: Path, place: dict[str, int], line: str) -> None:
    screen = Lines()
    story = Story(Workspace(tmp_path), RunFolder(tmp_path / "birds-1"), screen)
    story.tell({"event": "resumed", **place})
    assert screen.told == [line]


def test_a_smaller_batch_is_told(tmp_path: Path) -> None:
    screen = Lines()
    story = Story(Workspace(tmp_path), RunFolder(tmp_path / "birds-1"), screen)
    story.tell({"event": "batch_halved", "from_size": 32, "to_size": 16})
    assert screen.told == [
        "note   Out of memory with batches of 32; the run goes on with batches of 16."
    ]
