"""Repair on a real Slurm that keeps jobs whose dependency failed: they are told what to wait for, the rest is made."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster_kit import DevCluster, Launches, is_installed, wait_until, write_conf

pytestmark = pytest.mark.slurm

ONE = ("dataset=single",)

_LEAVING = """#!/bin/bash
# sbatch where a site sees to it that jobs whose dependency failed stay.
sed -i s/kill-on-invalid-dep=yes/kill-on-invalid-dep=no/ "${@: -1}"
exec REAL "${@/kill-on-invalid-dep=yes/kill-on-invalid-dep=no}"
"""


@pytest.fixture(scope="module")
def keeping() -> Iterator[DevCluster]:
    """A cluster without kill_invalid_depend, and with a prolog that fails while there is a file ``broken``."""
    if not is_installed():
        pytest.skip("slurmctld, slurmd, slurm-client and munge are not installed")
    with tempfile.TemporaryDirectory(prefix="tgs-") as name:
        cluster = DevCluster(Path(name) / "c")
        prolog = Path(name) / "prolog"
        prolog.write_text(f"#!/bin/sh\ntest ! -e {name}/broken\n")
        prolog.chmod(0o755)
        cluster.up("--keep-dead", "--set", f"Prolog={prolog}")
        yield cluster
        cluster.down()


@pytest.fixture
def kept(tmp_path: Path, keeping: DevCluster) -> Iterator[Launches]:
    commands = tmp_path / "leaving"
    commands.mkdir()
    (commands / "sbatch").write_text(_LEAVING.replace("REAL", str(shutil.which("sbatch"))))
    (commands / "sbatch").chmod(0o755)
    environment = {**keeping.environment, "PATH": f"{commands}:{os.environ['PATH']}"}
    found = Launches(tmp_path, write_conf(tmp_path / "conf"), environment)
    yield found
    ids = [each["job"] for each in found.ledger() if each["job"]]
    keeping.call("scancel", *ids, check=False)


def job_of(launches: Launches, kind: str) -> str:
    return next(each["job"] for each in launches.ledger() if f"-{kind}-" in each["name"])


def wait_stuck(launches: Launches, cluster: DevCluster, kind: str) -> None:
    """Until Slurm says that what these jobs depend on failed."""
    job = job_of(launches, kind)

    def reasons() -> set[str]:
        return set(cluster.call("squeue", "-h", "-r", "-j", job, "-o", "%r", check=False).split())

    wait_until(lambda: reasons() == {"DependencyNeverSatisfied"}, 60, f"{kind} stuck")


def test_what_waits_for_a_parent_submitted_again_keeps_its_place(kept: Launches, keeping: DevCluster):
    """DependencyNeverSatisfied is sticky: the child is told to wait for the new parent; its children need nothing."""
    kept.run("campaign=c", "fake.gnn=kill_once", "cluster.max_failures=0", *ONE)
    wait_stuck(kept, keeping, "sample")
    assert "stuck" in {stage["state"] for stage in kept.states("c").values()}
    before = {kind: job_of(kept, kind) for kind in ("gnn", "sample", "evaluate")}
    text = kept.verb("repair", "c")
    assert "1 submitted as 1 elements" in text, text
    assert f"1 dependencies could never have been met; they were renewed: {before['sample']}" in text
    kept.wait_done(6)
    assert len(kept.ledger()) == 6 and job_of(kept, "sample") == before["sample"]
    assert set(kept.marks("computed").values()) == {1}


def test_a_whole_array_is_renewed_by_one_call(kept: Launches, keeping: DevCluster):
    sweep = ("-m", "seed=0,1,2", *ONE)
    kept.run("campaign=c", "fake.gnn=kill_once", "cluster.max_failures=0", *sweep)
    wait_stuck(kept, keeping, "sample")
    report = json.loads(kept.verb("repair", "c", "--json"))
    assert report["rearmed"] == [{"job": job_of(kept, "sample"), "dependency": f"aftercorr:{kept.ledger()[-1]['job']}"}]
    assert report["calls"]["sbatch"] == 2  # one of them asks only
    kept.wait_done(2 + 4 * 3)
    assert set(kept.marks("computed").values()) == {1}


def test_what_waits_for_a_parent_that_somebody_requeued(kept: Launches, keeping: DevCluster):
    """The parent runs again, the child does not notice: nothing is submitted, one dependency is renewed."""
    kept.run("campaign=c", "fake.gnn=kill_once+train:9000:0.1", "cluster.max_failures=0", *ONE)
    wait_stuck(kept, keeping, "sample")
    keeping.call("scontrol", "requeue", job_of(kept, "gnn"))
    wait_until(lambda: keeping.queue().get(job_of(kept, "gnn")) == "RUNNING", 60, "the parent runs again")
    wait_stuck(kept, keeping, "sample")
    text = kept.verb("repair", "c")
    assert "0 submitted" in text and "1 dependencies could never have been met" in text, text
    kept.hurry()
    kept.wait_done(6)
    assert set(kept.marks("computed").values()) == {1}


def test_what_waits_for_a_parent_that_is_done_by_now(kept: Launches, keeping: DevCluster):
    """All that it reads stands: the dependency is taken off."""
    kept.run("campaign=c", "fake.gnn=kill_once", "cluster.max_failures=0", *ONE)
    wait_stuck(kept, keeping, "sample")
    keeping.call("scontrol", "requeue", job_of(kept, "gnn"))
    kept.wait_done(1, "gnn")
    assert kept.done("sample") == 0
    text = kept.verb("repair", "c")
    assert "0 submitted" in text and "renewed" in text, text
    kept.wait_done(6)


def test_where_scontrol_is_missing_stuck_elements_are_submitted_anew(
    kept: Launches, keeping: DevCluster, tmp_path: Path
):
    kept.run("campaign=c", "fake.gnn=kill_once", "cluster.max_failures=0", *ONE)
    wait_stuck(kept, keeping, "sample")
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scancel", "srun"):
        (folder / name).symlink_to(str(shutil.which(name)))
    poor = Launches(kept.folder, kept.conf, {**kept.environment, "PATH": str(folder)})
    text = poor.verb("repair", "c")
    assert "2 elements could never have started" in text and "3 submitted" in text, text
    kept.wait_done(6)


def test_what_waits_for_an_element_that_is_held_though_its_stage_is_done(kept: Launches, keeping: DevCluster):
    """A controller that died before it heard of the end starts the element again; where that fails, it is held."""
    broken = keeping.folder.parent / "broken"
    kept.run("campaign=c", "fake.gnn=train:9000:0.1", *ONE)
    gnn = job_of(kept, "gnn")
    spec = kept.wait_for("stages/gnn/*/metrics.jsonl").parent / "spec.json"
    try:
        broken.touch()
        keeping.call("scontrol", "requeue", gnn)
        wait_until(lambda: "launch failed" in keeping.call("squeue", "-h", "-j", gnn, "-o", "%r"), 90, "gnn held")
    finally:
        broken.unlink()
        keeping.restore_nodes()
    kept.hurry()
    command = [sys.executable, "-m", "tabgraphsyn.orchestration.computing.worker", str(spec), "--capture"]
    subprocess.run(command, env=dict(keeping.environment), check=True, timeout=400)
    assert kept.done("gnn") == 1
    (sample,) = (stage for stage in kept.states("c").values() if stage["id"].startswith("sample/"))
    assert sample["state"] == "waiting" and f"{gnn} is held" in sample["reason"]
    text = kept.verb("repair", "c")
    assert "0 submitted" in text and "1 elements were held after a node failed to start them" in text, text
    kept.wait_done(6)
    assert set(kept.marks("computed").values()) == {1}
    assert "released" not in kept.verb("repair", "c")
