"""The figures in what is said of the inside of a network."""

import re

from workbench.content.concepts import CONCEPTS
from workbench.experiment.receptive import layer_sights
from workbench.experiment.toml import parse_spec


def test_receptive_fields_are_those_of_vgg16() -> None:
    tree = {
        "data": {"source": "x", "image_size": [224, 224]},
        "model": {"strategy": "feature-extraction"},
        "base": {"name": "vgg16"},
    }
    sights = {sight.row.name: sight for sight in layer_sights(parse_spec(tree, "test"), 2)}
    concept = CONCEPTS["receptive-field"]
    told = re.findall(r"(block\w+) +(\d+) +(\d+)", concept.picture)
    assert len(told) == 6
    for name, size, jump in told:
        field = sights[name].field
        assert field is not None
        assert (field.size, field.jump) == (int(size), int(jump))
    assert "212x212 pixels, and its neighbour those 32 further on" in concept.text
    assert sights["block5_conv3"].row.output_shape[:2] == (14, 14)
    assert "14x14 for VGG16" in CONCEPTS["grad-cam"].text
