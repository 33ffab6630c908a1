"""The project's own stages, disturbed on a real Slurm, end with the hashes of an undisturbed run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_kit import is_installed

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slurm


@pytest.mark.timeout(1900)
@pytest.mark.skipif(not is_installed(), reason="slurmctld, slurmd, slurm-client and munge are not installed")
def test_real_stages_end_bit_identical():
    """The long form is `make nightly`."""
    command = [sys.executable, str(ROOT / "scripts" / "chaos.py"), "--stages", "real", "--kills", "3", "--seed", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout[: done.stdout.rindex("}") + 1])
    assert summary["in_all"] == 3 and summary["files_compared"] > 100 and summary["different"] == []
