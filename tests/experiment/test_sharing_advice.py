"""What a plan and advice say of several devices: bounds by arithmetic, no promise."""

import pytest
from preset_specs import SPEED, preset_spec, trained_head_spec

from workbench.errors import UserError
from workbench.experiment.estimate import make_forecast, stage_seconds
from workbench.experiment.facts import DataFacts
from workbench.experiment.several_devices import advise_devices, describe_sharing
from workbench.experiment.spec import ExperimentSpec
from workbench.text import format_seconds

FACTS = DataFacts((374, 499), False, 3, classes=2, images=4_000, smallest_class=2_000,
                  user_split=False)  # fmt: skip
TWO = "training.devices=2"


def lines(spec: ExperimentSpec, there: int = 0, measured: bool = True) -> list[str]:
    speed = SPEED if measured else None
    return describe_sharing(make_forecast(spec, FACTS, speed), there)


def test_what_is_shared_and_what_it_could_save_at_best() -> None:
    """Half of what grows with the images, and nothing else."""
    spec = preset_spec("book-convnet", TWO, "training.batch_size=33", facts=FACTS)
    forecast = make_forecast(spec, FACTS, SPEED)
    (cost,) = forecast.costs
    alone = stage_seconds(cost, forecast.images, SPEED).epoch
    saved = SPEED.training(cost.training, 100 * 33 // 2, 0)  # an epoch has 100 steps
    first, second = lines(spec)
    assert first == "devices  2 share each batch of 33 images, at most 17 on each"
    assert second == (
        "  stage 1  14 MB of gradients are added up in each step; were that free, an epoch would "
        f"take {format_seconds(alone - saved)} instead of {format_seconds(alone)}; it was not "
        "measured"
    )
    assert lines(spec, measured=False)[1].endswith("in each step; what it saves was not measured")


def test_a_head_above_kept_features_shares_little() -> None:
    head, blocks = lines(trained_head_spec("fine-tuning", TWO, "augmentation.rotation=0"))[1:]
    assert head == (
        "  stage 1  short steps above kept features: little to share; several runs at once "
        "(--queue) use the devices better"
    )
    assert blocks.startswith("  stage 2  ")


def test_one_device_of_several() -> None:
    spec = preset_spec("book-convnet", facts=FACTS)
    assert lines(spec) == lines(spec, there=1) == []
    assert lines(spec, there=4) == [
        "devices  1 of 4 GPUs: several runs with --queue use them all; training.devices = 4 would "
        "share each batch of this one"
    ]
    head = trained_head_spec("feature-extraction")  # above kept features
    assert lines(head, there=4) == ["devices  1 of 4 GPUs: several runs with --queue use them all"]


def test_advice_where_devices_mostly_wait() -> None:
    assert advise_devices(preset_spec("book-convnet", facts=FACTS), 2) is None
    assert advise_devices(preset_spec("book-convnet", TWO, facts=FACTS), 2) is None
    small = advise_devices(preset_spec("book-mnist", TWO), 10)
    assert small is not None
    assert "its networks or images are small" in small.sentence
    assert small.fix == ("training.devices=1",)


@pytest.mark.parametrize(
    ("preset", "settings", "message"),
    [
        ("book-convnet", ("training.gpu=1",), "devices is 2, but gpu = 1 names one GPU"),
        ("fine-tuning", ("base.batch_norm=adapt",), "base.batch_norm = 'adapt' measures whole"),
        ("linear-probe", (), "training.devices: no effect with strategy 'linear-probe'"),
    ],
)
def test_what_several_devices_cannot_do(
    preset: str, settings: tuple[str, ...], message: str
) -> None:
    preset_spec(preset, *settings, facts=FACTS)
    with pytest.raises(UserError) as caught:
        preset_spec(preset, TWO, *settings, facts=FACTS)
    assert message in caught.value.message
