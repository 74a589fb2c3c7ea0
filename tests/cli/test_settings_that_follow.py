"""One `--set` is enough, as the README has it."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from workbench.cli import workbench


@pytest.mark.parametrize("side", [28, 40, 150])
@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("model.filters=[32,64]", "convnet: convnet at {0}x{0}x3"),
        ("data.split.validation=0", "convnet: convnet at {0}x{0}x3"),
        ("data.split.train=0.9", "convnet: convnet at {0}x{0}x3"),
        ("data.image_size=[20,20]", "convnet: convnet at 20x20x3"),
        ("model.strategy=dense", "dense: dense at {0}x{0}x3"),
    ],
)
def test_a_preset_takes_it_at_any_size(
    setting: str, expected: str, side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            image = Image.new("RGB", (side, side), (number * 20, 0, len(label)))
            image.save(tmp_path / "photos" / label / f"{number}.png")
    words = ["plan", "--preset", "convnet", "--data", "photos", "--gpu", "none", "--set", setting]
    done = CliRunner().invoke(workbench, words, prog_name="workbench")
    assert done.exit_code == 0, done.output
    assert done.output.startswith(expected.format(side))
