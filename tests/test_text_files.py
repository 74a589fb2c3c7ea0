"""Text that people edit is read with and without a byte order mark; wide text is refused."""

import codecs
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from workbench.datasets.label_fixes import LabelFix, read_label_fixes
from workbench.datasets.manifest import read_manifest
from workbench.datasets.sources.opening import open_source
from workbench.errors import UserError
from workbench.experiment.toml import read_spec
from workbench.files import is_wide, open_table, write_atomic
from workbench.runs.annotations import add_note, newest_note
from workbench.runs.folder import RunFolder, read_tables

MARK = codecs.BOM_UTF8
SPEC = b'[data]\nsource = "photos"\n\n[model]\nstrategy = "dense"\n'
CSV = "path,label\na.png,café\nb.png,tea\n"
CORRECTIONS = f"path,pixel_hash,label\na.png,{'1' * 32},café\n"
MANIFEST = f"path,label,split,width,height,bytes,pixel_hash\na.png,cat,train,2,3,4,{'1' * 32}\n"
WIDE = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_a_byte_order_mark_before_a_spec_is_ignored(tmp_path: Path) -> None:
    plain = read_spec(written(tmp_path / "plain.toml", SPEC))
    assert read_spec(written(tmp_path / "marked.toml", MARK + SPEC)) == plain
    assert plain.model.strategy == "dense"
    run = RunFolder(tmp_path)
    written(run.spec_path, MARK + SPEC)
    assert read_tables(run)["data"] == {"source": "photos"}


def test_a_byte_order_mark_before_tables_is_ignored(tmp_path: Path) -> None:
    for name in "ab":
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{name}.png")
    table = written(tmp_path / "t.csv", MARK + CSV.encode())
    assert open_source(table).labels == open_source(tmp_path).labels == ("café", "tea")
    corrections = written(tmp_path / "c.txt", MARK + CORRECTIONS.encode())
    assert read_label_fixes(corrections) == [LabelFix("a.png", "1" * 32, "café")]
    (row,) = read_manifest(written(tmp_path / "m.txt", MARK + MANIFEST.encode()))
    assert (row.path, row.label, row.width) == ("a.png", "cat", 2)


def test_a_byte_order_mark_before_notes_is_ignored(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    written(tmp_path / "notes.txt", MARK + b"seen in an editor\n")
    assert newest_note(run) == "seen in an editor"
    add_note(run, "later", now=0)
    assert newest_note(run).endswith("  later")
    written(tmp_path / "notes.txt", "wide words\n".encode("utf-16"))
    assert newest_note(run) == "notes.txt is UTF-16 text and not shown; save it as UTF-8"


@pytest.mark.parametrize("encoding", WIDE)
def test_wide_text_is_refused_with_a_hint(tmp_path: Path, encoding: str) -> None:
    for name in "ab":
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / f"{name}.png")
    table = written(tmp_path / "t.csv", CSV.encode(encoding))
    spec = written(tmp_path / "spec.toml", SPEC.decode().encode(encoding))
    corrections = written(tmp_path / "c.txt", CORRECTIONS.encode(encoding))
    for read, path, kind in (
        (open_source, table, "CSV"),
        (read_spec, spec, "TOML"),
        (read_label_fixes, corrections, "CSV"),
    ):
        with pytest.raises(UserError) as refused:
            read(path)
        assert refused.value.message == (
            f"{path} is not {kind}: it is not UTF-8 text but UTF-16 or UTF-32."
        )
        assert refused.value.hint.startswith("Save it as UTF-8:")


def test_a_folder_with_a_wide_table_beside_classes_is_read(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / name / "1.png")
    written(tmp_path / "t.csv", CSV.encode("utf-16"))
    assert open_source(tmp_path).kind == "class folders"


@pytest.mark.parametrize(
    ("start", "wide"),
    [
        (b"", False),
        (b"a\0", False),
        (b"a\0b\0", True),
        (b"\0a\0b", True),
        (bytes(100), False),
        (b"a,b\n" * 20 + b"\0", False),
        ("é".encode(), False),
        (codecs.BOM_UTF16_BE, True),
    ],
)
def test_wide_text_is_recognized(start: bytes, wide: bool) -> None:
    assert is_wide(start) is wide


def test_a_file_that_cannot_be_written_is_named_and_not_its_temporary_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as error:
        write_atomic(tmp_path / "gone" / "a.toml", "a = 1")
    assert error.value.filename == str(tmp_path / "gone" / "a.toml")


def test_a_pipe_is_no_table_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with (
        pytest.raises(UserError, match="is not CSV: it is not a regular file"),
        open_table(tmp_path / "pipe.csv"),
    ):
        pass
