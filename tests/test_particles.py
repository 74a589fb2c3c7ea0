"""Korean particles behind values, and that English has none."""

import pytest

from workbench.messages import tr
from workbench.particles import fit_particles


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("이미지 90개(으)로", "이미지 90개로"),
        ("조건(으)로, 열(으)로", "조건으로, 열로"),
        ("1e-05(으)로, 10(으)로, 8(으)로, 6(으)로", "1e-05로, 10으로, 8로, 6으로"),
        ("EfficientNet-Lite0을(를)", "EfficientNet-Lite0을"),
        ("TensorFlow이(가)", "TensorFlow가"),
        ("linear-probe은(는)", "linear-probe는"),
        ("convnet은(는) test을(를)", "convnet은 test를"),
        ("model이(가) layer와(과)", "model이 layer와"),
        ("'x'이(가) 컨테이너(docker)은(는)", "'x'가 컨테이너(docker)는"),
        ("70 %을(를)", "70 %를"),
        ("…은(는)", "…은(는)"),  # unknown
        ("이(가) 없어졌습니다", "이(가) 없어졌습니다"),
        ("plain (text)", "plain (text)"),
    ],
)
def test_the_particle_fits_the_word_before_it(text: str, expected: str) -> None:
    assert fit_particles(text) == expected


def test_english_stays_as_it_is() -> None:
    assert tr("{name} (으)로", name="a") == "a (으)로"
