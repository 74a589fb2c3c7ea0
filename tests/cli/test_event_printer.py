"""Events as lines: where a run resumes, and with which batch."""

from pathlib import Path

import pytest
from event_lines import event

from workbench.cli.event_printer import EventPrinter
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder


class Lines:
    """An output that keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)

    def bar(self, text: str, done: int, total: int) -> None:
        raise AssertionError("a resume has no bar")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ({}, "resumed from the start"),
        ({"stage": 0, "epoch": 1, "step": 0}, "resumed from the start"),
        ({"stage": 0, "epoch": 1, "step": 7}, "resumed at epoch 1, step 7"),
        ({"stage": 1, "epoch": 1, "step": 0}, "resumed at epoch 1"),
        ({"stage": 0, "epoch": 4, "step": 0}, "resumed after epoch 3"),
        ({"stage": 0, "epoch": 4, "step": 7}, "resumed at epoch 4, step 7"),
    ],
)
def test_a_resume_shows_its_position(tmp_path: Path, place: dict[str, int], line: str) -> None:
    output = Lines()
    printer = EventPrinter(Workspace(tmp_path), RunFolder(tmp_path / "birds-1"), output)
    printer.print_event(event("resumed", **place))
    assert output.lines == [line]


def test_a_smaller_batch_is_shown(tmp_path: Path) -> None:
    output = Lines()
    printer = EventPrinter(Workspace(tmp_path), RunFolder(tmp_path / "birds-1"), output)
    printer.print_event(event("batch_halved", from_size=32, to_size=16))
    assert output.lines == [
        "note   Out of memory with batches of 32; the run continues with batches of 16."
    ]


def test_all_gpus_of_a_run_are_shown(tmp_path: Path) -> None:
    """Runs of earlier versions have one."""
    output = Lines()
    printer = EventPrinter(Workspace(tmp_path), RunFolder(tmp_path / "birds-1"), output)
    first, second = ({"name": "H100", "index": index} for index in (2, 0))
    printer.print_event(event("gpu_chosen", gpu=None))
    printer.print_event(event("gpu_chosen", gpu=first))
    printer.print_event(event("gpu_chosen", gpu=first, others=[second]))
    assert output.lines == ["gpu    H100 (GPU 2)", "gpu    H100 (GPU 2)", "gpu    H100 (GPU 0)"]
