"""The part of a machine check that imports the framework, kept for the next check.

Nothing of it changes while versions, driver, devices and variables stay as they are. What failed is
not kept, so that the next check sees what was done about it; but that XLA or half precision ends
the process is, as training does without them and each trial costs another start.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from workbench import __version__
from workbench.files import boot_id
from workbench.machine.facts import Facts, Framework, Libraries, Nvml, ProbeOutcome
from workbench.machine.finding import device_works, full_precision, seen_gpus, working_gpus
from workbench.machine.host_facts import System
from workbench.machine.kept import kept_path, software

KEPT_PROBES = ("libraries", "framework")


class KeptCheck(BaseModel, frozen=True):
    """What was found, and when: unix seconds."""

    tried: float
    framework: Framework
    libraries: Libraries
    outcomes: dict[str, ProbeOutcome]


def check_path(
    nvml: Nvml | None, system: System | None, environment: Mapping[str, str] = os.environ
) -> Path:
    """Return the file for a machine as it is now."""
    machine = system or System()
    return kept_path(
        "check",
        {
            "version": __version__,
            "boot": boot_id(),
            "driver": _devices(nvml),
            "system": machine.model_dump(
                mode="json", include={"platform", "cpu", "cores_allowed", "uvm_device", "virtual",
                                      "nvidia_cards", "container"},
            ),
            **software(environment),
        },
        environment,
    )  # fmt: skip


def _devices(nvml: Nvml | None) -> object:
    """Return what NVML reports, without what changes from minute to minute."""
    if nvml is None:
        return None
    gpus = [
        [gpu.uuid, gpu.name, gpu.compute_capability, gpu.mig, [one.uuid for one in gpu.mig_devices]]
        for gpu in nvml.gpus
    ]
    return [nvml.error_code, nvml.driver, gpus]


def worth_keeping(facts: Facts, tried: float) -> KeptCheck | None:
    """Return what to keep of the facts; None where something failed that training needs."""
    framework, libraries = facts.framework, facts.libraries
    if framework is None or libraries is None or not framework.steps:
        return None
    outcomes = {name: facts.outcomes[name] for name in KEPT_PROBES}
    hung = any(one.status == "hung" for one in outcomes.values())
    failed = any(step.error and not step.jit for step in full_precision(framework))
    dead = any(not device_works(facts, device.id) for device in framework.devices)
    unused = bool(seen_gpus(facts)) and not working_gpus(facts)
    if hung or failed or dead or unused:
        return None
    # The speeds have files of their own, and are only replaced by better ones.
    framework = framework.model_copy(update={"speeds": ()})
    return KeptCheck(tried=tried, framework=framework, libraries=libraries, outcomes=outcomes)
