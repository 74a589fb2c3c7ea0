"""Gauges that hang: one report, then silence. FAKE_LIVE=end makes it end instead."""

import json
import os
import sys
import time

report = {"host": {"cpu": 5.0, "memory_used": 1, "memory_total": 2}, "nvml": {"driver": "550"}}
with os.fdopen(int(sys.argv[-1]), "w") as out:
    print("printed text", flush=True)
    print("not JSON at all", file=out, flush=True)
    print(json.dumps(report), file=out, flush=True)
    if os.environ.get("FAKE_LIVE") != "end":
        time.sleep(600)
