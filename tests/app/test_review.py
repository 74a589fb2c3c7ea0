"""A review: what is asked, what answers change, and that an undo takes all of it back."""

from pathlib import Path

import numpy as np
import pytest
from image_files import class_folders

from workbench.analysis.errors import PredictionTable
from workbench.app.review import Question, Review, by_loss, opinion
from workbench.datasets.manifest import write_manifest
from workbench.datasets.prepare import prepare
from workbench.errors import UserError
from workbench.experiment.toml import dump_spec, parse_spec
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, create_run


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run on four cats and four dogs."""
    source = class_folders(tmp_path / "pets", cat=4, dog=4)
    tree = {
        "data": {"source": str(source), "image_size": [8, 8]},
        "model": {"strategy": "dense", "dense_units": [4]},
    }
    spec = parse_spec(tree, "test")
    folder = create_run(Workspace(tmp_path), dump_spec(spec), "pets-1", "")
    write_manifest(folder.manifest_path, prepare(spec.data, Workspace(tmp_path)).rows)
    return folder


@pytest.fixture
def review(tmp_path: Path, run: RunFolder) -> Review:
    return Review(Workspace(tmp_path), run)


def table(**cats: float) -> PredictionTable:
    """Predictions of images by path, "cat_0" for cat/0.png: the probability of cat."""
    paths = tuple(f"{name.replace('_', '/')}.png" for name in cats)
    labels = np.array([path.startswith("dog") for path in paths], np.int64)
    probabilities = np.array([(value, 1 - value) for value in cats.values()])
    return PredictionTable(
        ("cat", "dog"), paths, labels, probabilities.argmax(axis=1), probabilities
    )


def paths(questions: list[Question]) -> list[str]:
    return [question.images[0].path for question in questions]


def test_wrong_predictions_are_asked_the_largest_loss_first(review: Review) -> None:
    predictions = table(cat_0=0.4, cat_1=0.9, dog_2=0.95, dog_3=0.2)
    asked = review.ask_about(predictions, by_loss(predictions), {"dog/2.png": ["cat/1.png"]})
    assert paths(asked) == ["dog/2.png", "cat/0.png"]
    assert asked[0].opinion == (("cat", 0.95), ("dog", pytest.approx(0.05)))
    assert [row.path for row in asked[0].neighbours] == ["cat/1.png"]
    assert asked[1].neighbours == ()


def test_the_opinion_has_the_likeliest_labels_and_the_images_own() -> None:
    probabilities = np.array([[0.5, 0.25, 0.125, 0.0625, 0.0625]] * 2)
    labels, names = np.array([4, 1]), ("a", "b", "c", "d", "e")
    predictions = PredictionTable(names, ("1", "2"), labels, np.array([0, 0]), probabilities)
    likeliest = (("a", 0.5), ("b", 0.25), ("c", 0.125))
    assert opinion(predictions, 0) == (*likeliest, ("e", 0.0625))
    assert opinion(predictions, 1) == likeliest


def test_images_of_elsewhere_and_copies_are_not_asked(run: RunFolder, tmp_path: Path) -> None:
    first, copy, *others = Review(Workspace(tmp_path), run).relabeling.rows
    write_manifest(
        run.manifest_path,
        [first, type(copy)(copy.path, copy.label, copy.split, 1, 1, 1, first.pixel_hash), *others],
    )
    review = Review(Workspace(tmp_path), run)
    everything = PredictionTable(
        ("cat", "dog"), (first.path, copy.path, "gone.png"), np.zeros(3, np.int64),
        np.ones(3, np.int64), np.full((3, 2), 0.5),
    )  # fmt: skip
    assert paths(review.ask_about(everything, range(3), {})) == [first.path]


def test_answers_change_labels_and_are_not_asked_again(review: Review, tmp_path: Path) -> None:
    predictions = table(cat_0=0.1, cat_1=0.2, cat_2=0.3, dog_0=0.9)
    asked = review.ask_about(predictions, range(4), {})
    review.answer(asked[0], "keep")
    review.answer(asked[1], "relabel", "dog")
    review.answer(asked[2], "later")
    review.answer(asked[3], "exclude")
    assert review.relabeling.new_labels() == {"cat/1.png": "dog", "dog/0.png": ""}
    assert review.open_questions(asked) == [asked[2]]
    again = Review(Workspace(tmp_path), RunFolder(tmp_path / "saved_models" / "pets-1"))
    assert again.open_questions(asked) == [asked[2]]


def test_what_is_put_off_comes_last_in_the_order_it_was_put_off(review: Review) -> None:
    predictions = table(cat_0=0.1, cat_1=0.2, cat_2=0.3)
    asked = review.ask_about(predictions, range(3), {})
    review.answer(asked[0], "later")
    assert review.open_questions(asked) == [asked[1], asked[2], asked[0]]
    review.answer(asked[1], "later")
    review.answer(asked[0], "later")
    assert review.open_questions(asked) == [asked[2], asked[1], asked[0]]


def test_pairs_leave_out_one_of_them(review: Review) -> None:
    pairs = [("cat/0.png", "cat/1.png"), ("cat/0.png", "gone.png"), ("dog/0.png", "dog/1.png")]
    asked = review.ask_about_copies(pairs)
    assert [[row.path for row in one.images] for one in asked] == [list(pairs[0]), list(pairs[2])]
    review.answer(asked[0], "exclude", of=1)
    review.answer(asked[1], "keep")
    assert review.relabeling.new_labels() == {"cat/1.png": ""}
    assert review.open_questions(asked) == []


def test_undo_restores_the_label_fix_before(review: Review) -> None:
    (question,) = review.ask_about(table(cat_0=0.1), [0], {})
    review.answer(question, "relabel", "dog")
    review.answer(question, "exclude")
    assert review.relabeling.new_labels() == {"cat/0.png": ""}
    assert review.undo() is not None
    assert review.relabeling.new_labels() == {"cat/0.png": "dog"}
    assert review.undo() is not None
    assert review.relabeling.new_labels() == {}
    assert review.open_questions([question]) == [question]
    assert review.undo() is None


def test_an_undo_restores_an_exclusion(review: Review) -> None:
    (question,) = review.ask_about(table(cat_0=0.1), [0], {})
    review.answer(question, "exclude")
    review.answer(question, "relabel", "cat")  # its own label: the fix is gone
    assert review.relabeling.new_labels() == {}
    review.undo()
    assert review.relabeling.new_labels() == {"cat/0.png": ""}


def test_a_label_that_the_data_lacks_is_refused_and_nothing_kept(review: Review) -> None:
    (question,) = review.ask_about(table(cat_0=0.1), [0], {})
    with pytest.raises(UserError, match="no label 'bird'"):
        review.answer(question, "relabel", "bird")
    assert review.open_questions([question]) == [question]
    assert not review.log.path.exists()
