"""Why a stage stopped, as Slurm tells it, and what is decided then; strict stand-ins, no Slurm."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from stand_ins import calls, fake

from tabgraphsyn.orchestration.slurm.decisions import decisions, ends_without_progress, note
from tabgraphsyn.orchestration.slurm.listing import Policy
from tabgraphsyn.orchestration.slurm.node.requeue import after_death, after_interruption, interruption_cause
from tabgraphsyn.orchestration.stored.lease import Owner, acquire


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"JobState": "CANCELLED", "Restarts": "0"}, "cancelled"),
        ({"JobState": "COMPLETING", "Restarts": "0", "EndTime": "2026-01-01T00:00:00"}, "cancelled"),
        ({"JobState": "COMPLETING", "Restarts": "1", "EndTime": "Unknown"}, "requeued"),
        ({"JobState": "PENDING", "Restarts": "1"}, "requeued"),
        ({"JobState": "RUNNING", "PreemptTime": "2026-01-01T00:00:00"}, "preempted"),
        ({"JobState": "RUNNING", "PreemptTime": "None", "EndTime": "2026-01-01T01:00:00"}, "time limit"),
        (
            {"JobState": "RUNNING", "StartTime": "2026-01-01T00:00:00", "EndTime": "2026-01-01T00:01:00"},
            "preempted",
        ),
        (
            {
                "JobState": "COMPLETING",
                "StartTime": "2026-01-01T00:00:00",
                "EndTime": "2026-01-01T01:00:10",
                "TimeLimit": "01:00:00",
            },
            "time limit",
        ),
        ({"JobState": "RUNNING", "EndTime": "2036-01-01T01:00:00"}, "signalled"),
        ({"JobState": "RUNNING", "EndTime": "Unknown"}, "signalled"),
        ({}, "signalled"),
    ],
)
def test_the_cause_is_asked_not_guessed(fields: Mapping[str, str], cause: str):
    assert interruption_cause(dict(fields), 90) == cause


def test_deaths_count_in_a_row_at_one_step():
    died, preempted = {"kind": "died", "step": 5}, {"kind": "preempted", "step": 5}
    assert ends_without_progress([died, died]) == 2
    assert ends_without_progress([died, preempted, died]) == 1
    assert ends_without_progress([{"kind": "died", "step": 4}, died]) == 1
    assert ends_without_progress([preempted]) == 0


def test_a_decision_after_a_cut_off_line_is_found(tmp_path: Path):
    note(tmp_path, "preempted")
    with (tmp_path / "requeues.jsonl").open("a") as handle:
        handle.write('{"kind": "pre')
    note(tmp_path, "died")
    assert [entry["kind"] for entry in decisions(tmp_path)] == ["preempted", "died"]


def test_a_full_disk_keeps_no_job_from_its_requeue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fakes = tmp_path / "bin"
    fake(fakes, "scontrol", 'case "$1" in show) echo JobId=7 JobState=RUNNING PreemptTime=2026-01-01T00:00:00;; esac')
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tabgraphsyn.orchestration.slurm.decisions.append_line", full)
    assert after_interruption(Policy(), tmp_path / "out" / "stages" / "gnn" / "x") == 75
    assert "scontrol requeue 7" in calls(fakes)
    assert "could not note 'preempted': [Errno 28] No space left" in capsys.readouterr().err


def test_where_requeue_is_refused_a_preempted_stage_stays_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fakes = tmp_path / "bin"
    answer = 'case "$1" in show) echo JobId=7 JobState=RUNNING PreemptTime=2026-01-01T00:00:00;; *) exit 1;; esac'
    fake(fakes, "scontrol", answer)
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    stayed = []
    monkeypatch.setattr("tabgraphsyn.orchestration.slurm.node.requeue._stay", lambda *_: stayed.append(True))
    assert after_interruption(Policy(), tmp_path / "out" / "stages" / "gnn" / "x") == 75
    assert stayed and calls(fakes) == ["scontrol show job -o 7", "scontrol requeue 7"]
    assert [entry["kind"] for entry in decisions(tmp_path / "out" / "stages" / "gnn" / "x")] == ["preempted"]


def test_preemptions_have_their_own_cap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fakes = tmp_path / "bin"
    fake(fakes, "scontrol", 'case "$1" in show) echo JobId=7 JobState=RUNNING PreemptTime=2026-01-01T00:00:00;; esac')
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    codes = [
        after_interruption(Policy(max_preemptions=10), tmp_path / "out" / "stages" / "gnn" / "x") for _ in range(11)
    ]
    assert codes == [75] * 10 + [3]


def test_a_busy_controller_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The cause that is noted is the true one, also where the first question gets no answer."""
    fakes, folder = tmp_path / "bin", tmp_path / "out" / "stages" / "gnn" / "x"
    answer = "echo JobId=7 JobState=RUNNING PreemptTime=2026-01-01T00:00:00"
    fake(fakes, "scontrol", f'case "$1" in show) [ $(wc -l < {fakes}/calls) -gt 2 ] || exit 1; {answer};; esac')
    monkeypatch.setattr("tabgraphsyn.orchestration.slurm.node.requeue._PAUSE_S", 0.0)
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert after_interruption(Policy(), folder) == 75
    assert calls(fakes) == ["scontrol show job -o 7"] * 3 + ["scontrol requeue 7"]
    assert [entry["kind"] for entry in decisions(folder)] == ["preempted"]


def test_without_scontrol_nothing_is_guessed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    assert after_interruption(Policy(), tmp_path / "out" / "stages" / "gnn" / "x") == 75
    assert [entry["kind"] for entry in decisions(tmp_path / "out" / "stages" / "gnn" / "x")] == ["signalled"]


@pytest.mark.parametrize("ending", ["interrupted", "killed"])
def test_a_job_that_slurm_runs_again_beside_this_process_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
):
    """A node was lost and lives on: to requeue the job now would end its new run, and nobody may answer a question."""
    fakes, folder = tmp_path / "bin", tmp_path / "out" / "stages" / "gnn" / "x"
    fake(fakes, "scontrol", "exit 1")
    monkeypatch.setattr("tabgraphsyn.orchestration.slurm.node.requeue._ASK_AGAIN_S", 0.0)
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for run in ("0", "1"):
        monkeypatch.setenv("SLURM_RESTART_COUNT", run)
        assert acquire(folder, Owner.current(), 60.0) is not None
    monkeypatch.setenv("SLURM_RESTART_COUNT", "0")
    assert (after_interruption(Policy(), folder) if ending == "interrupted" else after_death(Policy(), folder, 137)) > 0
    assert calls(fakes) == [] and decisions(folder) == []
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    after_interruption(Policy(), folder)
    assert calls(fakes) and decisions(folder)
