"""A labelling session: what is asked, that no answer is lost, and the table of all labels."""

from pathlib import Path
from typing import Any

import pytest
from fake_ranking import ranked
from image_files import class_folders, write_photo

from workbench.app import label_suspects
from workbench.app.labelling import Labelling
from workbench.datasets.manifest import write_manifest
from workbench.datasets.prepare import prepare
from workbench.datasets.review_log import ReviewLog
from workbench.datasets.sources.opening import open_source
from workbench.errors import UserError
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run

IMAGES = 7


def make_run(tmp_path: Path, source: Path) -> RunFolder:
    tree = {
        "data": {"source": str(source), "image_size": [8, 8]},
        "model": {"strategy": "dense", "dense_units": [4]},
    }
    spec = parse_spec(tree, "test")
    folder = create_run(Workspace(tmp_path), dump_spec(spec), "pets-1", "")
    write_manifest(folder.manifest_path, prepare(spec.data, Workspace(tmp_path)).rows)
    return folder


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the worker was asked."""
    asked: list[dict[str, Any]] = []

    def run(job: str, request: dict[str, Any], on_event: Any, **options: Any) -> dict[str, Any]:
        asked.append(request)
        return ranked(job, request, on_event, **options)

    monkeypatch.setattr(label_suspects, "run_job", run)
    return asked


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run on four cats and four dogs; beside it new/0.png to new/6.png, new/copy.png a cat."""
    run = make_run(tmp_path, class_folders(tmp_path / "pets", cat=4, dog=4))
    for number in range(IMAGES):
        write_photo(tmp_path / "new" / f"{number}.png", 100 + number)
    (tmp_path / "new" / "copy.png").write_bytes((tmp_path / "pets/cat/0.png").read_bytes())
    return run


def begin(tmp_path: Path, run: RunFolder, batch: int = 2) -> Labelling:
    labelling = Labelling(Workspace(tmp_path), run, tmp_path / "new", batch)
    labelling.take(labelling.rank())
    return labelling


def asked(labelling: Labelling) -> list[str]:
    return [labelling.shown_path(one.images[0]) for one in labelling.queue]


def labelled(table: Path) -> dict[str, str]:
    """What the data step reads of a table."""
    source = open_source(table)
    return {str(source.root / item.path): item.label for item in source.items}


@pytest.mark.usefixtures("requests")
def test_twice_a_batch_is_asked_and_copies_of_labelled_images_are_not(
    tmp_path: Path, run: RunFolder
) -> None:
    labelling = begin(tmp_path, run)
    assert asked(labelling) == ["0.png", "1.png", "2.png", "3.png"]
    assert labelling.left == IMAGES
    assert labelling.question.opinion == (("cat", 0.75), ("dog", 0.25))
    assert [row.label for row in labelling.question.neighbours] == ["cat"] * 4
    assert labelling.summary()[-1] == "7 images without a label, 1 that the run has already"


def test_the_head_is_due_after_each_batch_and_the_shown_question_stays(
    tmp_path: Path, run: RunFolder, requests: list[dict[str, Any]]
) -> None:
    labelling = begin(tmp_path, run)
    labelling.answer("relabel", "cat")
    assert not labelling.is_due
    labelling.answer("relabel", "dog")
    assert labelling.is_due
    found = labelling.rank()
    assert not labelling.is_due
    labelling.answer("exclude")  # while it is ranked
    labelling.take(found)
    assert asked(labelling) == ["3.png", "4.png", "5.png"]
    assert labelling.left == IMAGES - 3
    first, second = requests
    assert (first["batch"], first["answers"]) == (4, {})
    assert list(second["answers"].values()) == ["cat", "dog"]


@pytest.mark.usefixtures("requests")
def test_everything_is_asked_once_and_what_is_put_off_at_the_end(
    tmp_path: Path, run: RunFolder
) -> None:
    labelling = begin(tmp_path, run)
    order = []
    while labelling.question:
        order.append(asked(labelling)[0])
        put_off = order[-1] == "1.png" and order.count("1.png") == 1
        labelling.answer(*(("later",) if put_off else ("relabel", "cat")))
        if labelling.is_due:
            labelling.take(labelling.rank())
    assert order == ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png", "6.png", "1.png"]
    assert (labelling.left, labelling.is_due) == (0, False)


@pytest.mark.usefixtures("requests")
def test_answers_are_there_in_the_next_session(tmp_path: Path, run: RunFolder) -> None:
    labelling = begin(tmp_path, run)
    labelling.answer("relabel", "dog")
    labelling.answer("exclude")
    again = begin(tmp_path, run)
    assert asked(again) == ["2.png", "3.png", "4.png", "5.png"]
    assert list(again.given.values()) == ["dog"]
    assert again.undo()
    assert asked(again)[:2] == ["1.png", "2.png"]
    assert again.left == IMAGES - 1
    assert again.undo()
    assert asked(again)[:2] == ["0.png", "1.png"]
    assert not again.undo()


@pytest.mark.usefixtures("requests")
def test_an_answer_taken_back_while_it_is_ranked_is_asked_again(
    tmp_path: Path, run: RunFolder
) -> None:
    labelling = begin(tmp_path, run)
    labelling.answer("relabel", "cat")
    labelling.answer("relabel", "dog")
    found = labelling.rank()
    labelling.undo()
    labelling.undo()
    labelling.take(found)
    assert asked(labelling) == ["0.png", "1.png", "2.png", "3.png", "4.png", "5.png"]
    assert labelling.left == IMAGES


