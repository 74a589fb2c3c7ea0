"""A spec rejects invalid values with the file, the key, the value and what is allowed."""

import tomllib
from pathlib import Path
from typing import get_args

import pytest

from workbench.errors import UserError
from workbench.experiment.optimizers import OPTIMIZERS
from workbench.experiment.spec import ExperimentSpec
from workbench.experiment.spec_keys import keys
from workbench.experiment.toml import apply_settings, dump_spec, parse_spec, read_spec, spec_tree
from workbench.experiment.training_section import TrainingSpec

CONVNET = {
    "data": {"source": "photos"},
    "model": {"strategy": "convnet", "filters": [32, 64]},
}


def parse(*settings: str) -> ExperimentSpec:
    return parse_spec(apply_settings(CONVNET, settings), "spec.toml")


def refusal(*settings: str) -> str:
    with pytest.raises(UserError) as caught:
        parse(*settings)
    return caught.value.message


def test_defaults_are_written_out_and_read_back_the_same() -> None:
    spec = parse("training.batch_size=64", "data.split.train=1000", "data.split.validation=500",
                 "data.split.test=500", "model.pooling=[true, false]")  # fmt: skip
    text = dump_spec(spec)
    assert "image_size = [150, 150]" in text
    assert 'optimizer = "rmsprop"' in text
    assert parse_spec(tomllib.loads(text), "again") == spec


def test_the_dense_baseline_is_written_without_convolutions() -> None:
    dense = parse_spec({"data": {"source": "x"}, "model": {"strategy": "dense"}}, "x")
    text = dump_spec(dense)
    assert "filters" not in text
    assert "pooling" not in text
    assert parse_spec(tomllib.loads(text), "again") == dense


FOUR_BLOCKS = "model.filters=[32, 64, 128, 128]"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["training.batchsize=3"],
         "spec.toml: training.batchsize: unknown key. Did you mean 'batch_size'? "
         "Allowed in [training]: optimizer, learning_rate"),
        (["trainning.epochs=3"],
         "trainning: unknown key. Did you mean 'training'? Allowed at the top:"),
        (["epochs=3"], "epochs: unknown key. Did you mean 'training.epochs'?"),
        (["epoch=3"], "epoch: unknown key. Did you mean 'training.epochs'?"),
        (["preset=vgg"], "preset: received 'vgg'; allowed: dense, convnet"),
        (["training.batch_size=abc"],
         "training.batch_size: received 'abc'; allowed: a whole number"),
        (["training.batch_size=0"], "received 0; allowed: a whole number from 1 to 65,536."),
        (["training.epochs=1.5"], "training.epochs: received 1.5; allowed: a whole number"),
        (["training.epochs=true"], "training.epochs: received True; allowed: a whole number"),
        (["training.learning_rate=0"], "received 0; allowed: a number above 0 and at most 10."),
        (["training.learning_rate=nan"], "training.learning_rate: received nan"),
        (["training.optimizer=none-such"], "allowed: 'rmsprop', 'adam', 'adamw' or 'sgd'."),
        (["training.momentum=0.9"], "momentum is 0.9, but rmsprop has none: no effect"),
        (["training.optimizer=adam", "training.weight_decay=0.1"], "set optimizer = adamw or sgd."),
        (["training.schedule=plateau", "training.warmup_epochs=1"], "lowers the rate by what it"),
        (["training.unfreeze=gradual"], "training.unfreeze: no effect with strategy"),
        (["training.layer_decay=0.5"], "training.layer_decay: no effect with strategy"),
        (["augmentation.random_crop=1.5"], "received 1.5; allowed: a number from 0 to 1."),
        (["data.channels=2"], "data.channels: received 2; allowed: 1 or 3."),
        (["data.image_size=[4, 8]"], "received 4 (entry 1); allowed: a list of 2"),
        (["data.resize=squash"], "allowed: 'stretch', 'crop' or 'pad'."),
        (["data.corrections=c.csv"], "data.corrections: received 'c.csv'; allowed: a path that"),
        (["model.filters=[32, 0]"], "model.filters: received 0 (entry 2)"),
        (["model.dropout=0.95"], "model.dropout: received 0.95; allowed: a number from 0 to 0.9."),
        (["augmentation.rotation=181"], "allowed: a number from 0 to 180."),
        (["name=../elsewhere"], "name: received '../elsewhere'; allowed: up to 64 letters"),
        (["data=3"], "data: received 3; allowed: a table of keys: source, image_size"),
        (["data.split.train=1000"], "not both: [1000, 0.15, 0.15]"),
        (["data.split.train=0.8"], "train 0.8 + validation 0.15 + test 0.15 make 1.1"),
        (["data.split.train=0.0"], "train is 0"),
        (["data.split.validation=0", "training.early_stopping=3"],
         "early_stopping = 3 needs validation images"),
        (["model.strategy=dense"], "filters: no effect in the dense baseline"),
        (["model.filters=[]"], "filters is missing"),
        (["model.pooling=[true]"], "pooling has 1 entries for 2 blocks"),
        (["data.image_size=[8, 8]", FOUR_BLOCKS],
         "input 8x8x3 → conv1 6x6x32 → pool1 3x3x32 → conv2 1x1x64, and the 2x2 window of pool2 "
         "does not fit any more"),
        (["data.image_size=[45, 46]", FOUR_BLOCKS], "do not fit"),
        (["data.image_size=[20, 30]", "evaluation.shift=20"], "smaller than the shorter side"),
    ],
)  # fmt: skip
def test_refusals(settings: list[str], message: str) -> None:
    assert message in refusal(*settings)


