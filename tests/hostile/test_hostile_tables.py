"""CSV, npz, idx and manifest files from strangers: read, or refused harmlessly."""

import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hostile.bad_images import image
from hostile.bad_names import NAMES, assert_harmless, damaged, refused_harmlessly, text_of
from hostile.bad_tables import CSV_READ, CSV_REFUSED, IDX_REFUSED, NPZ_REFUSED, npz, write_csv
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.datasets.manifest import COLUMNS, ImageRecord, read_manifest, write_manifest
from workbench.datasets.prepare import inspect, prepare, survey
from workbench.datasets.scan import CACHE_NAME
from workbench.datasets.sources.conversions import read_idx
from workbench.datasets.sources.npz import NpzImages
from workbench.datasets.sources.opening import open_source
from workbench.errors import UserError
from workbench.experiment.sections import DataSpec
from workbench.paths import Workspace

LIMIT = 100_000_000  # bytes that reading any of these may take


def refusal(path: Path) -> str:
    """Return the message for a data source; nothing is executed and little memory is used."""
    tracemalloc.start()
    try:
        with pytest.raises(UserError) as refused:
            open_source(path)
        assert tracemalloc.get_traced_memory()[1] < LIMIT
    finally:
        tracemalloc.stop()
    assert_harmless(str(refused.value))
    assert not Path("pwned").exists()
    return refused.value.message


# --- CSV --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CSV_READ)
def test_an_odd_table_is_read_and_its_bad_rows_are_named(tmp_path: Path, name: str) -> None:
    content, labels = CSV_READ[name]
    path = write_csv(tmp_path, content, image())
    assert open_source(path).labels == labels
    found = inspect(path, Workspace(tmp_path / "ws"))
    assert found.usable == 2
    for line in found.lines():
        assert_harmless(line)


@pytest.mark.parametrize("name", CSV_REFUSED)
def test_a_bad_table_is_refused(tmp_path: Path, name: str) -> None:
    content, expected = CSV_REFUSED[name]
    assert expected in refusal(write_csv(tmp_path, content, image()))


def test_irregular_files_do_not_block(tmp_path: Path) -> None:
    for ending in ("csv", "npz"):
        for name in ("pipe", "device"):
            folder = tmp_path / ending / name
            folder.mkdir(parents=True)
            if name == "pipe":
                os.mkfifo(folder / f"x.{ending}")
            else:
                (folder / f"x.{ending}").symlink_to("/dev/zero")
            assert "is neither a regular file" in refusal(folder / f"x.{ending}")
            refusal(folder)


def test_a_name_that_is_too_long_is_reported(tmp_path: Path) -> None:
    assert "cannot be read: File name too long" in refusal(tmp_path / ("x" * 300))


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_table_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("csv")
    cell = st.sampled_from(["a.png", "b.png", "cat", "dog", "train", "test", '"', "\0", "\r"])
    rows = data.draw(st.lists(st.lists(cell | st.text(max_size=5), max_size=4), max_size=5))
    first = data.draw(st.sampled_from(["path,label", "path,label,split", "label;path", '"path']))
    text = "\n".join([first, *(",".join(row) for row in rows)])
    path = write_csv(folder, text.encode("utf-8", "replace"), image())
    path.write_bytes(path.read_bytes() + data.draw(st.binary(max_size=10)))
    read_or_refused(path)


