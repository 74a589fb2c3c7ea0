"""How the rungs of a ladder stand, beside the book's figures."""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.analysis.compare import load_facts
from workbench.experiment.strategies import ABOUT_BOOK, ABOUT_READERS, FIGURES, Figures
from workbench.paths import Workspace
from workbench.runs.history import History
from workbench.runs.ladder import Ladder, Rung, folders
from workbench.runs.state import RunSummary

GONE = "gone"
RANDOM_WEIGHTS = "random: the base had random weights, as asked for."
VALIDATION_ONLY = (
    "There are no test images: accuracies are of the validation images that chose the best epoch, "
    "and so a little high."
)


@dataclass(frozen=True)
class RungRow:
    """A rung of the table; what is not known is None.

    Attributes:
        state: of the run; "gone" where its folder is.
        detail: of the state, safe to print.
        split: of the accuracy: test, or validation for want of test images.
        seconds: of work, without the waiting.
        book, readers: accuracies to hold one's own beside (see `experiment.rungs`).
        epochs_done: finished epochs, of `epochs_total`.
    """

    preset: str
    run: str
    state: str
    detail: str = ""
    split: str | None = None
    accuracy: float | None = None
    interval: tuple[float, float] | None = None
    seconds: float | None = None
    random_weights: bool = False
    book: float | None = None
    readers: float | None = None
    epochs_done: int = 0
    epochs_total: int | None = None


def rung_row(rung: Rung, summary: RunSummary, history: History) -> RungRow:
    """A rung whose run is there."""
    figures, evaluation = FIGURES.get(rung.preset, Figures()), history.evaluation
    return RungRow(
        preset=rung.preset,
        run=rung.run,
        state=summary.state.word,
        detail=summary.state.detail,
        split=evaluation.split if evaluation else None,
        accuracy=evaluation.accuracy if evaluation else None,
        interval=evaluation.interval if evaluation else None,
        seconds=history.seconds_worked,
        random_weights=summary.random_weights,
        book=figures.book,
        readers=figures.readers,
        epochs_done=summary.epochs_done,
        epochs_total=summary.epochs_total,
    )


def row_without_run(rung: Rung, state: str = GONE) -> RungRow:
    """A rung of whose run nothing is known."""
    figures = FIGURES.get(rung.preset, Figures())
    return RungRow(rung.preset, rung.run, state, book=figures.book, readers=figures.readers)


def read_rows(workspace: Workspace, ladder: Ladder) -> list[RungRow]:
    """The rungs as their folders tell of them; reads all their events."""
    there = {folder.name: load_facts(folder) for folder in folders(workspace, ladder)}
    return [
        rung_row(rung, there[rung.run].summary, there[rung.run].history)
        if rung.run in there
        else row_without_run(rung)
        for rung in ladder.rungs
    ]


def notes(rows: Sequence[RungRow]) -> list[str]:
    """What has to be said of the figures, a sentence or two each."""
    told = {
        ABOUT_BOOK: any(row.book for row in rows),
        ABOUT_READERS: any(row.readers for row in rows),
        RANDOM_WEIGHTS: any(row.random_weights for row in rows),
        VALIDATION_ONLY: any(row.split == "validation" for row in rows),
    }
    return [note for note, holds in told.items() if holds]


def figure(value: float | None) -> str:
    """A figure of the book with the digits it was printed with, two at least."""
    return "-" if value is None else f"{value:.3f}".rstrip("0").ljust(4, "0")
