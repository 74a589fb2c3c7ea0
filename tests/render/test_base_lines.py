"""Pretrained networks as lines to choose from."""

import pytest
from rich.cells import cell_len

from workbench.bases.architectures import BASES
from workbench.render import bases
from workbench.render.bases import base_choices


def test_a_line_says_which_weights_need_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases, "present_weights", lambda base, size: base == "vgg16")
    lines = base_choices()
    assert [line.split()[0] for line in lines] == list(BASES)
    assert [line.split()[0] for line in lines if line.endswith(" here")] == ["vgg16"]
    assert max(map(cell_len, lines)) <= 70
