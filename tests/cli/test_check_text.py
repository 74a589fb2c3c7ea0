"""The machine check in words: verdict first, one screen, nothing from outside unmasked."""

import machine_facts
import pytest

from workbench.cli.check import as_tree, detail_lines, summary_lines
from workbench.cli.gauges import gauge_text
from workbench.experiment.estimate import Speed
from workbench.machine.benchmark_store import Figures
from workbench.machine.check import Report
from workbench.machine.diagnosis import diagnose
from workbench.machine.facts import Facts, Gpu, GpuProcess, Nvml, Outcome
from workbench.machine.gpus import CPU
from workbench.machine.live import Gauges

SPEED = Speed(
    forward_flops=2.2e11, training_flops=2.1e11, forward_bytes=1e9, training_bytes=1e9,
    forward_step=1e-3, training_step=1e-3, update=1e-9,
)  # fmt: skip
FIGURES = {
    CPU: Figures(
        device=CPU, kind="cpu", precision="float32", jit=False, speed=SPEED, images_per_second=690
    )
}


def report(facts: Facts) -> Report:
    return Report(facts, diagnose(facts), FIGURES, seconds=9.5)


@pytest.fixture(params=["healthy", "cpu_box"])
def told(request: pytest.FixtureRequest) -> Report:
    return report(getattr(machine_facts, request.param)())


def test_the_verdict_is_the_first_line(told: Report) -> None:
    assert summary_lines(told)[0] == told.diagnosis.verdict


def test_a_screen_of_80_by_24_holds_it(told: Report) -> None:
    lines = summary_lines(told)
    assert len(lines) <= 21  # two more tell of --details, one is the prompt
    assert max(map(len, lines)) < 80


def test_every_finding_has_its_line_to_type_unbroken(told: Report) -> None:
    lines = summary_lines(told)
    for finding in told.diagnosis.findings:
        if finding.remedy:
            assert f"  > {finding.remedy}" in lines


def test_the_box_in_lines(told: Report) -> None:
    text = "\n".join(summary_lines(told))
    assert "CPU 220 GFLOP/s in a convolution, 210 GFLOP/s trained" in text
    assert "690 a second read and resized" in text


def test_details_tell_of_consequences_and_of_every_probe() -> None:
    facts = machine_facts.cpu_box()
    outcome = Outcome(status="hung", detail="after 10 s", stderr="\\e[31mstuck", seconds=10.0)
    facts = facts.model_copy(update={"outcomes": {**facts.outcomes, "libraries": outcome}})
    text = "\n".join(detail_lines(report(facts)))
    assert "Consequences" in text
    assert "libraries  hung" in text
    assert "libraries printed:\n  \\e[31mstuck" in text
    assert "checked in 9.5 s" in text


def test_for_scripts(told: Report) -> None:
    tree = as_tree(told)
    assert tree["exit_code"] == told.diagnosis.exit_code
    assert [f["id"] for f in tree["findings"]] == [f.id for f in told.diagnosis.findings]
    assert tree["figures"][CPU]["speed"]["forward_flops"] == 2.2e11


GIB = 2**30
CARD = Gpu(
    index=0, name="NVIDIA H200", memory_total=140 * GIB, memory_used=70 * GIB, utilization=50,
    temperature=61, processes=(
        GpuProcess(pid=4242, memory=69 * GIB, user="eve\x1b[31m", name="python"),
    ),
)  # fmt: skip
BOX = {"cpu": 25.0, "memory_used": 4 * GIB, "memory_total": 16 * GIB}


def test_gauges() -> None:
    text = gauge_text(Gauges(BOX, Nvml(gpus=(CARD,))))
    assert "cpu     [#####...............]  25 %" in text
    assert "memory  [#####...............] 4.0 of 16.0 GiB" in text
    assert "gpu 0   NVIDIA H200, 70.0 of 140.0 GiB used, 50 % busy, 61 °C" in text
    assert "  use     [##########..........]" in text
    assert "4242  eve\\e[31m  69.0 GiB  python" in text
    assert max(map(len, text.split("\n"))) < 80


def test_gauges_without_a_gpu_and_of_a_driver_that_is_silent() -> None:
    assert "no GPU: Driver Not Loaded" in gauge_text(Gauges(BOX, Nvml(error="Driver Not Loaded")))
    assert "NVML has not answered for 7.0 s." in gauge_text(Gauges(BOX, Nvml(), silent=7.0))


def test_before_the_first_look_nothing_is_claimed() -> None:
    assert gauge_text(Gauges(silent=6.0)) == "waiting for the driver, 6.0 s so far"
