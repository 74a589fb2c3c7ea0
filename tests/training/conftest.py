"""Fixtures of the tests that train."""

from collections.abc import Iterator

import pytest
from tiny_runs import BASE, NARROW, narrow_vgg16, short_mobilenet

from workbench.bases.architectures import BASES


@pytest.fixture(autouse=True)
def one_step_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop can come before every step; how many steps a call takes depends on the time else."""
    monkeypatch.setattr("workbench.training.fused_steps.CALL_SECONDS", 0.0)


@pytest.fixture(autouse=True, scope="module")
def _own_bases() -> Iterator[None]:
    """Offer the bases of tiny runs, to these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BASES, BASE, short_mobilenet())
        patch.setitem(BASES, NARROW, narrow_vgg16())
        yield
