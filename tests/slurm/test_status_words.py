"""What status says of jobs: cancelled, out of reach, gone; with stand-ins for Slurm's commands on PATH."""

from __future__ import annotations

import getpass
import json
import os
import time
from pathlib import Path

import pytest

from tabgraphsyn.orchestration.slurm.availability import refused
from tabgraphsyn.orchestration.slurm.cancellations import note_cancelled
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.ledger import Submission
from tabgraphsyn.verbs import cli


@pytest.fixture
def output_dir(tmp_path: Path) -> Path:
    """A campaign of three stages, two of which were submitted as elements of array 7."""
    stages = {"prepare": "prepare/p", "gnn": "gnn/g", "sample": "sample/s"}
    record = {"overrides": [], "stages": stages, "inputs": {"gnn": ["prepare"], "sample": ["gnn"]}}
    folder = tmp_path / "out" / "campaigns" / "c"
    folder.mkdir(parents=True)
    (folder / "campaign.json").write_text(json.dumps({"points": {"default": record}, "lease_timeout_s": 60}))
    elements = {0: ["prepare/p"], 1: ["gnn/g"]}
    script = str(tmp_path / "out" / "slurm" / "launches" / "x" / "array-0.sh")
    ledger.append(
        tmp_path / "out",
        Submission("7", "c", "tgs-c", time.time() - 60, getpass.getuser(), True, elements, script, "x.list"),
    )
    return tmp_path / "out"


def fake(folder: Path, name: str, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)
    if str(folder) not in os.environ["PATH"]:
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def stages(output_dir: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, dict], dict]:
    assert cli.main(["status", "c", "--json", "--output-dir", str(output_dir)]) == 0
    (campaign,) = json.loads(capsys.readouterr().out)["campaigns"]
    return {stage["label"]: stage for stage in campaign["points"][0]["stages"]}, campaign


