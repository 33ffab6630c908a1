"""On a real Slurm what was once done wrong in small things: sinks, arguments, policies, words, odd folders.

The larger faults have files of their own; ``README.md`` beside this names the test of each, F1 to F15.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest
from cluster_kit import DevCluster, Launches, wait_until, write_conf
from stage_conf import write_files

from tabgraphsyn.config.top_level import config_dir

pytestmark = pytest.mark.slurm

ONE = ("dataset=single",)


def test_f8_a_sink_without_a_server_decides_nothing(launches: Launches, cluster: DevCluster):
    """Online, a key set, nobody answers: done, the same hashes, said once, an offline run left for sync."""
    pytest.importorskip("wandb")
    text = (config_dir() / "tracking" / "wandb.yaml").read_text()
    write_files(launches.conf, {"tracking/wandb.yaml": text})
    home = launches.folder / "home"
    away = {"WANDB_BASE_URL": "http://127.0.0.1:9", "WANDB_API_KEY": "0" * 40, "HOME": str(home)}
    online = dataclasses.replace(launches, environment={**launches.environment, **away})
    logging = ("fake.autoencoder=train:5:0.1", *ONE)
    online.run(*logging, "tracking=wandb", "tracking.mode=online")
    launches.wait_done(6)
    wait_until(lambda: not cluster.queue(), 60, "queue empty")
    (attempt,) = launches.out.glob("stages/autoencoder/*/attempts/*.json")
    record = json.loads(attempt.read_text())
    done = json.loads((attempt.parents[1] / "done.json").read_text())
    assert record["ended"] - record["started"] - done["elapsed_s"] < 40.0, (
        "five seconds, and a busy machine's own; a sink alone waits for minutes"
    )
    log = (attempt.parents[1] / "logs" / "attempt-1.log").read_text()
    assert log.count("tabgraphsyn sync") == 1, log
    assert len(list(launches.out.glob("stages/*/*/wandb/offline-run-*"))) == 1, "only the stage that logs has a run"
    assert (attempt.parents[1] / "metrics.jsonl").read_text().count("\n") == 5
    here = Launches(launches.folder / "here", launches.conf, launches.environment)
    here.run(*logging, "cluster=here")
    assert launches.hashes() == here.hashes()


def test_f12_arguments_of_sbatch_are_the_users(launches: Launches, cluster: DevCluster):
    spelt = ("p=low", "job-name=mine", "mem-per-cpu=150M", "requeue=false", "cpus_per_task=2")
    launches.run("fake.prepare=hold", *ONE, *(f"+cluster.sbatch.{each}" for each in spelt))
    (job,) = [each["job"] for each in launches.ledger() if "prepare" in str(each["elements"])]
    record = dict(w.split("=", 1) for w in cluster.call("scontrol", "show", "job", "-o", job).split() if "=" in w)
    found = {key: record[key] for key in ("Partition", "MinMemoryCPU", "Requeue", "NumCPUs")}
    assert found == {"Partition": "low", "MinMemoryCPU": "150M", "Requeue": "0", "NumCPUs": "2"}
    assert record["JobName"].startswith("mine-") and ":" not in record["JobName"]
    assert len({each["name"] for each in launches.ledger()}) == 5, "one name for all would tell none apart"
    for refused in ("dependency=singleton", "array=0-3", "clusters=other", "M=other"):
        text = launches.run("seed=9", *ONE, f"+cluster.sbatch.{refused}", code=2)
        assert f"cluster.sbatch.{refused.split('=')[0]}" in text, text


def test_f13_a_policy_is_held_against_what_is_asked_in_the_end(launches: Launches, cluster: DevCluster):
    policy = launches.folder / "site.yaml"
    policy.write_text("partitions: [cpu, low]\nmax_running: 4\n")
    more = {"TABGRAPHSYN_SITE": str(policy), "SBATCH_PARTITION": "high", "SBATCH_ARRAY_INX": "0-3"}
    strict = dataclasses.replace(launches, environment={**launches.environment, **more})
    for override in ("cluster.cpu_partition='cpu,high'", "+cluster.sbatch.partition=high", "+cluster.sbatch.p=high"):
        assert "found 'high'" in strict.run(*ONE, override, code=2)
    assert "at most 4, found 5" in strict.run(*ONE, "cluster.max_running=5", code=2)
    assert not launches.ledger()
    strict.run(*ONE, "cluster.cpu_partition='cpu,low'", "fake.prepare=hold")
    asked = [set(line.split(",")) for line in cluster.call("squeue", "-h", "-r", "-o", "%P").splitlines()]
    assert {"cpu", "low"} in asked and all(each <= {"cpu", "low"} for each in asked), asked  # one that runs has one


def test_f14_status_says_what_is_true(launches: Launches, cluster: DevCluster):
    launches.run("-m", "seed=0,1", "campaign=c", "fake.prepare=hold", *ONE)
    launches.wait_for("stages/prepare/*/attempts/1.json")
    text = launches.verb("status", "c")
    assert "seed=0" in text and "seed=1" in text, text
    cluster.stop_slurmctld()
    try:
        text = launches.verb("status", "c")
        assert "cannot be asked since" in text and "launch it again" not in text, text
        command = [sys.executable, "-m", "tabgraphsyn", "doctor", "--output-dir", str(launches.out)]
        doctor = subprocess.run(command, env=dict(launches.environment), capture_output=True, text=True, check=False)
        assert doctor.returncode == 3, doctor.stdout
    finally:
        cluster.start_slurmctld()
    wait_until(lambda: "1 " not in cluster.call("sinfo", "-h", "-t", "down", "-o", "%D", check=False), 60, "nodes")
    launches.verb("cancel", "c")
    # What ran is told to end and takes its time; the controller has just come back.
    left = lambda: {stage["state"] for stage in launches.states("c").values() if stage["state"] != "done"}  # noqa: E731
    wait_until(lambda: left() == {"cancelled"}, 60, "all cancelled")


@pytest.mark.parametrize(("name", "is_refused"), [("50%j", True), ("a\\b", True), ("two words", False)])
def test_f15_odd_folders(tmp_path: Path, cluster: DevCluster, name: str, is_refused: bool):
    odd = Launches(tmp_path / name, write_conf(tmp_path / "conf"), cluster.environment)
    text = odd.run("campaign=c", *ONE, code=2 if is_refused else 0)
    if is_refused:
        assert "output_dir" in text and not odd.out.exists(), text
        return
    assert f"--output-dir '{odd.out}'" in text, text
    odd.wait_done(6)
    wait_until(lambda: not cluster.queue(), 60, "queue empty")
    logs = list(odd.out.glob("slurm/launches/*/*_log.out"))
    assert all(path.stat().st_size for path in logs), "a job that had nothing to say leaves no log"
