"""The log of a review: one answer a line, and what a kill leaves of it."""

from pathlib import Path

import pytest

from workbench.datasets.review_log import Answer, ReviewLog

KEPT = Answer(images=("a1",), verdict="keep")
# A label whose name is not UTF-8.
RELABELLED = Answer(images=("b2",), verdict="relabel", label="d\udcffg", before="cat")
EXCLUDED = Answer(images=("c3", "d4"), verdict="exclude", excluded="d4")


def test_answers_are_read_again(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path / "review.jsonl")
    assert log.answers == []
    for answer in (KEPT, RELABELLED, EXCLUDED):
        log.add(answer)
    assert ReviewLog(log.path).answers == log.answers == [KEPT, RELABELLED, EXCLUDED]


def test_undo_takes_back_the_newest(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path / "review.jsonl")
    log.add(KEPT)
    log.add(EXCLUDED)
    assert log.undo() == EXCLUDED
    log.add(RELABELLED)
    assert ReviewLog(log.path).answers == [KEPT, RELABELLED]
    assert [log.undo(), log.undo(), log.undo()] == [RELABELLED, KEPT, None]
    assert ReviewLog(log.path).answers == []


def test_the_changed_image_is_known() -> None:
    assert [KEPT.changed, RELABELLED.changed, EXCLUDED.changed] == ["", "b2", "d4"]


def test_a_kill_at_any_byte_loses_one_answer_at_most(tmp_path: Path) -> None:
    log = ReviewLog(tmp_path / "review.jsonl")
    ends = [0]
    for answer in (KEPT, RELABELLED, EXCLUDED):
        log.add(answer)
        ends.append(log.path.stat().st_size)
    content = log.path.read_bytes()
    for size in range(len(content) + 1):
        log.path.write_bytes(content[:size])
        torn = ReviewLog(log.path)
        # A line that lacks nothing but its end is whole.
        whole = sum(size >= end - 1 for end in ends[1:])
        assert torn.answers == [KEPT, RELABELLED, EXCLUDED][:whole]
        torn.add(EXCLUDED)
        assert ReviewLog(log.path).answers == [*torn.answers[:whole], EXCLUDED]


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "7",
        "{}",
        '{"images": [], "verdict": "keep"}',
        '{"images": "a1", "verdict": "keep"}',
        '{"images": [1], "verdict": "keep"}',
        '{"images": ["a1"], "verdict": "delete"}',
        '{"images": ["a1"], "verdict": ["keep"]}',
        '{"images": ["a1"], "verdict": "keep", "label": 7}',
        '{"images": ["a1"], "verdict": "keep", "before": {}}',
        "[" * 100_000,
        "\x00\xff",
    ],
)
def test_foreign_lines_are_ignored(tmp_path: Path, line: str) -> None:
    path = tmp_path / "review.jsonl"
    path.write_text(f"{line}\n", encoding="latin-1")
    log = ReviewLog(path)
    assert log.answers == []
    log.add(KEPT)
    assert ReviewLog(path).answers == [KEPT]
