"""The ladder's table, from plain values."""

from workbench.app.ladder import LadderRow
from workbench.cli.ladder import ladder_table
from workbench.experiment.presets import LADDER, PRESETS, REFERENCE_ACCURACY

DENSE = LadderRow("dense", "photos-dense-1", "finished", "", "test", 0.6, (0.5, 0.7), 1234.4)
EXTRACTION = LadderRow(
    "feature-extraction", "photos-f-1", "waiting", "wait for photos-dense-1", book=0.903,
    readers=0.97,
)  # fmt: skip


def test_every_strategy_is_a_preset() -> None:
    assert set(LADDER) | set(REFERENCE_ACCURACY) <= set(PRESETS)


def test_the_table_has_a_row_per_strategy() -> None:
    lines = ladder_table([DENSE, EXTRACTION]).splitlines()
    assert lines[0].split() == [
        "strategy", "accuracy", "95", "%", "interval", "seconds", "book", "readers",
    ]  # fmt: skip
    assert lines[1].split() == ["dense", "0.6000", "0.500", "to", "0.700", "1,234", "-", "-"]
    assert lines[2].split() == ["feature-extraction", "waiting", "-", "-", "0.903", "0.97"]
    assert "runs: photos-dense-1, photos-f-1" in lines
    assert max(map(len, lines)) <= 80


def test_the_whole_ladder_fits_a_terminal() -> None:
    rows = [
        LadderRow(p, f"p-{p}-1", "finished", "", "test", 0.9, (0.8, 0.95), 99_999,
            book=REFERENCE_ACCURACY[p].book if p in REFERENCE_ACCURACY else None, readers=0.9)
        for p in LADDER
    ]  # fmt: skip
    lines = ladder_table(rows).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[5].split()[-2:] == ["0.951", "0.90"]


def test_notes_follow_from_the_rows() -> None:
    single = ladder_table([DENSE])
    assert "book:" not in single
    assert "readers:" not in single
    lead = " ".join(ladder_table([DENSE], "convnet and dense are too close to call.").split())
    assert "- - convnet and dense are too close to call. runs: photos-dense-1" in lead
    both = " ".join(ladder_table([DENSE, EXTRACTION]).split())
    assert "validation accuracy on cats and dogs" in both
    assert "where the book's text says 0.96" in both
    random = ladder_table([LadderRow("fine-tuning", "x", "finished", random_weights=True)])
    assert "fine-tuning (random)" in random
    assert "the base had random weights" in random
    validation = ladder_table(
        [LadderRow("dense", "x", "finished", split="validation", accuracy=0.5)]
    )
    assert "There are no test images" in validation
    failed = ladder_table([LadderRow("dense", "x-1", "failed", "no images")])
    assert failed.splitlines()[-1] == "x-1: no images"
