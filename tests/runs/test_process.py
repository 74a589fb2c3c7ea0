"""The last lines of a worker's output, and how it exited."""

from pathlib import Path

import pytest

from workbench.runs.process import LOG_LINES, last_lines

LIBRARY_OUTPUT = """\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1769860800.123456    4711 port.cc:153] oneDNN custom operations are on.
W0000 00:00:1769860800.123456    4711 gpu_device.cc:2342] Cannot dlopen some GPU libraries.
2026-01-31 12:00:00.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] Optimized.
To enable the following instructions: AVX2 FMA, in other operations, rebuild TensorFlow.
2026-01-31 12:00:00.123456: W tensorflow/core/framework/cpu_allocator_impl.cc:83] Exceeds 10%.
I tensorflow/core/common_runtime/gpu/gpu_device.cc:1] Created device.
E0000 00:00:1769860800.123456    4711 cuda_dnn.cc:8310] Unable to register cuDNN factory.
2026-01-31 12:00:00.5: E external/local_xla/xla/cuda_fft.cc:485] Unable to register cuFFT factory.
2026-01-31 12:00:00.5: E external/local_xla/xla/cuda_driver.cc:152] failed call to cuInit: 303
"""
CAUSES = """\
E0000 00:00:1769860800.123456    4711 cuda_driver.cc:1158] failed to allocate 10.00GiB
2026-01-31 12:00:00.5: E external/local_xla/xla/cuda_driver.cc:1] CUDA_ERROR_OUT_OF_MEMORY
F0000 00:00:1769860800.123456    4711 threadpool.cc:1] Check failed: ret == 0
Fatal Python error: Segmentation fault
  File "engine.py", line 3 in fit
In all, 3 images were read
"""


@pytest.mark.parametrize("line", LIBRARY_OUTPUT.splitlines())
def test_library_output_is_omitted(tmp_path: Path, line: str) -> None:
    log = tmp_path / "worker.log"
    log.write_text(f"{line}\n \nKilled\n{line}\n")
    assert last_lines(log) == ["Killed"]


@pytest.mark.parametrize("line", CAUSES.splitlines())
def test_possible_causes_are_kept(tmp_path: Path, line: str) -> None:
    log = tmp_path / "worker.log"
    log.write_text(LIBRARY_OUTPUT + line)
    assert last_lines(log) == [line]


def test_last_lines_are_limited_to_this_session(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    log.write_text("before\n" + "".join(f"{n}\n" for n in range(LOG_LINES + 1)))
    assert last_lines(log)[0] == "1"
    assert last_lines(log, start=len("before\n0\n1\n"))[0] == "2"
    assert last_lines(tmp_path / "none") == []
