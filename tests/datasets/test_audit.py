"""The audit reports problems in plain sentences, and survives a round trip."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_duplicates import record

from image_files import photo  # isort: skip
from workbench.datasets.audit import Audit, audit, read_audit, write_audit
from workbench.datasets.duplicates import near_pairs
from workbench.datasets.findings import AuditFinding
from workbench.datasets.manifest import ScanRecord
from workbench.datasets.sources.source import Item, Source, SourceWarning
from workbench.errors import UserError


def plain(path: str, label: str, split: str | None = None, **values: object) -> ScanRecord:
    """A usable record with pixels of its own."""
    own = {"pixel_hash": path.encode("utf-8", "surrogateescape").hex()}
    fields = {"width": 30, "height": 20, "format": "PNG", "mode": "RGB", **own, **values}
    return ScanRecord(path, label, split, **fields)  # type: ignore[arg-type]


def judge(*records: ScanRecord, notes: tuple[str, ...] = ()) -> Audit:
    items = tuple(Item(r.path, r.label, r.split) for r in records)
    return audit(Source(Path("/x"), "class folders", items, notes), records, near_pairs(records))


def finding(found: Audit, code: str) -> AuditFinding:
    (one,) = [f for f in found.findings if f.code == code]
    return one


def balanced() -> list[ScanRecord]:
    return [plain(f"{label}/{n}", label) for label in ("a", "b") for n in range(20)]


def test_nothing_to_say_of_good_data() -> None:
    found = judge(*balanced())
    assert found.findings == ()
    assert (found.images, found.usable) == (40, 40)
    assert found.counts == {"a": {"all": 20}, "b": {"all": 20}}
    assert found.formats == {"PNG": 40}
    assert found.lines() == [
        "40 images in 2 classes (class folders), 40 usable",
        "  a: 20",
        "  b: 20",
        "width x height 30x20",
    ]


def test_counts_go_by_class_and_split() -> None:
    found = judge(plain("1", "a", "train"), plain("2", "a", "test"), plain("3", "b", "train"))
    assert found.counts == {"a": {"train": 1, "test": 1}, "b": {"train": 1}}
    assert "  a: train 1, test 1" in found.lines()


@pytest.mark.parametrize(("classes", "last"), [(50, "  c50: 20"), (51, "  and 1 more class")])
def test_of_very_many_classes_the_first_are_reported(classes: int, last: str) -> None:
    labels = [f"c{number}" for number in range(1, classes + 1)]
    found = judge(*(plain(f"{label}/{n}", label) for label in labels for n in range(20)))
    shown = [line for line in found.lines() if line.startswith("  ")]
    assert shown[:50] == [f"  {label}: 20" for label in labels[:50]]
    assert shown[-1] == last
    every = [line for line in found.lines(every_class=True) if line.startswith("  ")]
    assert every == [f"  {label}: 20" for label in labels]


def test_sizes_are_smallest_median_largest() -> None:
    sizes = ((10, 90), (20, 80), (60, 70))
    found = judge(
        *(plain(str(w), "a", width=w, height=h) for w, h in sizes),
        plain("z", "b", width=20, height=75),
    )
    assert found.sizes is not None
    assert (found.sizes.width, found.sizes.height) == ((10, 20, 60), (70, 75, 90))
    assert "widths 10 to 60 (median 20), heights 70 to 90 (median 75)" in found.lines()


def test_unusable_files_are_listed_by_reason() -> None:
    bad = [
        ScanRecord(p, "a", None, problem="the file is empty") for p in ("a/x", "a/y", "a/z", "a/w")
    ]
    other = ScanRecord("b/t", "b", None, problem="there is no such file")
    found = judge(*balanced(), *bad, other)
    first, second = found.findings
    assert first.message == "4 files left out: the file is empty (a/x, a/y, a/z and 1 more)."
    assert (first.code, first.severity, first.files) == (
        "unusable",
        "error",
        ("a/x", "a/y", "a/z", "a/w"),
    )
    assert second.message == "1 file left out: there is no such file (b/t)."
    assert (found.images, found.usable) == (45, 40)


def test_exact_duplicates_are_reported_under_their_most_severe_aspect() -> None:
    groups = {
        "1": [("p", "a", "train"), ("q", "a", "train")],
        "2": [("r", "a", "train"), ("s", "a", "test"), ("t", "a", "test")],
        "3": [("u", "a", "train"), ("v", "b", "test")],
    }
    records = [
        plain(path, label, split, pixel_hash=pixels * 32)
        for pixels, members in groups.items()
        for path, label, split in members
    ]
    found = judge(*records)
    within = finding(found, "duplicates")
    assert (within.severity, within.groups) == ("warning", (("p", "q"),))
    across = finding(found, "duplicates-across")
    assert (across.severity, across.groups) == ("error", (("r", "s", "t"),))
    assert across.message == (
        "1 group of images with the same pixels in more than one split, 3 files in all (r, s, t). "
        "The test has images that were trained on: delete them from one of the parts."
    )
    conflicting = finding(found, "conflicting-labels")
    assert (conflicting.severity, conflicting.groups) == ("error", (("u", "v"),))
    severities = [f.severity for f in found.findings]
    assert severities == sorted(severities, key=("error", "warning", "note").index)


def test_near_duplicates_are_pairs_and_graver_across_splits() -> None:
    pictures = [photo(n, 200, 160) for n in (1, 2)]
    records = [
        record("a", pictures[0], "x", "train"),
        record("b", pictures[0].resize((100, 80)), "x", "test"),
        record("c", pictures[1], "y", "train"),
        record("d", pictures[1].resize((100, 80)), "y", "train"),
    ]
    found = judge(*records)
    across, near = finding(found, "near-across"), finding(found, "near")
    assert (across.severity, across.groups) == ("warning", (("a", "b"),))
    assert (near.severity, near.groups) == ("note", (("c", "d"),))
    assert near.message == "1 pair of images look nearly the same (c, d)."


@pytest.mark.parametrize(("most", "reported"), [(60, False), (61, True)])
def test_imbalance_is_reported_beyond_three_to_one(most: int, reported: bool) -> None:
    records = [plain(f"a{n}", "a") for n in range(most)] + [plain(f"b{n}", "b") for n in range(20)]
    codes = [f.code for f in judge(*records).findings]
    assert codes == (["imbalance"] if reported else [])


@pytest.mark.parametrize(("count", "reported"), [(19, True), (20, False)])
def test_small_classes_are_reported(count: int, reported: bool) -> None:
    records = [plain(f"{label}{n}", label) for label in ("a", "b") for n in range(count)]
    found = judge(*records)
    assert [f.code for f in found.findings] == (["few-images"] if reported else [])
    if reported:
        assert found.findings[0].message == "2 classes have fewer than 20 images: a, b."


def test_oddities_and_mixed_colours_are_reported() -> None:
    odd = plain("a/o", "a", notes=("cmyk", "tiny"), mode="CMYK")
    found = judge(*balanced(), odd, plain("a/g", "a", mode="L"))
    assert finding(found, "cmyk").message == (
        "1 image is stored in CMYK colours; converted to RGB (a/o)."
    )
    assert finding(found, "tiny").severity == "warning"
    assert finding(found, "mixed-colours").files == ("a/g",)
    assert finding(found, "mixed-colours").message == (
        "1 image is grey, the other 41 are stored in colour."
    )


def test_skipped_files_are_noted() -> None:
    assert finding(judge(*balanced(), notes=("No.",)), "passed-over").message == "No."


def test_it_survives_being_written_in_any_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\x1b[31m\n[/x]")
    records = [plain(name, name, pixel_hash="1" * 32), plain("b", "b", pixel_hash="1" * 32)]
    found = judge(*records, ScanRecord(f"{name}2", name, None, problem="the file is empty"))
    write_audit(tmp_path / "audit.json", found)
    assert read_audit(tmp_path / "audit.json") == found
    shown = "\n".join(found.lines())
    assert "\x1b" not in shown
    assert len(found.lines()) == shown.count("\n") + 1
    shown.encode()


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 0}', '{"format": 1}', "\0"])
def test_a_damaged_audit_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "audit.json"
    path.write_text(content)
    with pytest.raises(UserError, match="is damaged"):
        read_audit(path)
    with pytest.raises(UserError, match="cannot be read: No such file"):
        read_audit(tmp_path / "none.json")


def test_warnings_of_the_source_are_findings() -> None:
    records = balanced()
    items = tuple(Item(r.path, r.label, r.split) for r in records)
    warnings = (
        SourceWarning("layout", "Are these splits?"),
        SourceWarning("not-read", "A file.", ("a/x.heic",)),
    )
    source = Source(Path("/x"), "class folders", items, warnings=warnings)
    assert audit(source, records, near_pairs(records)).findings == (
        AuditFinding("layout", "warning", "Are these splits?"),
        AuditFinding("not-read", "warning", "A file.", ("a/x.heic",)),
    )


_DARK_NIGHTS = ("night/3", "night/5", "night/7", "night/11", "night/12", "night/13", "night/14")


def test_odd_images_are_listed_with_the_class_of_most() -> None:
    dark = np.zeros(256, np.uint8)
    dark[10:60] = 36
    grey = np.zeros(256, np.uint8)
    grey[10:250] = 16
    measures = {"colour": (40, 40, 40), "sharpness": 40.0}
    records = [
        plain(
            f"{label}/{n}",
            label,
            histogram=(dark if n in (3, 5, 7) else grey).tobytes(),
            **measures,
        )
        for label in ("day", "night")
        for n in range(20)
        if label == "night" or n < 18
    ]
    found = finding(judge(*records), "dark")
    assert found.severity == "note"
    assert found.files == ("day/3", "day/5", "day/7", "night/3", "night/5", "night/7")
    assert found.message == (
        "6 images are dark: hardly a pixel is brighter than a third of white "
        "(day/3, day/5, day/7 and 3 more)."
    )
    rest = [replace(r, histogram=grey.tobytes()) if r.label == "day" else r for r in records]
    night = [replace(r, histogram=dark.tobytes()) if r.path in _DARK_NIGHTS else r for r in rest]
    message = finding(judge(*night), "dark").message
    assert message.endswith(" and 4 more); all of them are of the class night.")


def test_a_shortcut_is_a_warning_with_its_accuracy() -> None:
    records = [
        plain(f"{label}/{n}", label, format="PNG" if label == "cat" else "JPEG", compression=n % 2)
        for label in ("cat", "dog")
        for n in range(40)
    ]
    one = finding(judge(*records), "shortcut")
    assert one.severity == "warning"
    assert one.message == (
        "File format alone separates cat from the other classes with 100 % accuracy (guessing: "
        "50 %): 100 % of the images with file format PNG are cat. A model may learn this instead "
        "of what is shown; save the images of all classes alike."
    )


def test_a_camera_from_outside_is_shown_harmless() -> None:
    records = [
        plain(f"{label}/{n}", label, camera="\x1b[31mred" if label == "cat\x1b" else "")
        for label in ("cat\x1b", "dog")
        for n in range(40)
    ]
    message = finding(judge(*records), "shortcut").message
    assert "\x1b" not in message
    assert "camera \\e[31mred are cat\\e" in message
