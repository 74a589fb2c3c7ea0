"""What is given for the weights of a base: a plain HDF5 file, or a refusal at once."""

import os
from pathlib import Path

import pytest
from hostile.bad_names import NAMES, assert_harmless, text_of

from workbench.bases.weights import find_weights
from workbench.errors import UserError


def refusal(given: Path | str) -> str:
    with pytest.raises(UserError) as refused:
        find_weights("vgg16", (150, 150), given)
    assert_harmless(str(refused.value))
    return refused.value.message


def test_irregular_files_do_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.h5")
    (tmp_path / "device.h5").symlink_to("/dev/zero")
    (tmp_path / "itself.h5").symlink_to("itself.h5")
    assert "is not a weights file" in refusal(tmp_path / "pipe.h5")
    assert "is not a weights file" in refusal(tmp_path / "device.h5")
    assert "Too many levels of symbolic links" in refusal(tmp_path / "itself.h5")
    assert "Is a directory" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04cposix\nsystem\n", b"PK\x03\x04", bytes(9)])
def test_what_is_no_hdf5_is_not_opened(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.h5").write_bytes(content)
    assert "Keras writes them in HDF5" in refusal(tmp_path / "w.h5")


@pytest.mark.parametrize("name", NAMES)
def test_names_are_shown_harmlessly(tmp_path: Path, name: str) -> None:
    assert "cannot be read" in refusal(tmp_path / text_of(NAMES[name]))
    assert "cannot be read" in refusal(f"~{text_of(NAMES[name])}")