@pytest.mark.usefixtures("requests")
def test_a_session_killed_at_any_byte_loses_the_last_answer_at_most(
    tmp_path: Path, run: RunFolder
) -> None:
    labelling = begin(tmp_path, run)
    for label in ("cat", "dog", "cat"):
        labelling.answer("relabel", label)
    path = labelling.log.path
    content = path.read_bytes()
    for size in range(content.rindex(b"\n", 0, -1) + 1, len(content)):
        path.write_bytes(content[:size])
        torn = Labelling(Workspace(tmp_path), run, tmp_path / "new")
        assert list(torn.given.values())[:2] == ["cat", "dog"]
        assert len(torn.given) in (2, 3)
    torn.log.add(labelling.log.answers[0])
    assert len(ReviewLog(path).answers) == len(torn.log.answers)


@pytest.mark.usefixtures("requests")
def test_the_table_has_the_labelled_images_and_no_other(tmp_path: Path, run: RunFolder) -> None:
    before = {p: p.read_bytes() for p in (tmp_path / "new").iterdir()}
    labelling = begin(tmp_path, run)
    with pytest.raises(UserError, match=r"Nothing in .*new was labelled yet"):
        labelling.write_table()
    labelling.answer("relabel", "dog")
    labelling.answer("exclude")
    labelling.answer("later")
    labelling.answer("relabel", labelling.new_label(" otter "))
    table = labelling.write_table()
    assert table == tmp_path / "data" / "new" / "labelled.csv"
    expected = {str(tmp_path / "pets" / row.path): row.label for row in labelling._rows.values()}
    expected |= {str(tmp_path / "new/0.png"): "dog", str(tmp_path / "new/3.png"): "otter"}
    assert labelled(table) == expected
    assert labelling.labels == ["cat", "dog", "otter"]
    assert labelling.train_arguments(table) == ["train", "--data", str(table)]
    spec = labelling.spec()
    assert (spec.data.source, spec.name) == (str(table), None)
    assert {p: p.read_bytes() for p in (tmp_path / "new").iterdir()} == before


@pytest.mark.usefixtures("requests")
@pytest.mark.parametrize(
    "name", ["line\nbreak.png", "return\rhere.png", 'quote".png', "a,b.png", "esc\x1b[2J.png",
             "d\udcffg.png", " blank.png", "\ufeff.png"]
)  # fmt: skip
def test_any_name_of_a_file_is_read_back(tmp_path: Path, run: RunFolder, name: str) -> None:
    for path in (tmp_path / "new").iterdir():
        path.unlink()
    write_photo(tmp_path / "made.png", 500).rename(tmp_path / "new" / name)
    labelling = begin(tmp_path, run)
    labelling.answer("relabel", "dog")
    assert labelled(labelling.write_table())[str(tmp_path / "new" / name)] == "dog"


@pytest.mark.usefixtures("requests")
def test_groups_of_the_run_are_kept(tmp_path: Path) -> None:
    class_folders(tmp_path / "pets", cat=4, dog=4)
    rows = [f"{label}/{n}.png,{label},g{n}" for label in ("cat", "dog") for n in range(4)]
    table = tmp_path / "pets" / "labels.csv"
    table.write_text("path,label,patient\n" + "\n".join(rows))
    run = make_run(tmp_path, table)
    write_photo(tmp_path / "new" / "0.png", 100)
    labelling = begin(tmp_path, run)
    labelling.answer("relabel", "cat")
    source = open_source(labelling.write_table(tmp_path / "out.csv"))
    groups = {Path(item.path).name: item.group for item in source.items if "pets/cat" in item.path}
    assert groups == {"0.png": "g0", "1.png": "g1", "2.png": "g2", "3.png": "g3"}
    assert [item.group for item in source.items if "new" in item.path] == [""]
    with pytest.raises(UserError, match="cannot be written"):  # it is the run's own
        labelling.write_table(table)
    with pytest.raises(UserError, match=r"ends in \.csv"):
        labelling.write_table(tmp_path / "new" / "0.png")


@pytest.mark.usefixtures("requests")
def test_images_that_disappear_or_cannot_be_read_are_not_asked(
    tmp_path: Path, run: RunFolder
) -> None:
    labelling = begin(tmp_path, run)
    labelling.answer("relabel", "cat")
    (tmp_path / "new" / "5.png").unlink()
    (tmp_path / "new" / "6.png").write_bytes(b"nothing")
    labelling.take(labelling.rank())
    assert asked(labelling) == ["1.png", "2.png", "3.png", "4.png"]
    assert labelling.left == 4
    assert labelling.summary()[-1].endswith("1 that cannot be read")


@pytest.mark.usefixtures("requests")
def test_a_new_label_takes_a_known_spelling_and_is_a_name(tmp_path: Path, run: RunFolder) -> None:
    labelling = begin(tmp_path, run)
    assert labelling.new_label("Cat ") == "cat"
    assert labelling.new_label("sea lion") == "sea lion"
    labelling.answer("relabel", "sea lion")
    assert labelling.new_label("Sea-Lion") == "sea lion"
    for typed in ("", "  ", "a\x1b[2Jb", "a\nb", "x" * 101):
        with pytest.raises(UserError, match="is no label"):
            labelling.new_label(typed)


def test_folders_and_runs_that_cannot_be_used(tmp_path: Path, run: RunFolder) -> None:
    with pytest.raises(UserError, match=r"There is no folder .*gone"):
        Labelling(Workspace(tmp_path), run, tmp_path / "gone")
    run.manifest_path.unlink()
    with pytest.raises(UserError, match="pets-1 has no images yet"):
        Labelling(Workspace(tmp_path), run, tmp_path / "new")
