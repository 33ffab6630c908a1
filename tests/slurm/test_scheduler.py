"""What is asked of the scheduler, how often, and what its answers are taken for; strict stand-ins, no Slurm."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from stand_ins import calls, fake

from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.slurm.queue_status import reason_in_words
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler


def test_one_question_for_all_jobs_and_every_call_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fakes = tmp_path / "bin"
    line = "1_3|PENDING|Resources|u|0:00|1:00:00||cpu|(null)|2026-01-01T00:00:00|a name|with a bar"
    fake(fakes, "squeue", f"echo '{line}'; echo '2|COMPLETED|None|u|0:00|1:00|n|cpu|(null)|N/A|x'")
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    scheduler = Scheduler()
    assert {job.id: job.state for job in scheduler.queue(["2", "1", "1"]).values()} == {"1_3": "PENDING"}
    assert scheduler.queue([]) == {}
    assert len(calls(fakes)) == 1 and "-j 1,2" in calls(fakes)[0]
    assert scheduler.counted() == "1 squeue"


def test_a_single_forgotten_job_is_an_empty_answer_and_other_errors_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    fakes = tmp_path / "bin"
    fake(fakes, "squeue", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    assert Scheduler().queue(["9"]) == {}
    fake(fakes, "squeue", "echo 'slurm_load_jobs error: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(SubmissionError, match="Unable to contact"):
        Scheduler().queue(["9"])


def test_a_failed_start_is_told_from_other_holds():
    assert QueuedJob("1", "PENDING", "launch failed requeued held").is_held_by_a_failed_start
    assert not QueuedJob("1", "PENDING", "JobHeldUser").is_held_by_a_failed_start


def test_without_sacct_history_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert Scheduler().history({"9": "n"}) == {}
    with pytest.raises(SubmissionError, match="not found on PATH"):
        Scheduler().queue(["9"])


def test_sacct_lists_every_run_and_the_last_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    fakes = tmp_path / "bin"
    fake(fakes, "sacct", "echo '9|NODE_FAIL|n'; echo '9|CANCELLED by 0|n'; echo '9|COMPLETED|not|ours'")
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")
    assert Scheduler().history({"9": "n"}) == {"9": "CANCELLED"}


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("BeginTime", "it was requeued and is eligible again in up to two minutes"),
        ("JobArrayTaskLimit", "its share of cluster.max_running runs already"),
        ("SomethingNew", "Slurm says SomethingNew"),
        ("launch failed requeued held", "starting it failed; it is held, tabgraphsyn repair lets it go"),
        (
            "ReqNodeNotAvail, Reserved for maintenance",
            "the nodes it needs are not available (Reserved for maintenance)",
        ),
        (
            "ReqNodeNotAvail, UnavailableNodes:node[1-2]",
            "the nodes it needs are not available (UnavailableNodes:node[1-2])",
        ),
    ],
)
def test_reasons_in_words(reason: str, words: str):
    assert reason_in_words(QueuedJob("1", "PENDING", reason)) == words
