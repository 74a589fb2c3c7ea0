"""Gauges that hang: one look, then silence. FAKE_LIVE=end makes it end instead."""

import json
import os
import time

look = {"box": {"cpu": 5.0, "memory_used": 1, "memory_total": 2}, "nvml": {"driver": "550"}}
print("no JSON at all", flush=True)
print(json.dumps(look), flush=True)
if os.environ.get("FAKE_LIVE") != "end":
    time.sleep(600)
