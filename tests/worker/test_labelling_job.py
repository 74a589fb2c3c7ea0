"""`workbench label RUN FOLDER` by real workers: ranked, solved again after answers."""

from pathlib import Path

import numpy as np
import pytest
from person import Person
from PIL import Image

from workbench.analysis.neighbours import nearest
from workbench.app.labelling import Labelling
from workbench.datasets.manifest import ImageRecord
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.worker import labelling as job

NOWHERE = "raise ImportError('keras is not needed')"


def save(path: Path, low: int, high: int, seed: int) -> None:
    path.parent.mkdir(exist_ok=True)
    pixels = np.random.default_rng(seed).integers(low, high, (20, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.mark.worker
def test_a_folder_is_labelled_beside_a_run(probed: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person, tmp_path = probed, probed.workspace
    new = tmp_path / "new"
    for number in range(12):
        save(new / f"dark\x1b[2J{number:02}.png", 10, 70, 100 + number)
        save(new / f"light{number:02}.png", 170, 230, 200 + number)
    save(new / "between.png", 90, 150, 300)
    (new / "copy.png").write_bytes((tmp_path / "photos/dark/dark-3.png").read_bytes())
    (new / "twin.png").write_bytes((new / "light00.png").read_bytes())
    (new / "bad.png").write_bytes(b"nothing")
    before = {path: path.read_bytes() for path in new.iterdir()}

    output = person.types("label", "probe", "new", "--batch", "3", "--csv", "out.csv")
    assert "probe: 60 images, and 0 labelled in" in output
    assert "runs once for 27 images" in output
    assert "25 images without a label, 1 that the run has already, 1 that cannot" in output
    assert "bad.png: " in output
    assert "no table was written" in output
    assert "\x1b" not in output
    assert not (tmp_path / "out.csv").exists()

    # From now on the features are known, and keras is not imported.
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "keras.py").write_text(NOWHERE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "without"))
    run = RunFolder(tmp_path / "saved_models" / "probe")
    labelling = Labelling(Workspace(tmp_path), run, new, batch=25)
    labelling.take(labelling.rank())
    assert len(labelling.queue) == 25
    for one in labelling.queue:
        name = labelling.shown_path(one.images[0])
        if name != "between.png":
            assert one.opinion[0][0] == ("dark" if name.startswith("dark") else "light")
            assert {row.label for row in one.neighbours} == {one.opinion[0][0]}
            assert all((tmp_path / "photos" / row.path).exists() for row in one.neighbours)
    assert labelling.ranking.accuracy == 1.0
    assert "between.png" in [labelling.shown_path(one.images[0]) for one in labelling.queue[:3]]

    labelling.answer("relabel", "grey")
    found = labelling.rank()
    assert found.labels == ("dark", "light")  # the head knows a label from two images on
    assert (found.fitted, found.left) == (60, 24)
    labelling.answer("relabel", "grey")
    gone = next(
        Path(one.images[0].path)
        for one in labelling.queue[1:]
        if not one.images[0].path.endswith(("light00.png", "twin.png"))
    )
    gone.unlink()
    found = labelling.rank()
    assert found.labels == ("dark", "light", "grey")
    assert (found.fitted, found.left) == (62, 22)
    assert str(gone) not in [one.images[0].path for one in found.questions]
    del before[gone]
    assert {path: path.read_bytes() for path in new.iterdir()} == before

    output = person.types("label", "probe", "new", "--list", "--csv", "out.csv")
    assert "Train on them: workbench train --data" in output
    assert (tmp_path / "out.csv").read_text().count("grey") == 2
    output = person.types("label", "probe", "gone", expect=2)
    assert "There is no folder" in output
    (tmp_path / "empty").mkdir()
    assert "There is no image in" in person.types("label", "probe", "empty", expect=2)


def known(features: np.ndarray, own: int) -> job.KnownImages:
    count = len(features)
    return job.KnownImages(features, ["a", "b"] * (count // 2), ["p"] * count, own)


def row(path: str, label: str) -> ImageRecord:
    return ImageRecord(path, label, "train", pixel_hash=path)


def test_the_accuracy_is_of_the_images_of_the_run_alone() -> None:
    rng = np.random.default_rng(1)
    features = rng.normal(size=(40, 3)).astype(np.float32)
    features[:20, 0] += np.where(np.arange(20) % 2, -9, 9)  # of the run: easy; others: noise
    rows = [row(str(at), "ab"[at % 2]) for at in range(20)]
    head = job.solve_head(known(features, 20), rows, lambda *_: None)
    assert (head.accuracy, head.fitted, head.classes) == (1.0, 40, ["a", "b"])
    with pytest.raises(UserError, match="two groups"):
        job.solve_head(known(features[:2], 2), [row("0", "a"), row("0", "b")], lambda *_: None)


@pytest.mark.parametrize(("most", "used"), [(100, 30), (12, 12)])
def test_similarity_is_to_a_bounded_number_of_known_images(
    monkeypatch: pytest.MonkeyPatch, most: int, used: int
) -> None:
    monkeypatch.setattr(job, "REFERENCES", most)
    compared: list[int] = []

    def near(features: np.ndarray, of: np.ndarray, count: int, among: np.ndarray) -> object:
        compared.append(len(among))
        return nearest(features, of, count, among)

    monkeypatch.setattr(job, "nearest", near)
    rng = np.random.default_rng(2)
    images = known(rng.normal(size=(30, 4)).astype(np.float32), 20)
    rows = [row(str(at), "ab"[at % 2]) for at in range(20)]
    head = job.solve_head(images, rows, lambda *_: None)
    unknown = rng.normal(size=(50, 4)).astype(np.float32)
    chosen = job.choose(head, unknown, np.arange(5, 50), images, 8, lambda *_: None)
    assert compared == [used]
    assert len(set(chosen)) == 8
    assert min(chosen) >= 5
    assert job.choose(head, unknown, np.array([], int), images, 8, lambda *_: None) == []
