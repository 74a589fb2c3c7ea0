"""The report: its sections, and its curves as SVG."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from event_lines import event
from page_reader import Page
from recorded_run import picture, recorded_run, results

from workbench.errors import UserError
from workbench.export.curves import HEIGHT, WIDTH, curve_figure, probe_figure
from workbench.export.report import write_report
from workbench.paths import Workspace
from workbench.runs.events import CrossValidated, TriedValue
from workbench.runs.folder import RunFolder
from workbench.runs.history import History, fold

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
        "conv1", "25.00 %", "kept the weights of epoch 2", "3.15.1", 'strategy = "convnet"',
        "cat, predicted as dog with 75 %", "no picture: there is no such file",
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
        "cat/1.png: cat, predicted as dog with 75 %"
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


def history(*losses: float | None, stage_of: int = 99, kept: int | None = None) -> History:
    """Epochs with these losses; those from `stage_of` on belong to a second stage."""
    events = []
    for n, loss in enumerate(losses):
        stage = int(n >= stage_of)
        epoch = n + 1 - stage * stage_of
        events += [event("stage_started", stage=stage, name=f"<{stage}>")] * (epoch == 1)
        events.append(event("epoch_finished", stage=stage, epoch=epoch, loss=loss))
    if kept is not None:
        events.append(event("stage_finished", stage=0, kept_epoch=kept))
    return fold(events)


def points(figure: str, name: str = "train") -> list[tuple[float, float]]:
    found = re.findall(rf'<circle class="{name}" cx="([^"]+)" cy="([^"]+)"', figure)
    return [(float(x), float(y)) for x, y in found]


def test_higher_is_further_up_and_later_is_further_right() -> None:
    (first, second, third) = points(curve_figure(history(1.0, 0.5, 0.75), "loss"))
    assert first[0] < second[0] < third[0]
    assert first[1] < third[1] < second[1]
    assert second[0] - first[0] == pytest.approx(third[0] - second[0], abs=0.11)


def test_a_linear_probe_is_drawn_over_its_regularization() -> None:
    tried = ((0.001, 0.8, 0.3), (0.1, 0.9, 0.2), (10.0, None, 0.4))
    probe = CrossValidated(
        stage=0,
        chosen=0.1,
        tried=tuple(TriedValue(value=v, accuracy=a, loss=loss) for v, a, loss in tried),
    )
    figure = probe_figure(probe, "accuracy")
    (low, high) = points(figure, "validation")
    assert low[0] < high[0]
    assert low[1] > high[1]
    assert "Accuracy by cross-validation over 3 regularizations: 0.9000 at 0.1, which" in figure
    assert f'<path class="kept" d="M{high[0]} ' in figure
    for words in (">chosen</text>", ">0.001</text>", ">10</text>", ">regularization</text>"):
        assert words in figure
    assert len(points(probe_figure(probe, "loss"), "validation")) == 3
    assert probe_figure(CrossValidated(stage=0), "loss") == ""


@pytest.mark.parametrize(
    "losses", [(0.5,), (0.5, 0.5), (0.0,), (1e-30, 2e-30), (1e30, 1.0), (-1.0,)]
)
def test_all_values_are_within_the_picture(losses: tuple[float, ...]) -> None:
    figure = curve_figure(history(*losses), "loss")
    assert len(points(figure)) == len(losses)
    for x, y in points(figure):
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT
    assert "nan" not in figure


def test_what_was_not_measured_is_a_gap() -> None:
    figure = curve_figure(history(1.0, 0.9, None, 0.7, 0.6), "loss")
    assert len(points(figure)) == 4
    (path,) = re.findall(r'<path class="train" d="([^"]+)"', figure)
    assert path.count("M") == 2
    assert points(figure, "validation") == []


def test_nothing_measured_draws_nothing() -> None:
    assert curve_figure(history(None, None), "loss") == ""
    assert curve_figure(history(1.0), "accuracy") == ""
    assert curve_figure(History(), "loss") == ""


def test_stages_and_the_kept_epoch_are_marked_and_names_are_escaped() -> None:
    figure = curve_figure(history(1.0, 0.9, 0.8, stage_of=2), "loss")
    assert figure.count('class="border"') == 1
    assert "&lt;1&gt;</text>" in figure
    assert "stage 2, epoch 1: 0.8000" in figure
    assert 'class="kept"' not in figure
    assert ">kept</text>" in curve_figure(history(1.0, 0.9, kept=2), "loss")


def test_long_runs_stay_small() -> None:
    few = curve_figure(history(*[0.5] * 120), "loss")
    assert len(points(few)) == 120
    many = curve_figure(history(*[0.5] * 20_000), "loss")
    assert points(many) == []
    assert len(many) < 40_000


def test_scores_are_shown_where_they_were_measured(workspace: Workspace) -> None:
    run = recorded_run(workspace)
    assert "macro F1" not in page_of(workspace, run).text
    found = json.loads(run.results_path.read_text())
    found |= {"macro_f1": {"value": 0.875, "interval": [0.8, 0.925]}, "mirrored": True}
    run.results_path.write_text(json.dumps(found))
    lines = run.events_path.read_text().replace('"val_macro_f1": null', '"val_macro_f1": 0.5')
    run.events_path.write_text(lines)
    page = write_report(workspace, run, workspace.root / "other.html").read_text("utf-8")
    text = Page(page).text
    for words in (
        "0.8750 (0.800 to 0.925)", "Probabilities of each image and its mirror image",
        "Macro F1 over 3 epochs: validation from 0.5000 to 0.5000", "val macro F1",
    ):  # fmt: skip
        assert words in text, words