@pytest.mark.parametrize(
    "settings",
    [
        ["data.split.train=0.7", "data.split.validation=0.2", "data.split.test=0.1"],
        ["data.split.validation=0.0", "training.keep=last"],
        ["data.image_size=[46, 46]", FOUR_BLOCKS],
        ["data.image_size=[20, 30]", "evaluation.shift=19"],
        ["preset=convnet"],
    ],
)
def test_values_at_the_limits_are_allowed(settings: list[str]) -> None:
    parse(*settings)


@pytest.mark.parametrize(
    ("key", "low", "high"),
    [
        ("training.batch_size", "1", "65536"),
        ("model.dropout", "0", "0.9"),
        ("model.stride", "1", "8"),
        ("augmentation.shear", "0", "60"),
        ("evaluation.shift", "0", "64"),
    ],
)
def test_bounds_themselves_are_allowed(key: str, low: str, high: str) -> None:
    parse(f"{key}={low}")
    parse(f"{key}={high}", "model.padding=same")


def test_all_errors_are_reported_at_once() -> None:
    message = refusal("training.batch_size=0", "data.channels=2")
    assert len(message.splitlines()) == 2


def test_missing_keys() -> None:
    with pytest.raises(UserError, match=r"data: missing") as caught:
        parse_spec({"model": {"strategy": "dense"}}, "spec.toml")
    assert "source" in caught.value.message


def test_one_image_of_a_class_is_a_count_and_1_0_is_all_of_them() -> None:
    counts = parse("data.split.train=5", "data.split.validation=1", "data.split.test=1")
    assert counts.data.split.counts
    for one in ("1", "1.0"):  # beside zeros it is no image of each class
        everything = (f"data.split.train={one}", "data.split.validation=0", "data.split.test=0")
        assert not parse(*everything, "training.keep=last").data.split.counts
    assert parse(
        "data.split.train=1", "data.split.validation=1", "data.split.test=0"
    ).data.split.counts


def test_every_key_is_listed() -> None:
    listed = keys()
    assert {"name", "data.source", "data.split.train", "training.jit"} <= set(listed)
    assert not any(key in listed for key in ("data", "data.split", "training"))


@pytest.mark.parametrize("setting", ["training.epochs", "=3", "name.first=3x"])
def test_invalid_settings(setting: str) -> None:
    with pytest.raises(UserError):
        parse("name=a", setting)


def test_set_reaches_every_key() -> None:
    """Each leaf of the schema can be set to the value that it has."""
    tree = spec_tree(parse())
    for table, entries in tree.items():
        for key, value in entries.items():
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                assert parse(f"{table}.{key}={value}") == parse()


def test_files(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot read the spec .*: No such file"):
        read_spec(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("[data\n")
    with pytest.raises(UserError, match=r"broken.toml is not TOML: .*line 1"):
        read_spec(broken)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="UTF-16 or UTF-32"):
        read_spec(binary)


def test_hostile_strings_reach_no_terminal() -> None:
    assert "\x1b" not in refusal("training.optimizer=\x1b[31mred")
    assert "\x1b" not in refusal("\x1b[31m.x=3")


def test_every_optimizer_is_in_the_table() -> None:
    assert get_args(TrainingSpec.model_fields["optimizer"].annotation) == tuple(OPTIMIZERS)
