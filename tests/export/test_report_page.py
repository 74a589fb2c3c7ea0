"""The report: its content, no requests, and the same structure for hostile strings."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from page_reader import Page
from recorded_run import picture, recorded_run, results

from workbench.errors import UserError
from workbench.export.report import write_report
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder

HOSTILE = "<script>alert(1)</script>\" onload='x' &amp; \u202egnp.tac\x1b[2J\n"
ADDRESSES = re.compile(r"https?:|//|javascript:|@import|url\(", re.IGNORECASE)


def page_of(workspace: Workspace, run: RunFolder) -> Page:
    return Page(write_report(workspace, run, workspace.root / "page.html").read_text("utf-8"))


def test_it_shows_the_results(workspace: Workspace) -> None:
    picture(workspace.root / "pets" / "cat" / "1.png")
    page = page_of(workspace, recorded_run(workspace))
    for words in (
        "pets-1", "convnet on pets: finished", "0.5000", "0.1000 to 0.9000",
        "Note: 1 of these images are training images too", "Mind the gap.", "never",
        "Loss over 3 epochs: train from 0.7000 to 0.6000, validation from 0.8000 to 0.7000",
        "conv1", "25.00%", "kept the weights of epoch 2", "3.15.1", 'strategy = "convnet"',
        "cat, predicted as dog with 75%", "no picture: there is no such file",
    ):  # fmt: skip
        assert words in page.text, words


def test_its_structure_is_sound(workspace: Workspace) -> None:
    picture(workspace.root / "pets" / "cat" / "1.png")
    page = page_of(workspace, recorded_run(workspace))
    assert page.elements[0] == ("html", {"lang": "en"})
    assert len(page.all("h1")) == len(page.all("main")) == 1
    assert len(page.all("title")) == 1 + len(page.all("circle"))  # dots show their values
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    ids = [given["id"] for _, given in page.elements if "id" in given]
    assert len(ids) == len(set(ids)) > 5
    links = [given["href"] for given in page.all("a")]
    assert links == [f"#{given['id']}" for given in page.all("section")]
    for _, given in page.elements:
        assert given.get("aria-labelledby", ids[0]) in ids
    assert len(page.all("table")) == len(page.all("caption")) == len(page.all("thead"))
    assert all(given["scope"] in ("row", "col") for given in page.all("th"))
    assert [given["alt"] for given in page.all("img")] == [
        "cat/1.png: cat, predicted as dog with 75%"
    ]
    assert all(given["role"] == "img" and given["aria-label"] for given in page.all("svg"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_it_loads_nothing(workspace: Workspace) -> None:
    picture(workspace.root / "pets" / "cat" / "1.png")
    page = page_of(workspace, recorded_run(workspace))
    assert not {"script", "link", "iframe", "object", "embed", "base", "form", "use", "image"} & {
        tag for tag, _ in page.elements
    }
    for _, given in page.elements:
        for name, value in given.items():
            assert not name.startswith("on")
            if name in ("src", "href"):
                assert value.startswith(("data:image/png;base64,", "data:image/jpeg;base64,", "#"))
    assert not ADDRESSES.search(page.styles)
    (policy,) = (m["content"] for m in page.all("meta") if "http-equiv" in m)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_it_suits_dark_screens_phones_and_paper(workspace: Workspace) -> None:
    page = page_of(workspace, recorded_run(workspace))
    assert "prefers-color-scheme: dark" in page.styles
    assert "@media print" in page.styles
    assert sum(given.get("class") == "wide" for given in page.all("div")) == len(page.all("table"))


def test_strings_from_outside_are_only_text(workspace: Workspace) -> None:
    labels = (HOSTILE, "dog", *(f"{HOSTILE}{n}" for n in range(9)))
    paths = (f"{HOSTILE}.png", "../../etc/passwd", "nul\0.png", "byte\udce9.png")
    run = recorded_run(workspace, labels=labels, paths=paths, notice=HOSTILE)
    events = run.events_path.read_text()
    run.events_path.write_text(events.replace("train all", "<b>\\u202e").replace('"adam"', '"<i>"'))
    calm = page_of(workspace, recorded_run(workspace, "calm", ("cat", "dog", *"abcdefghi"), paths))
    (workspace.root / "page.html").unlink()
    page = page_of(workspace, run)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in calm.elements]
    shown = "<script>alert(1)</script>\" onload='x' &amp; \\u202egnp.tac\\e[2J\\n"
    assert shown in page.text
    assert not set(page.text) & {"\u202e", "\x1b", "\0", "\udce9"}


@pytest.mark.parametrize("damage", ["results.json", "manifest.csv", "spec.toml", "events.jsonl"])
@pytest.mark.parametrize("content", [None, b"", b"\xff\0<", b"[]", b"{}\n"])
def test_a_damaged_run_shows_what_can_be_read(
    workspace: Workspace, damage: str, content: bytes | None
) -> None:
    run = recorded_run(workspace)
    path = run.path / damage
    path.unlink() if content is None else path.write_bytes(content)
    assert "pets-1" in page_of(workspace, run).text


def test_a_run_without_a_test(workspace: Workspace) -> None:
    page = page_of(workspace, recorded_run(workspace, measured=False))
    assert "It was not measured. Validation accuracy of the kept epoch: 0.4000." in page.text
    assert "#errors" not in [given["href"] for given in page.all("a")]


def test_many_labels_have_a_table_of_pairs(workspace: Workspace) -> None:
    def captions(count: int) -> str:
        run = recorded_run(workspace, f"of-{count}", tuple(f"l{n}" for n in range(count)))
        (workspace.root / "page.html").unlink(missing_ok=True)
        return page_of(workspace, run).text

    assert "Confused most" not in captions(8)
    assert "Confused most" in captions(9)
    assert "True labels in rows" in captions(60)
    assert "True labels in rows" not in captions(61)


def test_an_existing_page_is_not_overwritten(workspace: Workspace, tmp_path: Path) -> None:
    run, target = recorded_run(workspace), tmp_path / "mine.html"
    target.write_text("mine")
    with pytest.raises(UserError, match=r"mine.html is there already"):
        write_report(workspace, run, target)
    assert target.read_text() == "mine"
    write_report(workspace, run, target, force=True)
    assert target.read_text().startswith("<!DOCTYPE html>")


def test_results_hold_the_confusions_that_are_shown(workspace: Workspace) -> None:
    written = results(("cat", "dog"), ())
    assert written["confusion"] == [[0, 1], [0, 1]]
    cells = [
        given for given in page_of(workspace, recorded_run(workspace)).all("td") if "style" in given
    ]
    assert [(given["class"], given["style"]) for given in cells] == [
        ("hit", "--share: 0.0"), ("miss", "--share: 0.6"),
        ("miss", "--share: 0.0"), ("hit", "--share: 0.6"),
    ]  # fmt: skip
