"""Stages on a base: the frozen prefix is exact, and the weights prove what was frozen."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from tiny_runs import (
    FINE_TUNING,
    NARROW,
    TinyRun,
    base_spec,
    halves,
    lively_model,
    run_on_base,
    same_weights,
)

from workbench.errors import UserError
from workbench.experiment.plan import plan_stages
from workbench.runs.events import CheckedLayer
from workbench.training.data import epoch_order
from workbench.training.freeze_check import check_layers
from workbench.training.models import accuracy_for, loss_for

AUGMENTED = ("augmentation.rotation=30", "training.keep=last")


def cached(folder: Path) -> dict[str, bytes]:
    """Return the feature files that are whole, by name."""
    whole = [path for path in folder.glob("features-*.npy") if ".part" not in path.name]
    return {path.name: path.read_bytes() for path in whole}


Trained = tuple[TinyRun, keras.Model]
IN_ONE_PROCESS = pytest.mark.xdist_group("fine-tuned")


@pytest.fixture(scope="module")
def known() -> dict[str, Trained]:
    """The run of `fine_tuned`, once there is one."""
    return {}


def fine_tuned(folder: Path, known: dict[str, Trained]) -> Trained:
    """Return a run in two stages, without a stop, that several tests look at."""
    if not known:
        run = run_on_base(base_spec(*FINE_TUNING), folder / "whole")
        known["whole"] = run, run.run()
    return known["whole"]


# --- features ---------------------------------------------------------------------------------


@IN_ONE_PROCESS
@pytest.mark.parametrize("settings", [(), FINE_TUNING], ids=["head", "fine-tuning"])
def test_cached_and_streamed_give_the_same_bits(
    tmp_path: Path, known: dict[str, Trained], settings: tuple[str, ...]
) -> None:
    """Dropout on; the order of images differs from that of the cache."""
    if settings:
        first, model = fine_tuned(tmp_path, known)
    else:
        first = run_on_base(base_spec(), tmp_path / "cached")
        model = first.run()
    second = run_on_base(base_spec(*settings, "base.prefix=streamed"), tmp_path / "streamed")
    assert same_weights(model, second.run())
    assert first.history() == second.history()
    assert cached(first.folder)
    assert not cached(tmp_path / "streamed")


def test_float16_caches_need_half_the_space_and_nearly_agree(tmp_path: Path) -> None:
    losses, sizes = [], []
    for dtype in ("float32", "float16"):
        run = run_on_base(base_spec(f"base.prefix_dtype={dtype}"), tmp_path / dtype)
        run.run()
        losses.append(run.history()[0]["loss"])
        sizes.append(sum(len(content) - 128 for content in cached(tmp_path / dtype).values()))
    assert sizes[0] == 2 * sizes[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


@pytest.mark.parametrize(
    ("trainable", "stage", "rate"),
    [((), 0, 1.0), (("block5",), 1, 0.03)],
    ids=["head", "block5"],
)
def test_the_suffix_agrees_with_the_plain_whole_model(
    tmp_path: Path, trainable: tuple[str, ...], stage: int, rate: float
) -> None:
    """15 steps of SGD without dropout: each step's loss within 1e-5.

    On values from 0 to 1: with losses in the hundreds, a step would depend on the last bit of a
    feature, which differs because the whole model runs in batches of another shape.
    """
    settings = [f"base.name={NARROW}", "base.preprocessing=rescale", "model.dropout=0",
                "training.optimizer=sgd",
                "training.steps_per_epoch=1", "training.epochs=15", "training.batch_size=24",
                "training.keep=last", "model.head=flatten"]  # fmt: skip
    if trainable:
        settings += ["model.strategy=fine-tuning", 'base.trainable=["block5"]']
    spec = base_spec(*settings)
    chosen = replace(plan_stages(spec)[stage], index=0, learning_rate=rate, epochs=15)
    run = run_on_base(spec, tmp_path, stages=(chosen,))
    run.run()
    ours = [epoch["loss"] for epoch in run.history()]

    plain = lively_model(spec)
    for layer in plain.layers:
        layer.trainable = layer.name in (*chosen.trainable,)
    plain.compile(keras.optimizers.SGD(rate), loss_for(2), metrics=[accuracy_for(2)])
    rows = run.data.rows["train"]
    theirs = []
    for epoch in range(1, 16):
        batch = rows[epoch_order(len(rows), spec.training.seed, 0, epoch, 1, 24)]
        images = run.data.images[batch].astype(np.float32)
        theirs.append(float(plain.train_on_batch(images, run.data.targets(batch))[0]))
    assert ours == pytest.approx(theirs, abs=1e-5)
    assert theirs[-1] < 0.95 * theirs[0]


def test_the_features_of_these_tests_differ_between_images() -> None:
    model = lively_model(base_spec())
    network = keras.Model(model.input, model.get_layer("out_relu").output)
    features = network.predict(halves().images.astype(np.float32), verbose=0)
    assert features.std() > 0.05
    assert np.abs(features[0] - features[1]).max() > 0.05


def test_nothing_is_computed_twice(tmp_path: Path) -> None:
    settings = ((FINE_TUNING, 2), (FINE_TUNING, 0), ((), 0))  # 2: at two depths
    for given, announced in settings:
        run = run_on_base(base_spec(*given), tmp_path)
        run.run()
        assert len(run.notices()) == announced
    other = run_on_base(base_spec(), tmp_path, identity={"weights": "another file"})
    other.run()
    assert len(other.notices()) == 1


# --- what was frozen --------------------------------------------------------------------------


@IN_ONE_PROCESS
def test_frozen_layers_do_not_move_and_trained_ones_do(
    tmp_path: Path, known: dict[str, Trained]
) -> None:
    run, model = fine_tuned(tmp_path, known)
    before = {layer.name: layer.get_weights() for layer in lively_model(run.spec).layers}
    for stage, trained in ((0, {"dense1", "output"}), (1, None)):
        rows = run.layers(stage)
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


def test_batch_norm_adapts_only_on_request(tmp_path: Path) -> None:
    run = run_on_base(base_spec(*FINE_TUNING, "base.batch_norm=adapt"), tmp_path)
    model = run.run()
    fresh = lively_model(run.spec)
    for name, moved in (("Conv_1_bn", True), ("block_15_expand_BN", False)):
        pairs = zip(
            fresh.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True
        )
        assert any(not np.array_equal(a, b) for a, b in pairs) is moved
        assert (run.layers(1)[name]["moved"] > 0) is moved


def test_a_toggle_between_stages_takes_effect(tmp_path: Path) -> None:
    """Frozen, trained, frozen again, by the weights themselves."""
    spec = base_spec(*FINE_TUNING)
    head, both = (replace(stage, epochs=1, keep="last") for stage in plan_stages(spec))
    run = run_on_base(spec, tmp_path, stages=(head, both, replace(head, index=2)))
    run.run()
    moved = [run.layers(stage)["block_16_expand"]["moved"] for stage in range(3)]
    assert moved[0] == 0 < moved[1]
    assert moved[2] == 0


def checked(name: str, requested: str, compiled: str, moved: float) -> CheckedLayer:
    return CheckedLayer(name=name, requested=requested, compiled=compiled, moved=moved)


def test_the_verdict_on_layers() -> None:
    good = checked("a", "frozen", "frozen", 0.0)
    assert check_layers([good, checked("b", "trains", "trains", 0.1)]) == ""
    assert "b should train but did not move" in check_layers(
        [good, checked("b", "trains", "trains", 0.0)]
    )
    with pytest.raises(UserError, match="1 frozen layers moved, b by 10"):
        check_layers([good, checked("b", "frozen", "trains", 0.1)])
    with pytest.raises(UserError, match="compiled model has it frozen"):
        check_layers([checked("b", "trains", "frozen", 0.1)])


@IN_ONE_PROCESS
def test_resume_in_either_stage_is_exact(tmp_path: Path, known: dict[str, Trained]) -> None:
    """3 training steps and 1 validation batch an epoch, two epochs a stage; stopped three times."""
    whole, expected = fine_tuned(tmp_path, known)
    parts = run_on_base(base_spec(*FINE_TUNING), tmp_path / "parts")
    stops = [parts.run_until(5), *(parts.run_until(check, resume=True) for check in (5, 3))]
    assert [(stop.stage, stop.epoch, stop.step) for stop in stops] == [
        (0, 2, 0), (1, 1, 0), (1, 1, 2),
    ]  # fmt: skip
    assert same_weights(expected, parts.run(resume=True))
    assert parts.history() == whole.history()
    assert parts.layers(1) == whole.layers(1)


# --- views ------------------------------------------------------------------------------------


def test_views_are_computed_when_needed_and_used_in_turn(tmp_path: Path) -> None:
    def run(name: str, *settings: str) -> TinyRun:
        made = run_on_base(base_spec(*AUGMENTED, *settings), tmp_path / name)
        made.run()
        return made

    two = run("two", "training.epochs=5", "base.views=2")
    assert len(cached(tmp_path / "two")) == 3  # and one of validation
    run("one", "training.epochs=1", "base.views=3")
    assert len(cached(tmp_path / "one")) == 2
    fresh = run("fresh", "training.epochs=5")
    assert not cached(tmp_path / "fresh")
    assert two.history()[0] == fresh.history()[0]  # the first view is the first epoch's
    assert two.history()[2] != fresh.history()[2]


def test_a_view_computed_while_training_has_the_bits_of_one_computed_before(tmp_path: Path) -> None:
    """A run stopped in the epoch that computes a view goes on with it after the resume."""
    settings = ("augmentation.rotation=30", "base.views=2", "training.epochs=3")
    whole = run_on_base(base_spec(*settings), tmp_path / "whole")
    expected = whole.run()
    parts = run_on_base(base_spec(*settings), tmp_path / "parts")
    parts.run_until(6)  # 3 steps and a validation batch an epoch: in the second
    assert len(cached(tmp_path / "parts")) == 2  # the first view, and validation
    found = parts.run(resume=True)
    assert parts.history() == whole.history()
    assert same_weights(expected, found)
    assert cached(tmp_path / "parts") == cached(tmp_path / "whole")
    assert len(cached(tmp_path / "whole")) == 3
    counted = run_on_base(base_spec(*settings, "training.steps_per_epoch=3"), tmp_path / "counted")
    counted.run()  # its epochs may leave images out: views are computed before
    assert cached(tmp_path / "counted") == cached(tmp_path / "whole")


@pytest.fixture(scope="module")
def undamaged() -> dict[str, tuple[keras.Model, dict[str, bytes]]]:
    """The run without damage, and its features: computed once for both damages."""
    return {}


@pytest.mark.xdist_group("lost views")
@pytest.mark.parametrize("damage", ["gone", "cut off"])
def test_a_lost_view_is_computed_again_as_it_was(
    tmp_path: Path, undamaged: dict[str, tuple[keras.Model, dict[str, bytes]]], damage: str
) -> None:
    """The third epoch uses the first view again: it must not become a third one."""
    settings = ("augmentation.rotation=30", "base.views=2", "training.epochs=3")
    if not undamaged:
        model = run_on_base(base_spec(*settings), tmp_path / "whole").run()
        undamaged["whole"] = model, cached(tmp_path / "whole")
    expected, whole = undamaged["whole"]
    parts = run_on_base(base_spec(*settings), tmp_path / "parts")
    parts.run_until(9)  # before the third epoch's first step
    for path in (tmp_path / "parts").glob("features-*.npy"):
        if damage == "gone":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1])
    assert same_weights(expected, parts.run(resume=True))
    made = cached(tmp_path / "parts")
    lost = [name for name in made if made[name] != whole[name]]
    assert len(lost) == (0 if damage == "gone" else 1)  # the second view is not needed again


def test_all_views_are_announced_before_the_first_is_computed(tmp_path: Path) -> None:
    settings = ("augmentation.rotation=30", "training.epochs=3")
    run = run_on_base(base_spec(*settings, "base.views=2"), tmp_path)
    run.run()
    images = {split: len(rows) for split, rows in run.data.rows.items()}
    [notice] = run.notices()
    assert f"runs once for {2 * images['train'] + images['validation']} images" in notice
    again = run_on_base(base_spec(*settings, "base.views=3"), tmp_path)
    again.run()
    [notice] = again.notices()
    assert f"runs once for {images['train']} images" in notice  # the third view


# --- full disks -------------------------------------------------------------------------------


def test_a_disk_that_is_too_small_is_reported_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1000

    monkeypatch.setattr("workbench.training.features.shutil.disk_usage", lambda path: Usage)
    with pytest.raises(UserError, match=r"need 164 kB, and .* has 1.0 kB free") as caught:
        run_on_base(base_spec(), tmp_path).run()
    assert "base.prefix=streamed" in caught.value.hint
    assert not list(tmp_path.glob("*features*"))


def test_a_disk_that_becomes_full_leaves_no_features(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("workbench.training.features.train_batches", full)
        with pytest.raises(UserError, match="became full while features were written"):
            run_on_base(base_spec(), tmp_path).run()
    assert not list(tmp_path.glob("features*"))
    run_on_base(base_spec(), tmp_path).run()