def test_without_an_answer_status_says_since_when_and_never_to_launch_again(
    output_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    bin_ = tmp_path / "bin"
    fake(bin_, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1", monkeypatch)
    clocks = [time.strftime("%H:%M", time.localtime(time.time() + minutes * 60)) for minutes in range(5)]
    found, campaign = stages(output_dir, capsys)
    assert campaign["runner"] == "slurm" and campaign["counts"]["unknown"] == 2
    assert found["gnn"]["state"] == "unknown" and "Unable to contact" in found["gnn"]["reason"]
    assert any(f"Slurm cannot be asked since {clock}" in found["prepare"]["reason"] for clock in clocks)
    assert "launch" not in found["gnn"]["reason"]
    mark = output_dir / "slurm" / "unreachable.json"
    since = time.time() - 7200
    mark.write_text(json.dumps({"since": since}))  # two hours ago somebody looked
    earlier = time.strftime("%H:%M", time.localtime(since))
    assert f"since {earlier}" in stages(output_dir, capsys)[0]["gnn"]["reason"]
    line = f"7_0|PENDING|Priority|{getpass.getuser()}|0:00|1:00||cpu|(null)|N/A|tgs-c"
    fake(bin_, "squeue", f"echo '{line}'", monkeypatch)
    assert stages(output_dir, capsys)[0]["prepare"]["reason"] == "others come first"
    assert not mark.exists()


def test_after_ones_own_cancel_a_stage_is_cancelled(
    output_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake(tmp_path / "bin", "squeue", "exit 0", monkeypatch)
    found, _ = stages(output_dir, capsys)
    assert found["prepare"]["state"] == "unknown" and "no accounting says how" in found["prepare"]["reason"]
    note_cancelled(output_dir, "c", ["7_0", "7_1"])
    found, campaign = stages(output_dir, capsys)
    assert campaign["counts"] == {"cancelled": 2, "not started": 1}
    assert found["gnn"]["reason"].startswith(f"by {getpass.getuser()} at ")
    # Ids begin anew after a cluster was set up anew: an older cancellation says nothing of a later job.
    script = str(output_dir / "slurm" / "launches" / "x" / "array-0.sh")
    later = Submission("7", "c", "n", time.time() + 60, "me", True, {0: ["prepare/p"], 1: ["gnn/g"]}, script, "x")
    ledger.append(output_dir, later)
    assert stages(output_dir, capsys)[0]["gnn"]["state"] == "unknown"


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("PENDING", "job requeued in held state", "scontrol release"),
        ("SUSPENDED", "None", "scontrol resume"),
        ("PENDING", "Gr\\374\\337e", "Slurm says"),  # as printf takes it: a byte that is no UTF-8
    ],
)
def test_what_an_administrator_does_to_a_job_is_said_as_such(
    output_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    state: str, reason: str, words: str,
):  # fmt: skip
    line = f"7_0|{state}|{reason}|{getpass.getuser()}|0:00|1:00||cpu|(null)|N/A|tgs-c"
    fake(tmp_path / "bin", "squeue", f"printf '{line}\\n'", monkeypatch)
    found = stages(output_dir, capsys)[0]["prepare"]
    assert found["state"] == "waiting" and words in found["reason"], found


def test_what_was_never_submitted_is_no_matter_of_a_limit_alone(
    output_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake(tmp_path / "bin", "squeue", "exit 0", monkeypatch)
    script = str(output_dir / "slurm" / "launches" / "x" / "array-1.sh")
    planned = Submission("", "c", "tgs-c-2", time.time(), getpass.getuser(), True, {0: ["sample/s"]}, script, "y.list")
    ledger.append(output_dir, planned)
    found = stages(output_dir, capsys)[0]["sample"]
    assert found["state"] == "held back" and "or its launch stopped" in found["reason"], found


@pytest.mark.parametrize(
    ("refusal", "advice"),
    [
        ("allocation failure: Required partition not available (inactive or drain)", "cluster.cpu_partition"),
        ("sbatch: error: invalid partition specified: old\nInvalid partition name specified", "cluster.cpu_partition"),
        ("allocation failure: Invalid qos specification", "what its resources ask for"),
        ("allocation failure: Requested time limit is invalid", "resources.gnn.timeout_min"),
    ],
)
def test_a_partition_that_takes_no_jobs_is_not_the_fault_of_resources(refusal: str, advice: str):
    assert "the scheduler refuses" in refused("gnn", refusal) and advice in refused("gnn", refusal)
    assert ("resources" in refused("gnn", refusal)) == ("partition" not in refusal)


def test_a_running_stage_that_was_cancelled_by_scancel_says_so(
    output_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake(tmp_path / "bin", "squeue", "exit 0", monkeypatch)
    folder = output_dir / "stages" / "prepare" / "p"
    folder.mkdir(parents=True)
    (folder / "requeues.jsonl").write_text(json.dumps({"kind": "gave up", "why": "cancelled", "time": 1}) + "\n")
    found, _ = stages(output_dir, capsys)
    assert found["prepare"]["state"] == "cancelled" and "by scancel" in found["prepare"]["reason"]


def test_logs_shows_what_died_before_its_first_attempt(output_dir: Path, capsys: pytest.CaptureFixture[str]):
    log = output_dir / "slurm" / "launches" / "x" / "7_1_0_log.out"
    log.parent.mkdir(parents=True)
    log.write_text("bash: /nfs/venv/bin/python: Stale file handle\n")
    assert cli.main(["logs", "--output-dir", str(output_dir)]) == 0
    text = capsys.readouterr().out
    assert "gnn: no attempt was started" in text and "Stale file handle" in text and "nothing failed" not in text
    assert "prepare" not in text


def test_rm_refuses_while_jobs_may_be_in_a_queue(
    output_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fake(tmp_path / "bin", "squeue", "echo 'Unable to contact slurm controller' >&2; exit 1", monkeypatch)
    assert cli.main(["rm", "c", "--yes", "--output-dir", str(output_dir)]) == 3
    assert "cannot be asked" in capsys.readouterr().err and (output_dir / "campaigns" / "c").exists()
