"""A backend that misbehaves: python -m fake_backend --report-fd N [--skip STEP] [--known NAME].

FAKE_BACKEND names what goes wrong: "crash gpu:0", "hang gpu:0 jit", "import", "no devices".
"block 1" makes that GPU block every other device, as in TensorFlow.
FAKE_GPUS is how many GPUs it offers; FAKE_STDERR is printed; every GPU step reports FAKE_ERROR.
"""

import argparse
import json
import os
import signal
import sys
import time

SPEED = {
    "forward_flops": 2e11, "training_flops": 2e11, "forward_bytes": 1e10, "training_bytes": 3e9,
    "forward_step": 1e-3, "training_step": 1e-3, "update": 3e-9,
}  # fmt: skip


def main() -> int:
    """Returns the exit code, where it comes to that."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--report-fd", type=int, required=True)
    parser.add_argument("--skip", action="append", default=[])
    parser.add_argument("--known", action="append", default=[])
    parser.add_argument("--steps", default="[]")
    given = parser.parse_args()
    trouble, _, where = os.environ.get("FAKE_BACKEND", "").partition(" ")
    print(os.environ.get("FAKE_STDERR", ""), file=sys.stderr, flush=True)
    if trouble == "import":
        print("ImportError: libfoo.so: cannot open shared object file", file=sys.stderr)
        return 1

    def report(**line: object) -> None:
        os.write(given.report_fd, (json.dumps(line) + "\n").encode("ascii"))

    count = int(os.environ.get("FAKE_GPUS", "0"))
    alone = os.environ.get("CUDA_VISIBLE_DEVICES")
    if alone is not None:
        count = 0 if alone == "-1" else 1
    gpus = [f"gpu:{number}" for number in range(count)]
    devices = [{"id": "cpu:0", "kind": "cpu", "name": "CPU"}]
    card = {"kind": "gpu", "name": "NVIDIA H200", "compute_capability": (9, 0)}
    devices += [{"id": one, **card} for one in gpus]
    versions = {"backend": "tensorflow", "version": "2.21.0", "keras": "3.15.1", "cuda": "12.5.1"}
    report(framework={**versions, "devices": devices})
    for device in ("cpu:0", *gpus):
        ways = {device: (False, "float32")}
        if device != "cpu:0":
            ways |= {f"{device} half": (False, "mixed_float16"), f"{device} jit": (True, "float32")}
        for name, (jit, precision) in ways.items():
            if name in given.skip:
                continue
            report(begin=name)
            if name == where and trouble == "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            if name == where and trouble == "hang":
                time.sleep(600)
            error = os.environ.get("FAKE_ERROR", "") if device != "cpu:0" else ""
            if trouble == "block" and (alone is None or alone == where):
                error = f"InternalError: implicit initialization on GPU:{where} failed"
            step = {"device": device, "jit": jit, "precision": precision, "error": error}
            report(step={**step, "seconds": 0.1, "loss": 0.7, "pace": 1e-3 if jit else 2e-3})
    for device, name in (("cpu:0", "CPU"), *((one, "NVIDIA H200") for one in gpus[:1])):
        if f"{name}, float32, no XLA" not in given.known:
            report(speed={"device": device, "precision": "float32", "jit": False, "speed": SPEED})
    return 0


if __name__ == "__main__":
    sys.exit(main())
