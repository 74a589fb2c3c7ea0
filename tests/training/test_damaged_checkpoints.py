"""Whatever the bytes of a checkpoint have become, reading it says so in a way that is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.training.checkpoint import Checkpoint, CheckpointFolder, read_checkpoint
from workbench.training.position import Place
from workbench.training.trainer_state import Progression


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = CheckpointFolder(tmp_path_factory.mktemp("whole"))
    arrays = {"model/dense/kernel": np.arange(6, dtype=np.float32)}
    folder.save_last(Checkpoint(Place(0, 2, 1), Progression(), arrays))
    return folder.last.read_bytes()


edits = st.lists(
    st.tuples(
        st.integers(0, 5000), st.sampled_from(["flip", "cut", "insert"]), st.binary(max_size=9)
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=400, deadline=None)
@given(edits=edits)
def test_damage_is_told_as_damage(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, edits: list[tuple[int, str, bytes]]
) -> None:
    content = whole
    for place, kind, data in edits:
        at = place % max(len(content), 1)
        if kind == "flip":
            content = content[:at] + data + content[at + len(data) :]
        elif kind == "cut":
            content = content[:at]
        else:
            content = content[:at] + data + content[at:]
    path = tmp_path_factory.mktemp("damaged") / "last.npz"
    path.write_bytes(content)
    try:
        found = read_checkpoint(path)
    except (ValueError, KeyError, TypeError):
        return
    assert found.place == Place(0, 2, 1)  # the damage hit nothing that is read
    assert np.array_equal(found.arrays["model/dense/kernel"], np.arange(6, dtype=np.float32))
