"""A study whose client left: the last stage of a trial, in its job, asks for the next one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_kit import DevCluster, wait_until

pytest.importorskip("optuna")
pytestmark = pytest.mark.slurm

# Real stages: a trial is a launch of the package's own. All stages of a trial run in one job.
STAGES = "prepare,structure,absorbing,sample,evaluate,report"
SMALL = (
    "dataset=folder", "dataset.path=data", "dataset.name=people", "experiment=quickstart", "cluster=devcluster",
    f"cluster.fuse=[{STAGES}]", "~evaluation.metrics.c2st", "~evaluation.metrics.c2st_agg",
    "training.absorbing.steps=4", "evaluation.comparisons=[synthetic]",
)  # fmt: skip


def write_people(folder: Path) -> None:
    """Write one small table below a folder."""
    (folder / "data").mkdir()
    rows = "".join(f"{n},{100 + n % 17}.5,{'ab'[n % 2]}\n" for n in range(80))
    (folder / "data" / "people.csv").write_text(f"id,pay,kind\n{rows}")


@pytest.mark.timeout(600)
def test_a_study_goes_on_without_a_client(tmp_path: Path, cluster: DevCluster) -> None:
    write_people(tmp_path)
    out = tmp_path / "out"
    words = ["tune", "s", *SMALL, "--search", "generator.layers=1..6", "--trials", "3", "--winner-seeds", "7"]
    done = subprocess.run(
        [sys.executable, "-m", "tabgraphsyn", *words, "--no-wait", "--output-dir", str(out)],
        env=cluster.environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "study s: running" in done.stdout, done.stdout + done.stderr

    def summary() -> dict:
        return json.loads((out / "studies" / "s" / "summary.json").read_text())

    wait_until(lambda: summary()["state"] == "done", 500, "the study's end")
    found = summary()
    assert [trial["state"] for trial in found["trials"]] == ["complete"] * 3
    assert found["winner"] is not None and found["result"]["column_shapes"]["seeds"] == 1
    launches = sorted(path.name.rsplit("-", 3)[0] for path in (out / "slurm" / "launches").iterdir())
    drawn = {json.dumps(trial["settings"]) for trial in found["trials"]}
    assert launches == ["s"] * len(drawn) + ["s-winner"], "each was submitted once"
    copies = [path for path in (out / "slurm" / "code").iterdir() if path.is_dir()]
    assert len(copies) == 1 and (copies[0] / "conf" / "config.yaml").is_file()
    lists = (out / "slurm" / "launches").glob("*/run.py")
    assert all(str(copies[0]) in path.read_text() for path in lists), "held against its hash in every job"
