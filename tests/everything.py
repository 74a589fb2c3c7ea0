"""What each run of the tests leaves out, since it shows the same on another network, framework
or machine.

`make faults` runs all of it, with FAULTS=all.
"""

import os

import pytest

from workbench.bases.architectures import BASES

EVERYTHING = os.environ.get("FAULTS") == "all"
with_all = pytest.mark.skipif(not EVERYTHING, reason="runs with FAULTS=all")
# They have every kind of layer that any base has.
EVERY_KIND_OF_LAYER = ("efficientnetv2-b0", "densenet121", "xception", "convnext-tiny")
BUILT = list(BASES) if EVERYTHING else list(EVERY_KIND_OF_LAYER)
