"""Stages on a base: the frozen prefix is exact, and what was frozen is proven."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from workbench.errors import UserError
from workbench.experiment.plan import Stage, plan_stages
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.toml import apply_settings, parse_spec
from workbench.training.backend import Device
from workbench.training.checkpoint import CheckpointFolder
from workbench.training.data import TrainingData
from workbench.training.features import FeatureStore
from workbench.training.freeze_check import LayerTruth, check_truth
from workbench.training.models import accuracy_for, build_model, loss_for
from workbench.training.order import epoch_order
from workbench.training.position import Stopped
from workbench.training.trainer import Engine

CPU = Device("cpu", "CPU")
SIDE = 32


def make_spec(*settings: str) -> ExperimentSpec:
    tree = {
        "data": {"source": "x", "image_size": [SIDE, SIDE]},
        "base": {"name": "mobilenetv2-0.35", "weights": "random"},
        "model": {"strategy": "feature-extraction", "dense_units": [8], "dropout": 0.5},
        "training": {"batch_size": 8, "epochs": 3, "learning_rate": 0.01, "optimizer": "adam"},
    }
    return parse_spec(apply_settings(tree, settings), "test")


FINE_TUNING = (
    "model.strategy=fine-tuning",
    'base.trainable=["block_16", "top"]',
    "training.head_epochs=2",
    "training.epochs=2",
)


def halves(images: int = 40) -> TrainingData:
    """Noise with a bright upper or lower half, which tells the label."""
    labels = np.arange(images) % 2
    pixels = np.random.default_rng(0).integers(0, 90, (images, SIDE, SIDE, 3), dtype=np.uint8)
    for image, label in zip(pixels, labels, strict=True):
        image[: SIDE // 2] += np.uint8(150 * label)
        image[SIDE // 2 :] += np.uint8(150 * (1 - label))
    rows = np.arange(images)
    split = {"train": rows[:24], "validation": rows[24:32], "test": rows[32:]}
    return TrainingData(pixels, labels.astype(np.int64), rows.astype(np.uint64), split, 2)


def fresh_model(spec: ExperimentSpec) -> keras.Model:
    """With louder layers: signals would fade to nothing in so many with fresh random weights."""
    model = build_model(spec, 2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.gamma.assign(layer.gamma * 3.0)
        if layer.name.startswith("block") and "conv" in layer.name:  # VGG
            layer.kernel.assign(layer.kernel * 1.41)
    return model


@dataclass
class Bench:
    spec: ExperimentSpec
    folder: Path
    data: TrainingData = field(default_factory=halves)
    identity: dict[str, Any] = field(default_factory=lambda: {"weights": "random 1"})
    events: list[dict[str, Any]] = field(default_factory=list)

    def run(self, looks: int = 10**9, resume: bool = False) -> keras.Model:
        model = fresh_model(self.spec)
        (self.folder / "run").mkdir(parents=True, exist_ok=True)
        checkpoints = CheckpointFolder(self.folder / "run")
        store = FeatureStore(
            self.folder, self.identity, "float32" if self.spec.base is None
            else self.spec.base.prefix_dtype, lambda *told: None, self.note,
        )  # fmt: skip
        counted = iter(range(1, 10**9))
        engine = Engine(
            self.spec, model, self.data, CPU, checkpoints, self.tell,
            lambda: next(counted) >= looks, store,
        )  # fmt: skip
        engine.run(self.stages(), checkpoints.load_last()[0] if resume else None)
        return model

    def stages(self) -> tuple[Stage, ...]:
        return plan_stages(self.spec)

    def tell(self, kind: str, /, **fields: Any) -> None:
        self.events.append({"event": kind, **fields})

    def note(self, message: str) -> None:
        self.tell("notice", message=message)

    def notes(self) -> list[str]:
        return [event["message"] for event in self.events if event["event"] == "notice"]

    def history(self) -> list[dict[str, Any]]:
        return [
            {k: v for k, v in event.items() if k != "seconds"}
            for event in self.events
            if event["event"] == "epoch_finished"
        ]

    def layers(self, stage: int) -> dict[str, dict[str, Any]]:
        """The last look at the layers of a stage."""
        told = [e for e in self.events if e["event"] == "layers" and e["stage"] == stage]
        return {row["name"]: row for row in told[-1]["layers"]}


def same_weights(a: keras.Model, b: keras.Model) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))


@pytest.mark.parametrize("settings", [(), FINE_TUNING], ids=["head", "fine-tuning"])
def test_cached_and_streamed_give_the_same_bits(tmp_path: Path, settings: tuple[str, ...]) -> None:
    """Dropout on; the order of images differs from that of the cache."""
    cached = Bench(make_spec(*settings), tmp_path / "cached")
    streamed = Bench(make_spec(*settings, "base.prefix=streamed"), tmp_path / "streamed")
    first, second = cached.run(), streamed.run()
    assert cached.history() == streamed.history()
    assert same_weights(first, second)
    assert list((tmp_path / "cached").glob("features-*.npy"))
    assert not list((tmp_path / "streamed").glob("features-*.npy"))


def test_float16_caches_take_half_the_room_and_nearly_agree(tmp_path: Path) -> None:
    whole = Bench(make_spec(), tmp_path / "float32")
    half = Bench(make_spec("base.prefix_dtype=float16"), tmp_path / "float16")
    whole.run()
    half.run()
    sizes = [
        sum(p.stat().st_size - 128 for p in (tmp_path / name).glob("features-*"))
        for name in ("float32", "float16")
    ]
    assert sizes[0] == 2 * sizes[1]
    assert half.history()[0]["loss"] == pytest.approx(whole.history()[0]["loss"], rel=0.02)


@pytest.mark.parametrize(
    ("trainable", "stage", "rate"),
    [((), 0, 1.0), (("block5",), 1, 0.01)],
    ids=["head", "block5"],
)
def test_the_suffix_agrees_with_the_plain_whole_model(
    tmp_path: Path, trainable: tuple[str, ...], stage: int, rate: float
) -> None:
    """15 steps of SGD without dropout: each step's loss within 1e-5.

    On values from 0 to 1: losses in the hundreds would make a step apart of the last bit of a
    feature, which differs where the whole model runs in batches of another shape.
    """
    settings = ["base.name=vgg16", "base.preprocessing=rescale", "model.dropout=0",
                "training.optimizer=sgd",
                "training.steps_per_epoch=1", "training.epochs=15", "training.batch_size=24",
                "training.keep=last", "model.head=flatten"]  # fmt: skip
    if trainable:
        settings += ["model.strategy=fine-tuning", 'base.trainable=["block5"]']
    spec = make_spec(*settings)
    chosen = replace(plan_stages(spec)[stage], index=0, learning_rate=rate, epochs=15)

    class OneStage(Bench):
        def stages(self) -> tuple[Stage, ...]:
            return (chosen,)

    bench = OneStage(spec, tmp_path)
    bench.run()
    ours = [epoch["loss"] for epoch in bench.history()]

    plain = fresh_model(spec)
    for layer in plain.layers:
        layer.trainable = layer.name in (*chosen.trainable,)
    plain.compile(keras.optimizers.SGD(rate), loss_for(2), metrics=[accuracy_for(2)])
    rows = bench.data.rows["train"]
    theirs = []
    for epoch in range(1, 16):
        batch = rows[epoch_order(len(rows), spec.training.seed, 0, epoch, 1, 24)]
        images = bench.data.images[batch].astype(np.float32)
        theirs.append(float(plain.train_on_batch(images, bench.data.targets(batch))[0]))
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert theirs[-1] < 0.95 * theirs[0]


def test_the_tests_own_features_are_not_nothing() -> None:
    spec = make_spec()
    model = fresh_model(spec)
    features = keras.Model(model.input, model.get_layer("out_relu").output)
    found = features.predict(halves().images.astype(np.float32), verbose=0)
    assert found.std() > 0.05
    assert np.abs(found[0] - found[1]).max() > 0.05


def test_frozen_layers_do_not_move_and_trained_ones_do(tmp_path: Path) -> None:
    bench = Bench(make_spec(*FINE_TUNING), tmp_path)
    before = {layer.name: layer.get_weights() for layer in fresh_model(bench.spec).layers}
    model = bench.run()
    for stage, trained in ((0, {"dense1", "output"}), (1, None)):
        rows = bench.layers(stage)
        moving = {name for name, row in rows.items() if row["requested"] == "trains"}
        if trained is not None:
            assert moving == trained
        assert all(row["compiled"] == row["requested"] for row in rows.values())
        assert all((row["moved"] > 0) == (name in moving) for name, row in rows.items())
    assert {"block_16_expand", "Conv_1"} < moving
    assert "block_16_expand_BN" not in moving
    after = {layer.name: layer.get_weights() for layer in model.layers}
    for name, weights in before.items():
        unchanged = all(np.array_equal(a, b) for a, b in zip(weights, after[name], strict=True))
        assert unchanged == (name not in moving or not weights)


def test_batch_norm_adapts_only_when_asked(tmp_path: Path) -> None:
    bench = Bench(make_spec(*FINE_TUNING, "base.batch_norm=adapt"), tmp_path)
    model = bench.run()
    fresh = fresh_model(bench.spec)
    for name, moved in (("Conv_1_bn", True), ("block_15_expand_BN", False)):
        pairs = zip(
            fresh.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True
        )
        assert any(not np.array_equal(a, b) for a, b in pairs) is moved
        assert (bench.layers(1)[name]["moved"] > 0) is moved


def test_a_toggle_between_stages_is_never_ignored(tmp_path: Path) -> None:
    """Frozen, trained, frozen again: the weights themselves tell."""

    class Toggled(Bench):
        def stages(self) -> tuple[Stage, ...]:
            head, both = plan_stages(self.spec)
            head = replace(head, epochs=1, keep="last")
            both = replace(both, epochs=1, keep="last")
            return (head, both, replace(head, index=2))

    bench = Toggled(make_spec(*FINE_TUNING), tmp_path)
    bench.run()
    moved = [bench.layers(stage)["block_16_expand"]["moved"] for stage in range(3)]
    assert moved[0] == 0 < moved[1]
    assert moved[2] == 0


@pytest.mark.parametrize("looks", [5, 9, 11])
def test_resumed_in_either_stage_it_ends_the_same(tmp_path: Path, looks: int) -> None:
    """3 training steps and 1 validation batch an epoch, two epochs a stage."""
    whole = Bench(make_spec(*FINE_TUNING), tmp_path / "whole")
    expected = whole.run()
    parts = Bench(make_spec(*FINE_TUNING), tmp_path / "parts")
    with pytest.raises(Stopped):
        parts.run(looks)
    found = parts.run(resume=True)
    assert parts.history() == whole.history()
    assert same_weights(expected, found)
    assert parts.layers(1) == whole.layers(1)


def test_nothing_is_computed_twice(tmp_path: Path) -> None:
    first = Bench(make_spec(*FINE_TUNING), tmp_path)
    first.run()
    assert len(first.notes()) == 2  # at two depths
    again = Bench(make_spec(*FINE_TUNING), tmp_path)
    again.run()
    assert again.notes() == []
    head_only = Bench(make_spec(), tmp_path)
    head_only.run()
    assert head_only.notes() == []
    other = Bench(make_spec(), tmp_path, identity={"weights": "another file"})
    other.run()
    assert len(other.notes()) == 1


def test_views_are_made_when_needed_and_used_in_turn(tmp_path: Path) -> None:
    augmented = ("augmentation.rotation=30", "training.epochs=5", "training.keep=last")
    bench = Bench(make_spec(*augmented, "base.views=2"), tmp_path / "two")
    bench.run()
    assert len(list((tmp_path / "two").glob("features-*.npy"))) == 3  # and one of validation
    short = Bench(make_spec(*augmented, "base.views=3", "training.epochs=1"), tmp_path / "one")
    short.run()
    assert len(list((tmp_path / "one").glob("features-*.npy"))) == 2
    fresh = Bench(make_spec(*augmented), tmp_path / "fresh")
    fresh.run()
    assert not list((tmp_path / "fresh").glob("features-*.npy"))
    assert bench.history()[0] == fresh.history()[0]  # the first view is the first epoch's
    assert bench.history()[2] != fresh.history()[2]


def test_a_view_made_while_training_has_the_bits_of_one_made_before(tmp_path: Path) -> None:
    """Whoever is stopped in the epoch that makes a view makes it anew before going on."""
    settings = ("augmentation.rotation=30", "base.views=2", "training.epochs=3")
    whole = Bench(make_spec(*settings), tmp_path / "whole")
    expected = whole.run()
    parts = Bench(make_spec(*settings), tmp_path / "parts")
    with pytest.raises(Stopped):
        parts.run(looks=6)  # 3 steps and a validation batch an epoch: in the second
    assert len(kept(tmp_path / "parts")) == 2  # the first view, and validation
    found = parts.run(resume=True)
    assert parts.history() == whole.history()
    assert same_weights(expected, found)
    assert kept(tmp_path / "parts") == kept(tmp_path / "whole")
    assert len(kept(tmp_path / "whole")) == 3
    counted = Bench(make_spec(*settings, "training.steps_per_epoch=3"), tmp_path / "counted")
    counted.run()  # its epochs may leave images out: views are made before
    assert kept(tmp_path / "counted") == kept(tmp_path / "whole")


@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_a_view_that_is_lost_is_made_again_as_it_was(tmp_path: Path, damage: str) -> None:
    """The third epoch uses the first view again: it must not become a third one."""
    settings = ("augmentation.rotation=30", "base.views=2", "training.epochs=3")
    whole = Bench(make_spec(*settings), tmp_path / "whole")
    expected = whole.run()
    parts = Bench(make_spec(*settings), tmp_path / "parts")
    with pytest.raises(Stopped):
        parts.run(looks=9)  # before the third epoch's first step
    for path in (tmp_path / "parts").glob("features-*.npy"):
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1])
    found = parts.run(resume=True)
    assert same_weights(expected, found)
    made, all_of_them = kept(tmp_path / "parts"), kept(tmp_path / "whole")
    lost = [name for name in made if made[name] != all_of_them[name]]
    assert len(lost) == (0 if damage == "gone" else 1)  # the second view, which nobody read


def kept(folder: Path) -> dict[str, bytes]:
    """The cached outputs by their names."""
    return {path.name: path.read_bytes() for path in folder.glob("features-*.npy")}


def test_all_views_are_told_of_before_the_first_is_made(tmp_path: Path) -> None:
    settings = ("augmentation.rotation=30", "base.views=2", "training.epochs=3")
    bench = Bench(make_spec(*settings), tmp_path)
    bench.run()
    [told] = bench.notes()
    images = {split: len(rows) for split, rows in bench.data.rows.items()}
    assert f"runs once for {2 * images['train'] + images['validation']} images" in told
    again = Bench(make_spec(*settings, "base.views=3"), tmp_path)
    again.run()
    [told] = again.notes()
    assert f"runs once for {images['train']} images" in told  # the third view


def test_a_disk_too_small_is_told_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("workbench.training.features.shutil.disk_usage", lambda path: Usage)
    bench = Bench(make_spec(), tmp_path)
    with pytest.raises(UserError, match=r"need 164 kB, and .* has 1.0 kB free") as caught:
        bench.run()
    assert "base.prefix=streamed" in caught.value.hint
    assert not list(tmp_path.glob("*features*"))


def test_a_cache_cut_off_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("workbench.training.features.train_batches", full)
        with pytest.raises(UserError, match="became full while the prefix's outputs"):
            Bench(make_spec(), tmp_path).run()
    assert not [p for p in tmp_path.iterdir() if "features" in p.name]
    Bench(make_spec(), tmp_path).run()


def test_what_the_truth_means() -> None:
    good = LayerTruth("a", "frozen", "frozen", 0.0)
    assert check_truth([good, LayerTruth("b", "trains", "trains", 0.1)]) == ""
    assert "b should train but did not move" in check_truth(
        [good, LayerTruth("b", "trains", "trains", 0.0)]
    )
    with pytest.raises(UserError, match="1 frozen layers moved, b by 10"):
        check_truth([good, LayerTruth("b", "frozen", "trains", 0.1)])
    with pytest.raises(UserError, match="compiled model has it frozen"):
        check_truth([LayerTruth("b", "trains", "frozen", 0.1)])
