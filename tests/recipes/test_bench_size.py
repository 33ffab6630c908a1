"""``scripts/bench_size.py`` measures every stage of a database of the asked size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_stage_is_measured_at_the_asked_size(tmp_path):
    script = str(ROOT / "scripts" / "bench_size.py")
    command = [sys.executable, script, "--rows", "3000", "--steps", "5", "--json", str(tmp_path / "sizes.json")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    entries = json.loads((tmp_path / "sizes.json").read_text())["entries"]
    stages = ["prepare", "structure", "absorbing account", "absorbing payment", "sample"]
    assert [entry["stage"] for entry in entries] == stages
    assert all(entry["rows"] == 3000 and entry["seconds"] > 0 and entry["peak_mb"] > 100 for entry in entries)
    trained = {entry["stage"]: entry for entry in entries if "step_rows" in entry}
    assert set(trained) == {"absorbing account", "absorbing payment"}
    assert all(entry["step_rows"] > 0 for entry in trained.values())
