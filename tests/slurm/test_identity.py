"""A number is no identity, and a submission is never half known: what the ledger says against what the queue says."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path

import pytest

from tabgraphsyn.orchestration.slurm.arrays import Request, Unit
from tabgraphsyn.orchestration.slurm.availability import why_not_now
from tabgraphsyn.orchestration.slurm.capabilities import ask
from tabgraphsyn.orchestration.slurm.identity import look_up, user_name
from tabgraphsyn.orchestration.slurm.limits import Room, enforced, room
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler, parsed_job_id
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.ledger import Submission

NAME = "tgs-c-gnn-0a1b2c3d"


def submission(**changed: object) -> Submission:
    values: dict = {
        "job": "", "campaign": "c", "name": NAME, "time": time.time(), "user": user_name(), "is_array": True,
        "elements": {0: ("gnn/a",), 3: ("gnn/b",)}, "script": "/x/array-0.sh", "list_file": "/x/array-0.list",
    }  # fmt: skip
    return Submission(**{**values, **changed})


def line(job: str, name: str = NAME, user: str | None = None, submitted: float | None = None) -> str:
    clock = datetime.fromtimestamp(time.time() if submitted is None else submitted).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{job}|RUNNING|None|{user or user_name()}|0:01|9:00|node1|cpu|(null)|{clock}|{name}"


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of stand-ins for Slurm's commands, the only ones on PATH besides the shell's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/bin:/usr/bin")
    for name in ("scontrol", "squeue", "sacct", "sacctmgr", "sinfo", "sbatch"):
        answer(folder, name, "")
    return folder


def answer(folder: Path, command: str, text: str, code: int = 0) -> None:
    (folder / f"{command}.txt").write_text(text)
    path = folder / command
    path.write_text(f'#!/bin/sh\necho {command} "$@" >> {folder}/calls\ncat {folder}/{command}.txt\nexit {code}\n')
    path.chmod(0o755)


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def submitted(tmp_path: Path, **changed: object) -> Submission:
    ledger.append(tmp_path, submission(**changed))
    (found,) = ledger.read(tmp_path)
    return ledger.note(tmp_path, ledger.note(tmp_path, found, ledger.ASKED), ledger.SUBMITTED, job="7")


@pytest.mark.parametrize(
    "shown",
    [
        line("7_0", name="my-own-work"),
        line("7_0", name="tgs-c-gnn-0a1b2c3e"),
        line("7_0", user="somebody"),
        line("7_0", submitted=time.time() - 86400),
        line("7", name="my-own-work"),
    ],
    ids=["name", "key", "user", "time", "no array"],
)
def test_a_job_of_our_number_that_is_not_ours_is_left_alone_and_noted(tmp_path: Path, commands: Path, shown: str):
    submitted(tmp_path)
    answer(commands, "squeue", shown)
    found = look_up(tmp_path, ledger.read(tmp_path), Scheduler(), lambda _: True)
    assert not found.jobs and found.strangers == ["7"] and "left alone: 7" in found.notes()[0]
    (after,) = ledger.read(tmp_path)
    assert after.state == "gone"
    look_up(tmp_path, ledger.read(tmp_path), Scheduler(), lambda _: True)
    assert sum(call.startswith("squeue") for call in calls(commands)) == 1, "a line that is gone is asked for no more"


def test_a_job_is_ours_by_name_user_and_time_also_when_it_was_requeued_and_clocks_differ(
    tmp_path: Path, commands: Path
):
    submitted(tmp_path)
    answer(commands, "squeue", "\n".join([line("7_0", submitted=time.time() + 7200), line("7_3")]))
    found = look_up(tmp_path, ledger.read(tmp_path), Scheduler(), lambda _: True)
    assert sorted(found.jobs) == ["7_0", "7_3"] and found.strangers == []


def test_jobs_of_another_cluster_are_not_asked_for(tmp_path: Path, commands: Path):
    submitted(tmp_path, cluster="a")
    answer(commands, "scontrol", "ClusterName             = b\n")
    answer(commands, "squeue", line("7_0"))
    found = look_up(tmp_path, ledger.read(tmp_path), Scheduler(), lambda _: True)
    assert not found.jobs and [each.job for each in found.elsewhere] == ["7"]
    assert "2 elements were submitted on cluster 'a'" in found.notes()[0]
    assert not any(call.startswith("squeue") for call in calls(commands))
    assert [each.state for each in ledger.read(tmp_path)] == ["submitted"]


def test_a_submission_without_an_answer_is_found_by_its_name(tmp_path: Path, commands: Path):
    ledger.append(tmp_path, submission())
    ledger.note(tmp_path, submission(), ledger.ASKED)
    answer(commands, "squeue", "\n".join([line("12_0"), line("12_3")]))
    found = look_up(tmp_path, ledger.read(tmp_path), Scheduler(), lambda _: True)
    assert sorted(found.jobs) == ["12_0", "12_3"]
    assert f"-n {NAME}" in calls(commands)[1]
    assert [(each.state, each.job) for each in ledger.read(tmp_path)] == [("submitted", "12")]


def test_a_submission_that_no_queue_shows_is_refused_after_a_while_and_not_before(tmp_path: Path, commands: Path):
    ledger.append(tmp_path, submission())
    ledger.note(tmp_path, submission(), ledger.ASKED)
    look_up(tmp_path, ledger.read(tmp_path), Scheduler(), lambda _: True)
    assert [each.state for each in ledger.read(tmp_path)] == ["asked"]
    old = ledger.after(submission(), {"event": "asked", "time": 1.0})
    found = look_up(tmp_path, [old], Scheduler(), lambda _: True)
    assert [each.state for each in found.submissions] == ["refused"]


@pytest.mark.parametrize(
    ("printed", "job"),
    [
        ("12\n", "12"), ("12;tgsdev\n", "12"), ("Welcome to the machine\n--> Verifying ...OK\n12\n", "12"),
        ("12\nyou have 3 messages\n", "12"), ("\n  12;c-1.x \n", "12"), ("Submitted batch job 12\n", None),
        ("Submitted batch job 12 on cluster x\n", None), ("2026\n12\n", None), ("", None), ("012\n", None),
        ("-1\n", None), ("1e3\n", None), ("12 13\n", None),
    ],
)  # fmt: skip
def test_an_id_is_digits_on_a_line_of_its_own(printed: str, job: str | None):
    assert parsed_job_id(printed) == job


@pytest.mark.parametrize(
    ("said", "code", "is_refusal"),
    [
        ("sbatch: error: Batch job submission failed: Invalid partition name specified", 1, True),
        ("sbatch: error: Batch job submission failed: Socket timed out on send/recv operation", 1, False),
        ("sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)", 1, False),
        ("sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received", 1, False),
        ("something else", 1, False),
    ],
)
def test_a_lost_answer_is_told_from_a_refusal(tmp_path: Path, commands: Path, said: str, code: int, is_refusal: bool):
    script = tmp_path / "a.sh"
    script.write_text("#!/bin/sh\n")
    (commands / "sbatch").write_text(f"#!/bin/sh\necho '{said}' >&2\nexit {code}\n")
    found = Scheduler().submit(str(script))
    assert found.job is None and found.is_refusal is is_refusal and said in found.said


@pytest.mark.parametrize(
    "bad",
    [
        '{"job":"----\\nWelcome\\n12","campaign":"c","name":"n","time":1,"user":"u","is_array":true,'
        '"elements":{"0":["gnn/a"]},"script":"/y/a.sh","list_file":"/y/a.list"}',
        '{"job":12,"campaign":"c"}', "[]", "null", '"x"', "{", "\x00\x01", '{"event":"submitted","job":"9"}',
        '{"event":"submitted","job":"9","script":"/none","name":"x","time":1}',
        '{"job":"9","campaign":"c","name":"n","time":1,"user":"u","is_array":true,"elements":{"x":[]},"script":"s","list_file":"l"}',
        '{"job":"9","campaign":"c","name":"n","time":1,"user":"u","is_array":true,"elements":[],"script":"s","list_file":"l"}',
    ],
)  # fmt: skip
def test_one_bad_line_spoils_nothing_and_is_told(tmp_path: Path, bad: str, capsys: pytest.CaptureFixture[str]):
    submitted(tmp_path)
    path = tmp_path / "slurm" / "ledger.jsonl"
    path.write_text(bad + "\n" + path.read_text() + bad + "\n")
    ledger.append(tmp_path, submission(name="tgs-c-gnn-11111111", script="/x/array-1.sh"))
    assert [(each.state, each.job) for each in ledger.read(tmp_path)] == [("submitted", "7"), ("planned", "")]
    assert "cannot be read and are left out" in capsys.readouterr().err


def test_a_ledger_of_an_earlier_version_is_read(tmp_path: Path):
    """Lines with their job in them, of before there were events; one that held back what a limit kept."""
    ledger.append(tmp_path, submission(job="5"), submission(name="tgs-c-held-1", script="/x/array-0.sh"))
    assert [(each.state, each.job) for each in ledger.read(tmp_path)] == [("submitted", "5"), ("planned", "")]


# -- limits ----------------------------------------------------------------------------------------------------------

ASSOC = """ClusterName=t Account=root UserName= ParentAccount= DefAssoc=No GrpSubmitJobs=N(3) MaxSubmitJobs=
ClusterName=t Account=dev UserName= ParentAccount=root(1) DefAssoc=No GrpSubmitJobs=15(13) MaxSubmitJobs=
ClusterName=t Account=dev UserName=u(1) ParentAccount= DefAssoc=Yes GrpSubmitJobs=N(0) MaxSubmitJobs=8(3)
ClusterName=t Account=old UserName=u(1) ParentAccount= DefAssoc=No GrpSubmitJobs=N(0) MaxSubmitJobs=1(1)
QOS=normal(1) GrpSubmitJobs=20(19) Account Limits= dev={MaxSubmitJobsPA=9(2)} User Limits= UID={MaxSubmitJobsPU=6(3)}
QOS=long(2) GrpSubmitJobs=2(2) Account Limits=No Accounts User Limits=No Users"""


def cluster_settings(**changed: object) -> dict:
    return {"max_submit": 0, "account": None, "qos": None, **changed}


def test_limits_of_user_account_and_qos_count_with_what_is_queued():
    records = ASSOC.replace("UID", str(os.getuid())).splitlines()
    assert sorted(enforced(records, cluster_settings())) == [(6, 3), (8, 3), (9, 2), (15, 13), (20, 19)]
    assert sorted(enforced(records, cluster_settings(account="old", qos="long"))) == [(1, 1), (2, 2)]


def test_the_room_is_what_the_tightest_limit_leaves(commands: Path):
    answer(
        commands,
        "scontrol",
        "AccountingStorageType = accounting_storage/slurmdbd\nAccountingStorageEnforce = limits\n" + ASSOC,
    )
    answer(commands, "squeue", "\n".join(line(f"{job}_0") for job in (1, 2, 3)))
    scheduler = Scheduler()
    facts = ask(scheduler)
    assert facts.enforces_limits and room(cluster_settings(), facts, scheduler, {None}) == Room(1)
    assert room(cluster_settings(max_submit=3), facts, scheduler, {None}) == Room(0)
    answer(commands, "scontrol", "AccountingStorageType = accounting_storage/none\n")
    free = Scheduler()
    assert room(cluster_settings(), ask(free), free, {None}) == Room(None)
    assert room(cluster_settings(max_submit=5), ask(free), free, {None}) == Room(2)


def test_the_qos_of_a_partition_counts_for_what_goes_there(commands: Path):
    tight = "QOS=tight(3) GrpSubmitJobs=N(9) Account Limits=No Accounts User Limits= UID={MaxSubmitJobsPU=5(2)}"
    parts = "PartitionName=cpu Default=YES QoS=N/A State=UP\nPartitionName=gpu Default=NO QoS=tight State=UP"
    enforcing = "AccountingStorageType = accounting_storage/slurmdbd\nAccountingStorageEnforce = limits\n"
    answer(commands, "scontrol", f"{enforcing}{tight}\n{parts}".replace("UID", str(os.getuid())))
    answer(commands, "squeue", "")
    scheduler = Scheduler()
    facts, settings = ask(scheduler), cluster_settings(cpu_partition=None, gpu_partition="gpu")
    found = room(settings, facts, scheduler, {None, "gpu"})
    assert found == Room(None, {"gpu": 3})
    assert room(settings, facts, scheduler, {"cpu,gpu"}) == Room(None, {"cpu,gpu": 3})
    assert room({**settings, "qos": "tight"}, facts, scheduler, {"gpu"}) == Room(3), "its own QOS is counted once"

    def unit(name: str, gpus: int, *needs: str) -> Unit:
        return Unit(name, None, Request(1, 1.0, 60, gpus), (f"{name}/1",), frozenset(needs))

    gpu = [unit(f"g{number}", 1) for number in range(5)]
    reads = [unit("a", 0, "g4/1"), unit("b", 0, "a/1"), unit("c", 0, "g0/1")]
    fit, held = found.parted([*gpu, *reads], settings)
    assert [each.name for each in fit] == ["g0", "g1", "g2", "c"]
    assert [each.name for each in held] == ["g3", "g4", "a", "b"]
    assert Room(2).parted(gpu, settings) == (gpu[:2], gpu[2:]) and Room().parted(gpu, settings) == (gpu, [])


# -- what cannot be met now ------------------------------------------------------------------------------------------

NOW = "allocation failure: Requested node configuration is not available"


@pytest.mark.parametrize(
    ("nodes", "refusal", "words"),
    [
        ("n1|drained|8|64000|gpu:2|cpu*|maintenance\n", NOW, "n1 is drained (maintenance)"),
        ("n1|down*|8|64000|(null)|cpu*|Not responding\nn2|idle|1|100|(null)|cpu*|none\n", NOW, "n1 is down*"),
        ("n1|maint|8|64000|gpu:a100:4(S:0-1)|cpu*|none\n", NOW, "the reservation ends 2026-12-01T08:00:00"),
        ("n1|idle|8|64000|gpu:2|cpu*|none\n", NOW, None),
        ("n1|drained|8|1000|gpu:2|cpu*|x\n", NOW, None),
        ("n1|drained|8|64000|gpu:2|other|x\n", NOW, None),
        ("n1|drained|8|64000|gpu:2|cpu*|x\n", "Invalid partition name specified", None),
        ("", NOW, None),
    ],
)
def test_a_verdict_about_now_is_told_from_one_about_the_request(
    commands: Path, nodes: str, refusal: str, words: str | None
):
    answer(commands, "sinfo", nodes)
    reservation = "ReservationName=m StartTime=x EndTime=2026-12-01T08:00:00 Nodes=n[1-2] State=ACTIVE"
    answer(commands, "scontrol", reservation if "maint|" in nodes else "No reservations in the system")
    found = why_not_now(refusal, Request(2, 4.0, 60), None, Scheduler())
    assert found is None if words is None else words in str(found), found
