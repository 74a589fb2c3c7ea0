"""The demo's conclusions follow from its figures."""

from dataclasses import replace

from workbench.cli.train import DemoResult, demo_conclusions, demo_table

SHIFT = 2
DENSE = DemoResult("dense", "demo-dense-1", 0.95, (0.92, 0.97), 268, 0.5, 400_000, 9.6)
CONVNET = DemoResult("convnet", "demo-convnet-1", 0.97, (0.94, 0.99), 268, 0.7, 130_000, 12.2)


def test_the_table_has_a_row_a_network() -> None:
    lines = demo_table([DENSE, CONVNET], SHIFT).splitlines()
    assert lines[1].split() == [
        "dense",
        "0.9500",
        "0.920",
        "to",
        "0.970",
        "0.5000",
        "400,000",
        "10",
    ]
    assert len(lines) == 3


def test_overlapping_intervals_are_no_victory() -> None:
    assert "too close to call on 268 test images" in demo_conclusions(DENSE, CONVNET, SHIFT)[0]


def test_intervals_apart_are_one() -> None:
    better = replace(CONVNET, accuracy=0.99, interval=(0.98, 1.0))
    assert "the convnet network is better" in demo_conclusions(DENSE, better, SHIFT)[0]
    best = replace(DENSE, accuracy=0.999, interval=(0.998, 1.0))
    assert "the dense network is better" in demo_conclusions(best, CONVNET, SHIFT)[0]


def test_what_was_seen_on_shifted_digits_is_reported() -> None:
    line = demo_conclusions(DENSE, CONVNET, SHIFT)[1]
    assert "the convnet gets 70% right, the dense network 50%" in line
    worse = replace(CONVNET, shifted=0.5)
    assert "was not better this time" in demo_conclusions(DENSE, worse, SHIFT)[1]
