"""Names of stages: whole where they have room, else the first and the last block."""

import pytest

from workbench.experiment.stage_titles import stage_title

BLOCKS = "head and block6c, block6d, block7a, top"


@pytest.mark.parametrize(
    ("name", "room", "title"),
    [
        (BLOCKS, 0, BLOCKS),
        (BLOCKS, len(BLOCKS), BLOCKS),
        (BLOCKS, len(BLOCKS) - 1, "head and block6c … top"),
        ("head and block5", 10, "head and block5"),
        ("head down to block4", 0, "head down to block4"),
        ("head first", 5, "head first"),
        ("of another version", 5, "of another version"),
    ],
)
def test_more_blocks_than_have_room_are_named_by_the_first_and_the_last(
    name: str, room: int, title: str
) -> None:
    assert stage_title(name, room) == title
