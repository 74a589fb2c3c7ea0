"""Links to images by their label: nothing is moved, nothing is overwritten."""

from pathlib import Path

import pytest

from workbench.app.sorted_links import link_by_label, make_folder
from workbench.errors import UserError


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): str(path.readlink())
        for path in sorted(folder.rglob("*"))
        if path.is_symlink()
    }


def test_each_label_has_a_folder_of_links(tmp_path: Path) -> None:
    out = tmp_path / "new" / "sorted"
    make_folder(out)
    given = [("/x/1.jpg", "cat"), ("/x/2.jpg", "dog"), ("/y/3", "cat")]
    assert link_by_label(out, given) == 3
    assert tree(out) == {"cat/1.jpg": "/x/1.jpg", "cat/3": "/y/3", "dog/2.jpg": "/x/2.jpg"}


def test_images_of_one_name_get_numbers(tmp_path: Path) -> None:
    given = [(f"/{folder}/1.jpg", "cat") for folder in "abc"] + [("/d/1-2.jpg", "cat")]
    assert link_by_label(tmp_path, given) == 4
    assert tree(tmp_path) == {
        "cat/1.jpg": "/a/1.jpg",
        "cat/1-2.jpg": "/b/1.jpg",
        "cat/1-3.jpg": "/c/1.jpg",
        "cat/1-2-2.jpg": "/d/1-2.jpg",
    }


@pytest.mark.parametrize("label", ["..", ".", "a/b", "/etc", "../up", "a\0b", "caf\udce9"])
def test_a_label_is_one_folder_inside(tmp_path: Path, label: str) -> None:
    out = tmp_path / "out"
    make_folder(out)
    link_by_label(out, [("/x/1.jpg", label), ("/x/2.jpg", "_")])
    assert sorted(tree(out).values()) == ["/x/1.jpg", "/x/2.jpg"]
    assert {len(Path(path).parts) for path in tree(out)} == {2}
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a.jpg").write_text("")
    with pytest.raises(UserError, match="own is not empty"):
        make_folder(tmp_path / "own")
    with pytest.raises(UserError, match="cannot be used: Not a directory"):
        make_folder(tmp_path / "own" / "a.jpg" / "b")
    with pytest.raises(UserError, match="cannot be used: File exists"):
        make_folder(tmp_path / "own" / "a.jpg")
