"""Every variant is a complete spec; requests are plain data, and results survive their file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_lessons import EXAMPLES, results

from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.plan import plan_stages
from workbench.experiment.toml import read_spec, spec_tree
from workbench.lessons.catalogue import (
    LESSONS,
    find_lesson,
    load_results,
    make_request,
    network_facts,
    newest_results,
    parse_seeds,
    results_path,
    save_results,
    write_specs,
)
from workbench.lessons.pretrained import NO_STEP
from workbench.lessons.variants import LessonInputs, convnet
from workbench.paths import Workspace

DIGITS = DataFacts((28, 28), True, 1, 10, 1797, 174, False)
PHOTOS = DataFacts((375, 500), False, 3, 2, 25_000, 12_500, False)
TINY = DataFacts((8, 8), True, 1, 3, 300, 100, False)
MNIST = replace(DIGITS, images=70_000, user_split=True, split_images={"train": 60_000})


def variants(name: str, facts: DataFacts = DIGITS) -> dict[str, Any]:
    return {v.name: v for v in LESSONS[name].variants(LessonInputs("/images", facts))}


def difference(name: str, first: str, second: str) -> set[str]:
    """Keys of the specs in which two variants differ."""

    def flat(tree: Any, above: str = "") -> dict[str, Any]:
        if not isinstance(tree, dict):
            return {above: tree}
        return {k: v for key, sub in tree.items() for k, v in flat(sub, f"{above}.{key}").items()}

    made = variants(name)
    one, other = flat(spec_tree(made[first].spec)), flat(spec_tree(made[second].spec))
    return {k for k in one.keys() | other.keys() if one.get(k) != other.get(k)}


@pytest.mark.parametrize("facts", [DIGITS, PHOTOS, TINY, MNIST])
@pytest.mark.parametrize("name", LESSONS)
def test_they_share_images_and_keep_the_last_epoch(name: str, facts: DataFacts) -> None:
    made = list(variants(name, facts).values())
    assert len({v.spec.data for v in made}) == 1
    assert all(v.spec.training.keep == "last" for v in made)
    assert all(v.spec.training.early_stopping == 0 for v in made)
    assert all((v.spec.base is not None) == LESSONS[name].needs_base for v in made)
    assert max(made[0].spec.data.image_size) <= 64


def test_small_images_keep_their_size_and_large_ones_shrink() -> None:
    sizes = [variants("pooling", f)["pooling"].spec.data.image_size for f in (DIGITS, PHOTOS, TINY)]
    assert sizes == [(28, 28), (64, 64), (8, 8)]


@pytest.mark.parametrize(
    ("name", "first", "second", "keys"),
    [
        ("borders", "valid", "same", {".model.padding"}),
        ("pooling", "pooling", "no pooling", {".model.pooling"}),
        ("overfitting", "none", "dropout", {".model.dropout"}),
        ("how-much-data", "5 a class", "80 a class", set()),
        ("preprocessing", "own", "1/255", {".base.preprocessing"}),
        ("two-ways", "cached", "streamed", {".base.prefix"}),
        ("depth", "upper blocks", "lower blocks", {".base.trainable"}),
        ("head-first", "head first", "at once",
         {".training.head_epochs", ".training.head_learning_rate"}),
    ],
)  # fmt: skip
def test_only_the_subject_of_the_lesson_differs(
    name: str, first: str, second: str, keys: set[str]
) -> None:
    assert difference(name, first, second) == keys


def test_both_remedies_are_both() -> None:
    both = variants("overfitting")["both"].spec
    assert both.model.dropout == variants("overfitting")["dropout"].spec.model.dropout > 0
    assert both.augmentation == variants("overfitting")["augmentation"].spec.augmentation
    assert both.augmentation.active


def test_an_untrained_head_is_a_step_that_float32_cannot_take() -> None:
    stages = plan_stages(variants("head-first")["at once"].spec)
    assert stages[0].epochs == 1
    assert stages[0].learning_rate == NO_STEP
    assert stages[1].epochs == plan_stages(variants("head-first")["head first"].spec)[1].epochs


@pytest.mark.parametrize(
    ("facts", "sizes"),
    [
        (DIGITS, [5, 10, 20, 40, 80]),
        (PHOTOS, [25, 50, 100, 200, 400]),
        (replace(DIGITS, smallest_class=20), [5, 10]),
        (MNIST, [5, 10, 20, 40, 80]),
        (replace(MNIST, split_images={"train": 125}), [5, 10]),
    ],
)
def test_sizes_are_those_that_there_are_images_for(facts: DataFacts, sizes: list[int]) -> None:
    assert [v.per_class for v in variants("how-much-data", facts).values()] == sizes


@pytest.mark.parametrize(
    "facts", [replace(DIGITS, smallest_class=19), replace(MNIST, split_images={"train": 124})]
)
def test_too_few_images_for_two_sizes_are_refused(facts: DataFacts) -> None:
    with pytest.raises(UserError, match="About 9 training images a class are too few"):
        variants("how-much-data", facts)


def test_an_unknown_lesson_is_refused_with_the_list() -> None:
    with pytest.raises(UserError) as refused:
        find_lesson("transaltion")
    assert all(name in refused.value.message for name in LESSONS)
    assert refused.value.hint == "Did you mean translation?"
    assert find_lesson("depth") is LESSONS["depth"]


def test_seeds() -> None:
    assert parse_seeds("1") == (1,)
    assert parse_seeds("3, 1,2") == (3, 1, 2)
    assert parse_seeds(",".join(map(str, range(10)))) == tuple(range(10))


@pytest.mark.parametrize(
    "text", ["", "a", "1,", "-1", "1.5", "1,1", "²", "1" * 10, ",".join(map(str, range(11)))]
)
def test_seeds_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--seeds takes"):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("pooled", "stride", "field"),
    [
        ((False,), 1, 3),
        ((True,), 1, 4),
        ((False, False, False), 1, 7),
        ((True, True, False), 1, 18),
        ((False, False, False), 2, 15),
    ],
)
def test_receptive_field(pooled: tuple[bool, ...], stride: int, field: int) -> None:
    """By hand: a window of 3 adds 2 steps, a pool of 2 one; strides and pools widen the step."""
    model = {"filters": [4] * len(pooled), "pooling": list(pooled), "stride": stride}
    spec = convnet(LessonInputs("/images", PHOTOS), {"model": {"padding": "valid", **model}})
    assert network_facts(spec, 2)["receptive_field"] == field


def test_facts_are_those_of_the_network() -> None:
    made = variants("borders")
    assert network_facts(made["valid"].spec, 10)["sizes"].startswith(
        "28x28x1 > 26x26x16 > 13x13x16"
    )
    assert network_facts(made["same, stride 2"].spec, 10)["sizes"] == (
        "28x28x1 > 14x14x16 > 7x7x32 > 4x4x32"
    )
    assert network_facts(variants("translation")["dense"].spec, 10) == {"parameters": 101_770}


def test_specs_are_written_for_train(tmp_path: Path) -> None:
    experiment = LESSONS["preprocessing"]
    made = experiment.variants(LessonInputs("/images", DIGITS))
    paths = write_specs(tmp_path / "specs", experiment, made)
    assert [p.name for p in paths] == ["preprocessing-own.toml", "preprocessing-1-255.toml"]
    assert [read_spec(path) for path in paths] == [v.spec for v in made]
    assert "50 images a class" in paths[0].read_text()
    with pytest.raises(UserError, match="exists already"):
        write_specs(tmp_path / "specs", experiment, made)


def test_the_request_is_plain_data(tmp_path: Path) -> None:
    experiment = LESSONS["pooling"]
    made = experiment.variants(LessonInputs("/images", DIGITS))
    request = make_request(experiment, made, (1, 2), tmp_path)
    assert (request["experiment"], request["seeds"]) == ("pooling", [1, 2])
    assert [v["name"] for v in request["variants"]] == ["pooling", "no pooling"]
    assert request["variants"][1]["spec"]["model"]["pooling"] is False


def test_results_are_loaded_as_they_were(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    for name, runs in EXAMPLES.items():
        made = results(name, runs)
        path = save_results(workspace, made)
        assert path.parent == tmp_path / "saved_models" / ".learn"
        assert load_results(path) == made
        assert newest_results(workspace, name) == made


def test_digits_have_a_plain_name_and_paths_a_mark(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)

    def name(data: str, source: str) -> str:
        return results_path(workspace, "depth", data, Path(source)).name

    assert name("digits", str(workspace.data / "digits" / "source")) == "depth-digits.json"
    assert name("digits", "/here/digits").startswith("depth-digits-")
    one, other = name("a/photos", "/x/a/photos"), name("b/photos", "/x/b/photos")
    assert one.startswith("depth-photos-")
    assert one != other
    assert name("/x/..", "/x/..").startswith("depth-data-")
    assert "/" not in name("/x/\x1b[31m/ü", "/x/ü")


def test_the_newest_is_shown_for_any_images(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    digits = save_results(workspace, results("pooling", EXAMPLES["pooling"]))
    photos = results_path(workspace, "pooling", "photos/", tmp_path)
    photos.write_text(digits.read_text().replace('"digits"', '"photos/"'))
    os.utime(photos, ns=(1, 1))
    newest = newest_results(workspace, "pooling")
    assert newest is not None
    assert newest.data == "digits"
    os.utime(digits, ns=(0, 0))
    newest = newest_results(workspace, "pooling")
    assert newest is not None
    assert newest.data == "photos/"


def test_what_lacks_a_figure_is_none(tmp_path: Path) -> None:
    path = save_results(Workspace(tmp_path), results("pooling", EXAMPLES["pooling"]))
    content = path.read_text()
    assert load_results(path) is not None
    for figure in ("right", "parameters", "epochs", "test"):
        path.write_text(content.replace(f'"{figure}"', '"other"'))
        assert load_results(path) is None


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"format": 2}', '{"format": 1, "experiment": "pooling", "runs": {"a": 1}}'],
)
def test_what_is_damaged_is_none(tmp_path: Path, content: str) -> None:
    workspace = Workspace(tmp_path)
    path = save_results(workspace, results("pooling", EXAMPLES["pooling"]))
    path.write_text(content)
    assert load_results(path) is None
    assert newest_results(workspace, "pooling") is None
    assert load_results(tmp_path / "gone.json") is None
