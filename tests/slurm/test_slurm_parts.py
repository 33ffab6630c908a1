"""What needs no Slurm: policy, ledger and lock, requeue decisions, words; and strict fakes on PATH."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from slurm_stages import slurm_catalog

from tabgraphsyn.errors import ConfigError, SubmissionError
from tabgraphsyn.orchestration.lease import Owner, acquire, attempt_numbers
from tabgraphsyn.orchestration.plan import source_stage
from tabgraphsyn.orchestration.slurm import ledger
from tabgraphsyn.orchestration.slurm.decisions import decisions, ends_without_progress, note
from tabgraphsyn.orchestration.slurm.ledger import Submission
from tabgraphsyn.orchestration.slurm.listing import Element, ListedStage, Policy, read_element, write_list
from tabgraphsyn.orchestration.slurm.node.element import end_element, run_element
from tabgraphsyn.orchestration.slurm.node.requeue import after_death, after_interruption, interruption_cause
from tabgraphsyn.orchestration.slurm.queue_status import reason_in_words
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob, Scheduler
from tabgraphsyn.orchestration.slurm.site import read_site
from tabgraphsyn.orchestration.slurm.submission import record_job
from tabgraphsyn.orchestration.spec import Runtime, stage_spec

CLUSTER = {"cpu_partition": None, "gpu_partition": None, "max_running": 0, "account": None, "nice": 0}


def submission(job: str, **changed: object) -> Submission:
    values: dict = {
        "job": job,
        "campaign": "c",
        "name": "tgs:c:gnn:00000000",
        "time": time.time(),
        "user": "u",
        "is_array": True,
        "elements": {0: ("gnn/a",), 3: ("gnn/b",)},
        "script": f"/x/{job}.sh",
        "list_file": "/x/a.list",
    }
    return Submission(**{**values, **changed})


# -- policy of a site -------------------------------------------------------------------------------------------------


def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(textwrap.dedent(text))
    monkeypatch.setenv("TABGRAPHSYN_SITE", str(path))


def test_a_site_sets_defaults_and_forbids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site(tmp_path, monkeypatch, "defaults: {account: shared}\npartitions: [cpu]\nmax_running: 8\npoll_s: 60\n")
    policy = read_site()
    assert policy.poll_s == 60
    assert policy.applied(CLUSTER) == {**CLUSTER, "account": "shared", "max_running": 8}
    with pytest.raises(ConfigError, match="this site allows 'cpu', found 'gpu'"):
        policy.applied({**CLUSTER, "gpu_partition": "gpu"})
    with pytest.raises(ConfigError, match="at most 8, found 9"):
        policy.applied({**CLUSTER, "max_running": 9})


@pytest.mark.parametrize("text", ["partition: [cpu]", "- 1", "defaults: {"])
def test_a_policy_that_cannot_be_read_is_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str):
    site(tmp_path, monkeypatch, text)
    with pytest.raises(ConfigError):
        read_site()


def test_a_default_must_be_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    site(tmp_path, monkeypatch, "defaults: {acount: x}")
    with pytest.raises(ConfigError, match="Did you mean 'account'"):
        read_site().applied(CLUSTER)


# -- ledger and lock --------------------------------------------------------------------------------------------------


def test_the_ledger_survives_a_cut_off_line(tmp_path: Path):
    ledger.append(tmp_path, submission("1"))
    ledger.append(tmp_path, submission("2", elements={0: ("gnn/a",)}, is_array=False))
    with (tmp_path / "slurm" / "ledger.jsonl").open("a") as handle:
        handle.write('{"job": "3", "cam')
    latest = ledger.latest_elements(ledger.read(tmp_path))
    assert {stage: each.element_id(index) for stage, (each, index) in latest.items()} == {"gnn/a": "2", "gnn/b": "1_3"}
    ledger.append(tmp_path, submission("4"))  # not glued to the rest of the line before
    assert [each.job for each in ledger.read(tmp_path)] == ["1", "2", "4"]


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


def test_a_job_that_cannot_be_noted_is_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """On a full disk the scheduler may take a job that no command would ever find again."""
    fakes = tmp_path / "bin"
    fake(fakes, "scancel", "exit 0")
    monkeypatch.setenv("PATH", f"{fakes}:{os.environ['PATH']}")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ledger, "append_line", full)
    with pytest.raises(OSError, match="No space left"):
        record_job(tmp_path, submission(""), "12", Scheduler())
    assert calls(fakes) == ["scancel 12"]


def test_the_lock_is_exclusive_and_left_over_ones_are_taken(tmp_path: Path):
    inside = []

    def hold(number: int) -> None:
        with ledger.submission_lock(tmp_path):
            inside.append(number)
            assert len(inside) == 1
            time.sleep(0.05)
            inside.remove(number)

    threads = [threading.Thread(target=hold, args=(number,)) for number in range(5)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    code = """if True:
        import os, sys
        from pathlib import Path
        from tabgraphsyn.orchestration.slurm.ledger import submission_lock
        lock = submission_lock(Path(sys.argv[1]))
        lock.__enter__()
        os._exit(9)
    """
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert (tmp_path / "slurm" / "submission.lock").exists()
    refused: list[str] = []

    def another() -> None:
        try:
            with ledger.submission_lock(tmp_path, 0.2):
                raise AssertionError("two held the lock")
        except SubmissionError as error:
            refused.append(str(error))

    with ledger.submission_lock(tmp_path, wait_s=5), ledger.submission_lock(tmp_path, 0.2):
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()
        assert (tmp_path / "slurm" / "submission.lock").exists()
    assert "another launch is submitting" in refused[0]
    assert not (tmp_path / "slurm" / "submission.lock").exists()


# -- what an element does ---------------------------------------------------------------------------------------------


def element(tmp_path: Path, tables: tuple[str, ...] = ("a",)) -> Element:
    stages = []
    for name in tables:
        node = source_stage({"dataset": {"name": name, "tables": [name], "path": "x"}}, name, slurm_catalog())
        spec = stage_spec(node, Runtime(module="slurm_stages", place_keys=node.kind.place_keys, heartbeat_s=0.2))
        stages.append(ListedStage(node.id, spec, {"cpus": 1, "mem_gb": 1.0, "timeout_min": 1, "gpus": 0}))
    path = tmp_path / "list"
    write_list(path, tmp_path / "stages", Policy(), {4: stages})
    return read_element(path, 4)


def test_an_element_ends_with_zero_only_if_all_is_done(tmp_path: Path):
    environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "4", "PYTHONPATH": os.pathsep.join(sys.path)}
    found = element(tmp_path, ("a", "b"))
    command = [sys.executable, "-m", "tabgraphsyn.orchestration.slurm.node.element", str(tmp_path / "list")]
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert subprocess.run([*command, "--ended", "0"], env=environment, check=False).returncode == 0
    first, second = found.stages
    (found.folder(second) / "done.json").unlink()
    assert end_element(found, 0) == 3  # no job to requeue: not a success either
    assert run_element(found) == 0
    assert attempt_numbers(found.folder(first)) == [1]


def test_two_copies_of_a_job_publish_once(tmp_path: Path):
    """Only slurmd dead: Slurm runs the old and the new copy side by side. The older must not publish."""
    element(tmp_path)
    raw = (tmp_path / "list").read_text().replace('"module":"slurm_stages"', '"module":"slow_copy"')
    (tmp_path / "list").write_text(raw)
    (tmp_path / "slow_copy.py").write_text(
        "import os, time\n"
        "def run(context):\n"
        "    time.sleep(4.0 if os.environ['SLURM_RESTART_COUNT'] == '0' else 0.2)\n"
        "    (context.artifacts / 'out.txt').write_text(os.environ['SLURM_RESTART_COUNT'])\n"
    )
    command = [sys.executable, "-m", "tabgraphsyn.orchestration.slurm.node.element", str(tmp_path / "list")]

    def copy(restart: int) -> subprocess.Popen:
        paths = os.pathsep.join([str(tmp_path), *sys.path])
        own = {"SLURM_ARRAY_TASK_ID": "4", "SLURM_JOB_ID": "77", "SLURM_RESTART_COUNT": str(restart)}
        return subprocess.Popen(command, env={**os.environ, **own, "PYTHONPATH": paths, "PATH": "/nonexistent"})

    old = copy(0)
    end = time.monotonic() + 20
    while not list(tmp_path.glob("stages/*/*/attempts/1.json")):
        assert time.monotonic() < end
        time.sleep(0.05)
    new = copy(1)
    assert new.wait(timeout=30) == 0
    assert old.wait(timeout=30) != 0 or len(list(tmp_path.glob("stages/*/*/attempts/*.json"))) == 2
    (out,) = tmp_path.glob("stages/*/*/artifacts/out.txt")
    assert out.read_text() == "1"


# -- why it stopped ---------------------------------------------------------------------------------------------------


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


def fake(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\necho {name} "$@" >> {folder}/calls\n{text}\n')
    path.chmod(0o755)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines() if (folder / "calls").exists() else []


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


# -- what is asked of the scheduler -----------------------------------------------------------------------------------


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