@settings(max_examples=100, deadline=None)
@given(content=st.binary(max_size=200), ending=st.sampled_from(["csv", "npz"]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    path.write_bytes(content)
    read_or_refused(path)


def read_or_refused(path: Path) -> None:
    with refused_harmlessly():
        assert len(open_source(path).labels) >= 2


# --- npz and idx ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NPZ_REFUSED)
def test_forged_arrays_are_refused_before_they_are_read(tmp_path: Path, name: str) -> None:
    changes, expected = NPZ_REFUSED[name]
    path = npz(tmp_path / "forged.npz", **changes())
    assert expected in refusal(path)
    for look in (survey, lambda p: inspect(p, Workspace(tmp_path / "ws"))):
        with pytest.raises(UserError):
            look(path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damage_anywhere_in_arrays_is_a_refusal_or_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = npz(tmp_path_factory.mktemp("npz") / "damaged.npz")
    path.write_bytes(damaged(path.read_bytes(), data))
    with refused_harmlessly():
        items = open_source(path).items
        images = NpzImages(path)
        for item in items:
            images.array(item.path)


@pytest.mark.parametrize("name", IDX_REFUSED)
def test_a_forged_idx_file_is_refused(name: str) -> None:
    content, expected = IDX_REFUSED[name]
    with pytest.raises(UserError, match=expected) as refused:
        read_idx(io.BytesIO(content), "\x1b[31m.gz")
    assert_harmless(str(refused.value))


@settings(max_examples=150, deadline=None)
@given(content=st.binary(max_size=60) | st.binary(max_size=60).map(lambda end: b"\0\0\x08" + end))
def test_any_bytes_are_idx_or_refused(content: bytes) -> None:
    with refused_harmlessly():
        found = read_idx(io.BytesIO(content), "any")
        assert found.nbytes == len(content) - 4 - 4 * found.ndim


# --- manifest.csv -----------------------------------------------------------------------------

HASH = "0123456789abcdef" * 2
# Names as files have them: any bytes but NUL.
_NAMES = st.binary(min_size=1, max_size=30).filter(lambda b: b"\0" not in b).map(os.fsdecode)
_COUNTS = st.integers(0, 10**12)
_ROWS = st.builds(
    ImageRecord,
    path=_NAMES | st.sampled_from([text_of(name) for name in NAMES.values()]),
    label=_NAMES,
    split=st.sampled_from(["train", "validation", "test"]),
    width=_COUNTS,
    height=_COUNTS,
    bytes=_COUNTS,
    pixel_hash=st.text("0123456789abcdef", min_size=32, max_size=32),
)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(_ROWS, max_size=4))
def test_every_manifest_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[ImageRecord]
) -> None:
    path = tmp_path_factory.getbasetemp() / "manifest.csv"
    write_manifest(path, rows)
    assert read_manifest(path) == rows


@settings(max_examples=60, deadline=None)
@given(
    content=st.binary(max_size=200)
    | st.binary(max_size=200).map(lambda end: ",".join(COLUMNS).encode() + b"\r\n" + end)
)
def test_any_bytes_are_a_manifest_or_damaged(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-manifest.csv"
    path.write_bytes(content)
    rows_or_refusal(path)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_manifest_is_reported(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged-manifest.csv"
    write_manifest(path, [ImageRecord("a\n.png", "ä", "train", 20, 20, 99, HASH)] * 3)
    path.write_bytes(damaged(path.read_bytes(), data))
    rows_or_refusal(path)


@pytest.mark.parametrize("count", ["-1", "+1", "1_0", "٣", "9" * 19, "9" * 5000, "1.0", " 1", ""])
def test_a_count_has_only_digits(tmp_path: Path, count: str) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(f"{','.join(COLUMNS[:-2])}\na,b,train,{count},2,3,{HASH}\n")
    with pytest.raises(UserError, match=r"is damaged at line 2: .* is not a count"):
        read_manifest(path)


def rows_or_refusal(path: Path) -> None:
    with refused_harmlessly():
        rows = read_manifest(path)
        assert all(row.path and row.label and row.width >= 0 for row in rows)


# --- scan.jsonl -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        '"dhash": 1, "thumbnail": "00"',
        '"dhash": -1, "thumbnail": "' + "00" * 256 + '"',
        '"dhash": ' + "9" * 30 + ', "thumbnail": "' + "00" * 256 + '"',
        '"dhash": 1',
        '"thumbnail": "00"',
        '"notes": ' + "[" * 5000 + "]" * 5000,
        '"width": ' + "9" * 5000,
    ],
)
def test_a_forged_record_of_a_scan_is_read_again(tmp_path: Path, values: str) -> None:
    photos = write_csv(tmp_path, CSV_READ["CRLF"][0], image("PNG", 80))
    workspace = Workspace(tmp_path / "ws")
    honest = inspect(photos, workspace)
    (cache,) = workspace.data.glob(f"*/{CACHE_NAME}")
    status = (tmp_path / "a.png").stat()
    forged = (
        f'{{"path": "a.png", "bytes": {status.st_size}, "modified_ns": {status.st_mtime_ns}, '
        f"{values}}}\n"
    )
    header, *_ = cache.read_text().splitlines(keepends=True)
    cache.write_text(header + forged)
    assert inspect(photos, workspace) == honest


def test_labels_of_arrays_reach_the_manifest_whole(tmp_path: Path) -> None:
    import numpy as np

    labels = [text_of(name) for name in NAMES.values() if name.decode(errors="ignore").strip()]
    labels = [label for label in labels if label.isprintable() or "\x1b" in label]
    labels = [label for label in labels if not any(0xD800 <= ord(c) < 0xE000 for c in label)]
    path = tmp_path / "a.npz"
    pixels = np.random.default_rng(1).integers(0, 256, (len(labels), 8, 8), np.uint8)
    data: dict[str, Any] = {"x_train": pixels, "x_test": 255 - pixels}
    np.savez(path, y_train=np.array(labels), y_test=np.array(labels), **data)
    spec = DataSpec(source=str(path), image_size=(8, 8), channels=1)
    prepared = prepare(spec, Workspace(tmp_path / "ws"))
    written = read_manifest(prepared.folder / "manifest.csv")
    assert {row.label for row in written} == set(labels)
