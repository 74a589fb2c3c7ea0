"""A pass in four processes of which one is killed gives the file of one pass, bit for bit.

KILLED_SHARDS_SEED=7 pytest tests/faults/test_killed_shards.py
"""

import os
import random
import subprocess
import sys
from pathlib import Path

from everything import EVERYTHING

SEED = int(os.environ.get("KILLED_SHARDS_SEED", random.SystemRandom().randrange(10**6)))
KILLS = 50 if EVERYTHING else 10


def test_a_killed_process_leaves_no_wrong_bit(tmp_path: Path) -> None:
    """A process of its own, which imports no keras, so that it can fork."""
    print(f"KILLED_SHARDS_SEED={SEED}")
    script = Path(__file__).with_name("killed_shards.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, str(SEED), str(KILLS)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"{KILLS} killed"), done.stdout
