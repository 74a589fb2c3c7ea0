"""The screens in Korean, in a process of their own: a language is chosen once per process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCREENS = Path(__file__).parent / "korean_screens.py"


def test_screens_in_korean() -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", str(SCREENS)]
    environment = {**os.environ, "TESTS_LANGUAGE": "ko"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
