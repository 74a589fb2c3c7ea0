"""The machine check as text: verdict first, one screen, nothing unsafe from outside."""

import machine_facts
import pytest

from workbench.cli.check import as_tree, detail_lines, gauge_text, summary_lines
from workbench.experiment.throughput import ThroughputModel
from workbench.machine.benchmark_store import BenchmarkResult
from workbench.machine.check import MachineReport
from workbench.machine.diagnosis import diagnose
from workbench.machine.facts import Facts, Gpu, GpuProcess, Nvml, ProbeOutcome
from workbench.machine.gpus import CPU
from workbench.machine.live import Gauges

SPEED = ThroughputModel(
    forward_flops=2.2e11, training_flops=2.1e11, forward_bytes=1e9, training_bytes=1e9,
    forward_step=1e-3, training_step=1e-3, update=1e-9,
)  # fmt: skip
FIGURES = {
    CPU: BenchmarkResult(
        device=CPU, kind="cpu", precision="float32", jit=False, speed=SPEED, images_per_second=690
    )
}


def report(facts: Facts) -> MachineReport:
    return MachineReport(facts, diagnose(facts), FIGURES, seconds=9.5)


@pytest.fixture(params=["healthy", "cpu_only_host"])
def checked(request: pytest.FixtureRequest) -> MachineReport:
    return report(getattr(machine_facts, request.param)())


def test_the_verdict_is_the_first_line(checked: MachineReport) -> None:
    assert summary_lines(checked)[0] == checked.diagnosis.verdict


def test_a_screen_of_80_by_24_holds_it(checked: MachineReport) -> None:
    lines = summary_lines(checked)
    assert len(lines) <= 21  # two more name --details, one is the prompt
    assert max(map(len, lines)) < 80


def test_every_finding_has_its_line_to_type_unbroken(checked: MachineReport) -> None:
    lines = summary_lines(checked)
    for finding in checked.diagnosis.findings:
        if finding.remedy:
            assert f"  > {finding.remedy}" in lines


def test_the_machine_in_lines(checked: MachineReport) -> None:
    text = "\n".join(summary_lines(checked))
    assert "CPU 220 GFLOP/s in a convolution, 210 GFLOP/s trained" in text
    assert "690 a second read and resized" in text


def test_details_show_of_consequences_and_of_every_probe() -> None:
    facts = machine_facts.cpu_only_host()
    outcome = ProbeOutcome(status="hung", detail="after 10 s", stderr="\\e[31mstuck", seconds=10.0)
    facts = facts.model_copy(update={"outcomes": {**facts.outcomes, "libraries": outcome}})
    text = "\n".join(detail_lines(report(facts)))
    assert "Consequences" in text
    assert "libraries  hung" in text
    assert "libraries printed:\n  \\e[31mstuck" in text
    assert "checked in 9.5 s" in text


def test_for_scripts(checked: MachineReport) -> None:
    tree = as_tree(checked)
    assert tree["exit_code"] == checked.diagnosis.exit_code
    assert [f["id"] for f in tree["findings"]] == [f.id for f in checked.diagnosis.findings]
    assert tree["figures"][CPU]["speed"]["forward_flops"] == 2.2e11


GIB = 2**30
GPU = Gpu(
    index=0, name="NVIDIA H200", memory_total=140 * GIB, memory_used=70 * GIB, utilization=50,
    temperature=61, processes=(
        GpuProcess(pid=4242, memory=69 * GIB, user="eve\x1b[31m", name="python"),
    ),
)  # fmt: skip
HOST = {"cpu": 25.0, "memory_used": 4 * GIB, "memory_total": 16 * GIB}


def test_gauges() -> None:
    text = gauge_text(Gauges(HOST, Nvml(gpus=(GPU,))))
    assert "cpu     [#####...............]  25 %" in text
    assert "memory  [#####...............] 4.0 of 16.0 GiB" in text
    assert "gpu 0   NVIDIA H200, 70.0 of 140.0 GiB used, 50 % busy, 61 °C" in text
    assert "  use     [##########..........]" in text
    assert "4242  eve\\e[31m  69.0 GiB  python" in text
    assert max(map(len, text.split("\n"))) < 80


def test_gauges_without_a_gpu_and_of_a_driver_that_is_silent() -> None:
    assert "no GPU: Driver Not Loaded" in gauge_text(Gauges(HOST, Nvml(error="Driver Not Loaded")))
    assert "NVML has not answered for 7.0 s." in gauge_text(Gauges(HOST, Nvml(), silent=7.0))


def test_before_the_first_sample_there_is_nothing() -> None:
    assert gauge_text(Gauges(silent=6.0)) == "waiting for the driver, 6.0 s so far"
