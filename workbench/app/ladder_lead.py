"""Whether the best rung of a ladder is ahead of the next one by more than chance.

Knows nothing of Textual: the command tells it too.
"""

from collections.abc import Sequence

from workbench.analysis.paired import Answers, mcnemar
from workbench.app.compare import read_answers, read_test_images
from workbench.app.ladder_rows import RungRow
from workbench.paths import Workspace
from workbench.render.compare import paired_words
from workbench.runs.folder import RunFolder


def measured(rows: Sequence[RungRow]) -> list[RungRow]:
    """The rungs with an accuracy on test images, the best first."""
    found = [row for row in rows if row.split == "test" and row.accuracy is not None]
    return sorted(found, key=lambda row: row.accuracy or 0.0, reverse=True)


def lead_in_words(workspace: Workspace, rows: Sequence[RungRow]) -> str:
    """A sentence on the two best rungs; "" where they did not answer the same test images.

    Reads files: call it in a thread.
    """
    best = measured(rows)[:2]
    answers = [_answers(RunFolder(workspace.runs / row.run)) for row in best]
    if len(best) < 2 or not answers[0] or not answers[1] or answers[0].keys() != answers[1].keys():
        return ""
    pair = mcnemar(best[0].preset, best[1].preset, answers[0], answers[1])
    return paired_words(pair) if pair else ""


def _answers(run: RunFolder) -> Answers | None:
    test = read_test_images(run)
    return None if test is None else read_answers(run, test)
