"""CUDA_VISIBLE_DEVICES is read as CUDA reads it."""

import pytest
from machine_facts import gpu, slices

from workbench.machine.gpus import read_visibility, visible_gpus

GPUS = (
    gpu(0, uuid="GPU-aa11"),
    gpu(1, uuid="GPU-aa22"),
    gpu(2, uuid="GPU-cc33", mig=True, mig_devices=slices(3)),
)


@pytest.mark.parametrize(
    ("value", "expected", "invalid"),
    [
        (None, [0, 1, 2], None),
        ("", [], ""),
        (" ", [], ""),
        ("-1", [], "-1"),
        ("none", [], "none"),
        ("NoDevFiles", [], "NoDevFiles"),
        ("0", [0], None),
        ("2,0", [2, 0], None),
        (" 1 , 0 ", [1, 0], None),
        ("0,2,-1,1", [0, 2], "-1"),
        ("0,3,1", [0], "3"),
        ("3,0", [], "3"),
        ("1gpu,+0", [1, 0], None),  # as C reads numbers
        ("²", [], "²"),
        ("99999999999999999999", [], "99999999999999999999"),
        ("1,1", [], "1"),  # twice shows nothing
        ("0,1,0,2", [], "0"),
        ("GPU-cc", [2], None),
        ("GPU-aa", [], "GPU-aa"),  # fits two
        ("GPU-aa1,GPU-aa2", [0, 1], None),
        ("GPU-aa11,GPU-aa1", [], "GPU-aa1"),
        ("gpu-aa11", [], "gpu-aa11"),
        ("GPU-zz,0", [], "GPU-zz"),
        ("MIG-0", [2], None),
        ("MIG-1,MIG-0", [2], None),
        ("MIG-7", [], "MIG-7"),
        ("MIG-", [], "MIG-"),
        ("MIG-GPU-cc33/7/0", [2], None),
        ("MIG-GPU-aa11/7/0", [], "MIG-GPU-aa11/7/0"),  # not in slices
        ("1,", [1], ""),
    ],
)
def test_what_programs_see(value: str | None, expected: list[int], invalid: str | None) -> None:
    found = read_visibility(value, GPUS)
    assert [one.index for one in found.gpus] == expected
    assert found.invalid == invalid
    assert visible_gpus(value, GPUS) == found.gpus


def test_named_slices_are_reported() -> None:
    named = read_visibility("MIG-2,MIG-0", GPUS).slices
    assert [part.uuid[:5] for part in named] == ["MIG-2", "MIG-0"]
    assert not read_visibility("2", GPUS).slices


def test_a_lost_gpu_has_no_name_to_be_called_by() -> None:
    lost = gpu(0, uuid="", error="GPU is lost")
    assert visible_gpus("GPU-", (lost, GPUS[0])) == (GPUS[0],)
    assert visible_gpus("0", ()) == ()
