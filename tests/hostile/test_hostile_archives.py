"""Archives from strangers: refused, nothing written outside, nothing twice, no flood."""

import gzip
import re
from pathlib import Path

import pytest
from hostile.bad_archives import OUTSIDE, REFUSED, tar_of, zip_of
from hostile.bad_names import assert_harmless, damaged, refused_harmlessly
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.datasets.sources import archives
from workbench.datasets.sources.archives import unpack
from workbench.errors import UserError
from workbench.progress import silent

SIDES = ("zip", "tgz")


def everything_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def size_of(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder three levels down, so that `..` has somewhere to lead."""
    (tmp_path / "one" / "two" / "into").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_nothing_lies_outside(place: Path, name: str) -> None:
    make, expected = REFUSED[name]
    archive, into = place / name, place / "one" / "two" / "into"
    make(archive)
    with pytest.raises(UserError, match=re.escape(expected)) as refused:
        unpack(archive, into, silent)
    assert_harmless(str(refused.value))
    outside = {path for path in everything_in(place) if not path.startswith("one/two/into/")}
    assert outside == {name, "one", "one/two", "one/two/into"}
    assert not Path("/tmp", OUTSIDE).exists()
    assert not any(path.is_symlink() or path.is_fifo() for path in into.rglob("*"))
    assert size_of(into) <= archives.ALWAYS_ALLOWED


def test_what_came_first_is_not_written_over(place: Path) -> None:
    for ending in SIDES:
        make, _ = REFUSED[f"twice.{ending}"]
        make(place / f"a.{ending}")
        into = place / ending
        into.mkdir()
        with pytest.raises(UserError):
            unpack(place / f"a.{ending}", into, silent)
        (first,) = (path for path in into.rglob("*") if path.is_file())
        assert first.read_bytes() in (b"first", b"1")


@pytest.mark.parametrize(("bound", "taken"), [(999, False), (1000, True)])
def test_bytes_are_counted_to_the_last(
    place: Path, monkeypatch: pytest.MonkeyPatch, bound: int, taken: bool
) -> None:
    monkeypatch.setattr(archives, "ALWAYS_ALLOWED", bound)
    monkeypatch.setattr(archives, "MAX_RATIO", 0)
    assert unpacks(place, bytes(400), bytes(600)) is taken


@pytest.mark.parametrize(("bound", "taken"), [(1, False), (2, True)])
def test_members_are_counted(
    place: Path, monkeypatch: pytest.MonkeyPatch, bound: int, taken: bool
) -> None:
    monkeypatch.setattr(archives, "MAX_MEMBERS", bound)
    assert unpacks(place, b"x", b"y") is taken


def unpacks(place: Path, *contents: bytes) -> bool:
    """Whether both kinds of archive are unpacked; fails where one is and the other not."""
    answers = set()
    for ending, make in (("zip", zip_of), ("tgz", tar_of)):
        archive, into = place / f"plain.{ending}", place / ending
        make(archive, {f"{number}.jpg": content for number, content in enumerate(contents)})
        into.mkdir()
        try:
            unpack(archive, into, silent)
        except UserError:
            answers.add(False)
        else:
            answers.add([path.read_bytes() for path in sorted(into.iterdir())] == [*contents])
    (answer,) = answers
    return answer


@pytest.mark.parametrize("ending", SIDES)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_damage_anywhere_is_a_refusal_or_does_no_harm(
    tmp_path_factory: pytest.TempPathFactory, ending: str, data: st.DataObject
) -> None:
    place = tmp_path_factory.mktemp("damaged")
    archive, into = place / f"a.{ending}", place / "into"
    into.mkdir()
    make = {"zip": zip_of, "tgz": tar_of}[ending]
    make(archive, {"a/1.jpg": b"first" * 20, "b/2.jpg": b"second" * 20})
    packed = ending == "tgz"  # damage inside is not found by gzip's own check sum
    whole = gzip.decompress(archive.read_bytes()) if packed else archive.read_bytes()
    content = damaged(whole, data, most=4)
    content = content[: data.draw(st.integers(0, len(content)))]
    archive.write_bytes(gzip.compress(content) if packed else content)
    with refused_harmlessly():
        unpack(archive, into, silent)
    assert {path.name for path in place.iterdir()} == {archive.name, "into"}


@pytest.mark.parametrize("ending", SIDES)
@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_refused(
    tmp_path_factory: pytest.TempPathFactory, ending: str, content: bytes
) -> None:
    place = tmp_path_factory.mktemp("any")
    archive = place / f"a.{ending}"
    archive.write_bytes(content)
    with pytest.raises(UserError):
        unpack(archive, place, silent)
