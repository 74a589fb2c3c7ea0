"""A preset's own values adapt to a person's: one setting is enough, in commands and app."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from workbench.app.draft import Draft
from workbench.bases.architectures import BASES
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.experiment.fitting import fit_preset
from workbench.experiment.presets import BOOK_FACTS, PRESETS, preset_tree
from workbench.experiment.sections import ModelSpec
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, flat, parse_spec
from workbench.paths import Workspace

PHOTOS = BOOK_FACTS  # of 374 x 499 pixels: fitted to 150 x 150
FEW = replace(PHOTOS, images=200, smallest_class=100)


def own_size(side: int) -> DataFacts:
    return replace(PHOTOS, image_size=(side, side), uniform=True)


def by_command(preset: str, settings: Sequence[str], facts: DataFacts = PHOTOS) -> ExperimentSpec:
    """Return the spec of `train --preset`."""
    own = preset_tree(preset, "/photos", facts)
    given = flat(apply_settings({}, tuple(settings)))
    return parse_spec(fit_preset(own, apply_settings(own, tuple(settings)), given), "--set")


def by_app(preset: str, settings: Sequence[str], facts: DataFacts, root: Path) -> ExperimentSpec:
    """Return the spec of the strategy step with the same keys."""
    draft = Draft(Workspace(root), source=Path("/photos"), facts=facts, preset=preset)
    draft.update(flat(apply_settings({}, tuple(settings))))
    return draft.spec()


CONVOLUTIONS: list[tuple[str, int, list[str], list[int], Any]] = [
    # preset, side of the images, settings, then filters and pooling
    ("convnet", 28, ["model.filters=[32,64]"], [32, 64], True),
    ("convnet", 40, ["model.filters=[32,64]"], [32, 64], True),
    ("convnet", 40, ["model.filters=[8,16,32]"], [8, 16, 32], (True, True, False)),
    ("convnet-augmented", 28, ["model.filters=[32]"], [32], True),
    ("book-mnist", 28, ["model.filters=[32,64]"], [32, 64], True),
    ("book-mnist", 28, ["model.filters=[32,64,64,64]"], [32, 64, 64, 64],
     (True, True, False, False)),
    ("convnet", 28, ["model.filters=[32,64,128,128]"], [32, 64, 128, 128],
     (True, True, False, False)),
    ("convnet", 28, ["model.pooling=[true,false]"], [32, 64], (True, False)),
    ("convnet", 28, ["model.pooling=[true,false,false,false]"], [32, 64, 64, 64],
     (True, False, False, False)),
    ("convnet", 28, ["model.pooling=false"], [32, 64, 64], False),
    ("convnet", 150, ["data.image_size=[28,28]"], [32, 64, 64], (True, True, False)),
    ("convnet", 150, ["data.image_size=[20,40]"], [32, 64], True),
    ("convnet", 28, ["data.image_size=[150,150]"], [32, 64, 128, 128], True),
    ("convnet", 150, ["data.image_size=[28,28]", "model.filters=[8,8]"], [8, 8], True),
    ("book-convnet", 150, ["data.image_size=[28,28]"], [32, 64, 128], True),
    ("book-convnet", 150, ["data.image_size=[64,64]"], [32, 64, 128, 128], True),
    ("book-mnist", 28, ["data.image_size=[14,14]"], [32, 64], (True, True)),
    ("convnet", 150, ["model.kernel_size=11"], [32, 64, 128], True),
    ("convnet", 150, ["model.stride=3"], [32, 64], True),
    ("convnet", 150, ["model.padding=same"], [32, 64, 128, 128], True),
    ("dense", 28, ["model.strategy=convnet"], [32, 64, 64], True),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "side", "settings", "filters", "pooling"), CONVOLUTIONS)
def test_blocks_and_pooling(
    preset: str, side: int, settings: list[str], filters: list[int], pooling: Any, tmp_path: Path
) -> None:
    spec = by_command(preset, settings, own_size(side))
    assert (list(spec.model.filters), spec.model.pooling) == (filters, pooling)
    if "model.strategy=convnet" not in settings:  # which the app has no key for
        assert by_app(preset, settings, own_size(side), tmp_path) == spec


@pytest.mark.parametrize(
    ("facts", "settings", "expected"),
    [
        (PHOTOS, ["train=0.9"], (0.9, 0.05, 0.05)),
        (PHOTOS, ["test=0.5"], (0.411764, 0.088235, 0.5)),
        (PHOTOS, ["test=0.1"], (0.7, 0.15, 0.1)),
        (PHOTOS, ["train=0.5"], (0.5, 0.15, 0.15)),
        (PHOTOS, ["validation=0.2", "test=0.2"], (0.6, 0.2, 0.2)),
        (PHOTOS, ["train=1.0"], (1.0, 0.0, 0.0)),
        (PHOTOS, ["train=1000"], (1000, 214, 214)),
        (PHOTOS, ["train=700", "test=100"], (700, 141, 100)),
    ],
)
def test_parts_of_the_split(
    facts: DataFacts, settings: list[str], expected: tuple[float, ...], tmp_path: Path
) -> None:
    given = [f"data.split.{one}" for one in settings]
    if expected[1] == 0:
        given.append("training.early_stopping=0")
    spec = by_command("convnet", given, facts)
    assert spec.data.split.parts == pytest.approx(expected)
    assert by_app("convnet", given, facts, tmp_path) == spec


@pytest.mark.parametrize(
    ("facts", "setting", "expected"),
    [
        (PHOTOS, "data.split.train=2000", (2000, 500, 500)),
        (PHOTOS, "data.split.train=0.8", (0.8, 0.1, 0.1)),
        (PHOTOS, "data.split.test=0.1", (0.5, 0.25, 0.1)),
        (FEW, "data.split.train=40", (40, 20, 20)),
    ],
)
def test_parts_of_the_books_split(
    facts: DataFacts, setting: str, expected: tuple[float, ...], tmp_path: Path
) -> None:
    spec = by_command("book-convnet", [setting], facts)
    assert spec.data.split.parts == pytest.approx(expected)
    assert by_app("book-convnet", [setting], facts, tmp_path) == spec


@pytest.mark.parametrize("preset", [name for name in PRESETS if name != "linear-probe"])
def test_without_validation_images_nothing_needs_them(preset: str, tmp_path: Path) -> None:
    spec = by_command(preset, ["data.split.validation=0"])
    assert (spec.training.early_stopping, spec.training.keep) == (0, "last")
    assert by_app(preset, ["data.split.validation=0"], PHOTOS, tmp_path) == spec


@pytest.mark.parametrize("preset", ["fine-tuning", "book-fine-tuning"])
@pytest.mark.parametrize("base", BASES)
def test_another_base_has_other_blocks(preset: str, base: str, tmp_path: Path) -> None:
    spec = by_command(preset, [f"base.name={base}"])
    assert list(spec.base.trainable if spec.base else ()) == list(BASES[base].top)
    assert by_app(preset, [f"base.name={base}"], PHOTOS, tmp_path) == spec


def test_without_augmentation_there_are_no_views(tmp_path: Path) -> None:
    off = ["rotation=0.0", "width_shift=0.0", "height_shift=0.0", "zoom=0.0"]
    settings = [f"augmentation.{key}" for key in (*off, "horizontal_flip=false")]
    spec = by_command("feature-extraction-augmented", settings)
    assert spec.base is not None
    assert spec.base.views == 0
    assert by_app("feature-extraction-augmented", settings, PHOTOS, tmp_path) == spec
    spec = by_command("feature-extraction-augmented", settings[:-1])  # flipped still
    assert spec.base is not None
    assert spec.base.views == 10


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("strategy", get_args(ModelSpec.model_fields["strategy"].annotation))
def test_every_preset_in_every_strategy(preset: str, strategy: str) -> None:
    spec = by_command(preset, [f"model.strategy={strategy}"])
    assert spec.model.strategy == strategy
    assert bool(spec.model.filters) == (strategy == "convnet")
    assert (spec.base is not None) == (strategy not in ("dense", "convnet"))
    assert bool(spec.probe.model_fields_set) == (preset == strategy == "linear-probe")


# A value of each key that others depend on.
DEPENDED = [
    "data.image_size=[28,28]", "data.image_size=[150,150]", "model.filters=[16,16]",
    "model.filters=[8,8,8,8,8]", "model.pooling=[true,false]", "model.pooling=false",
    "model.kernel_size=5", "model.padding=same", "model.stride=2", "data.split.validation=0",
    "data.split.train=0.9", "data.split.train=30", "data.split.test=0.4", "data.split.test=20",
    "training.keep=last", "base.name=mobilenetv2-0.35", "base.name=vgg19", "base.prefix=streamed",
    "augmentation.rotation=0.0", "augmentation.vertical_flip=true",
]  # fmt: skip


def counted(setting: str) -> bool:
    return setting in ("data.split.train=30", "data.split.test=20")


def conflict(first: str, second: str) -> bool:
    """Return whether two settings contradict one another in every preset."""
    if {first, second} == {"model.filters=[8,8,8,8,8]", "model.pooling=[true,false]"}:
        return True
    if {first, second} == {"data.split.train=0.9", "data.split.test=0.4"}:
        return True
    parts = [one for one in (first, second) if one.startswith("data.split.t")]
    return len(parts) == 2 and counted(first) != counted(second)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("side", [28, 150])
def test_any_two_settings_fit_in_every_preset_that_has_their_keys(preset: str, side: int) -> None:
    """Settings that a preset accepts one by one, and that do not conflict, it accepts together."""
    facts = own_size(side)
    own = by_command(preset, [], facts)
    steps = own.model.strategy != "linear-probe"
    has = {
        "base": own.base is not None,
        "model": own.model.strategy == "convnet",
        "training": steps,
        "augmentation": steps,
    }
    known = [one for one in DEPENDED if has.get(one.partition(".")[0], True)]
    known = [one for one in known if steps or one != "base.prefix=streamed"]
    tried = 0
    for first in known:
        for second in known:
            same_key = first.partition("=")[0] == second.partition("=")[0]
            if conflict(first, second) or (same_key and first != second):
                continue
            small = own.data.image_size == (28, 28)
            if small and {"model.filters=[8,8,8,8,8]", "model.stride=2"} == {first, second}:
                continue  # which leave nothing of 28 pixels, pooled or not
            if own.base and "data.image_size=[28,28]" in (first, second):
                continue  # smaller than a base can be
            tried += 1
            spec = by_command(preset, [first, second], facts)
            assert isinstance(spec, ExperimentSpec)
    assert tried >= (80 if steps else 50)


def test_what_a_person_sets_is_never_changed() -> None:
    with pytest.raises(UserError, match="pooling has 2 entries for 3 blocks"):
        by_command("convnet", ["model.filters=[8,8,8]", "model.pooling=[true,true]"])
    with pytest.raises(UserError, match="blocks do not fit the image"):
        by_command("convnet", ["data.image_size=[8,8]", "model.filters=[8,8,8,8]"])
    with pytest.raises(UserError, match="early_stopping = 5 needs validation images"):
        by_command("convnet", ["data.split.validation=0", "training.early_stopping=5"])
    with pytest.raises(UserError, match='has no layer "block5"'):
        by_command("fine-tuning", ["base.name=mobilenetv2-1.0", 'base.trainable=["block5"]'])
    with pytest.raises(UserError, match="add up to at most 1"):
        by_command("convnet", ["data.split.train=0.9", "data.split.test=0.4"])


@pytest.mark.parametrize(
    "settings",
    [["model.filters=8"], ["model.filters=[]"], ["model.pooling=[]"], ["data.split=3"],
     ["data.image_size=[28]"], ['data.image_size="28"'], ["model.stride=0"], ["model=3"],
     ["data.split.train=yes"], ["base=3"], ["augmentation=true"], ["training=[]"],
     ["model.kernel_size=0.5"], ["data.split.train=-1"], ["model.filters=[0]"]],
)  # fmt: skip
def test_invalid_values_are_rejected(settings: list[str]) -> None:
    with pytest.raises(UserError):
        by_command("convnet", settings)


def test_without_settings_nothing_changes() -> None:
    for preset in PRESETS:
        own = preset_tree(preset, "/photos", PHOTOS)
        assert fit_preset(own, own, {}) == own


def test_the_app_shows_what_follows_and_keeps_only_what_was_chosen(tmp_path: Path) -> None:
    draft = Draft(Workspace(tmp_path), source=Path("/p"), facts=own_size(28), preset="convnet")
    draft.update({"model.filters": [32, 64]})
    assert draft.values()["model.pooling"] is True
    assert draft.defaults()["model.filters"] == [32, 64, 64]
    assert draft.settings == {"model.filters": [32, 64]}
    draft.update({"model.filters": [32, 64, 64]})
    assert draft.settings == {}
    assert draft.values()["model.pooling"] == [True, True, False]


def test_the_app_reports_conflicts(tmp_path: Path) -> None:
    """Poolings that are the preset's own, beside filters that are not."""
    draft = Draft(Workspace(tmp_path), source=Path("/p"), facts=own_size(28), preset="convnet")
    draft.update({"model.filters": [32, 64]})
    draft.update({"model.pooling": [True, True, False]})
    assert draft.error().startswith("model: pooling has 3 entries for 2 blocks of filters")


def test_a_head_that_is_to_begin_solved_is_linear(tmp_path: Path) -> None:
    settings = ["training.head_start=solved"]
    spec = by_command("fine-tuning", settings)
    assert spec.model.dense_units == ()
    assert "head_epochs" not in spec.training.model_fields_set
    assert by_app("fine-tuning", settings, PHOTOS, tmp_path) == spec
    with pytest.raises(UserError, match="needs a linear head"):
        by_command("fine-tuning", [*settings, "model.dense_units=[8]"])
    with pytest.raises(UserError, match="head_epochs: no effect with a solved head"):
        by_command("fine-tuning", [*settings, "training.head_epochs=3"])
