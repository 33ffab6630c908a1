from __future__ import annotations

import dataclasses
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.campaign.running import read_runner
from tabgraphsyn.orchestration.stored.lease import Owner, acquire, attempt_numbers, latest_attempt


def other_owner(**changes: object) -> Owner:
    """An owner on another machine, about whose process nothing is known here."""
    return dataclasses.replace(Owner.current(), host="elsewhere", boot="another", **changes)


def race(folder: str, barrier, queue) -> None:
    barrier.wait()
    lease = acquire(Path(folder), Owner.current(), 60)
    queue.put(None if lease is None else lease.number)
    barrier.wait()  # nobody leaves before all have tried: the winner must be alive


def test_of_many_processes_one_gets_the_lease(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    for turn in range(5):
        folder = tmp_path / str(turn)
        barrier, queue = context.Barrier(6), context.Queue()
        racers = [context.Process(target=race, args=(str(folder), barrier, queue)) for _ in range(6)]
        for racer in racers:
            racer.start()
        won = [queue.get(timeout=120) for _ in racers]
        for racer in racers:
            racer.join()
        assert sorted(number for number in won if number is not None) == [1]
        assert list((folder / "attempts").iterdir()) == [folder / "attempts" / "1.json"]


def test_a_living_owner_keeps_the_lease(tmp_path: Path):
    first = acquire(tmp_path, Owner.current(), 60)
    assert first is not None
    assert acquire(tmp_path, Owner.current(), 60) is None
    assert first.is_held()


def test_a_dead_process_loses_it_at_once(tmp_path: Path):
    code = (
        "import sys; from pathlib import Path; from tabgraphsyn.orchestration.stored.lease import Owner, acquire;"
        "acquire(Path(sys.argv[1]), Owner.current(), 60)"
    )
    root = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, env={**os.environ, "PYTHONPATH": str(root)})
    lease = acquire(tmp_path, Owner.current(), 3600)
    assert lease is not None
    assert lease.number == 2


def test_a_reused_process_id_is_not_the_owner(tmp_path: Path):
    owner = dataclasses.replace(Owner.current(), born=Owner.current().born - 1000)
    assert acquire(tmp_path, owner, 3600) is not None
    assert acquire(tmp_path, Owner.current(), 3600) is not None


def test_silence_loses_it_and_a_heartbeat_keeps_it(tmp_path: Path):
    lease = acquire(tmp_path, other_owner(), 600)
    assert lease is not None
    path = tmp_path / "attempts" / "1.json"
    os.utime(path, (time.time() - 700,) * 2)
    lease.beat()
    assert acquire(tmp_path, Owner.current(), 600) is None
    os.utime(path, (time.time() - 700,) * 2)
    later = acquire(tmp_path, Owner.current(), 600)
    assert later is not None
    assert (lease.is_held(), later.is_held()) == (False, True)


@pytest.mark.parametrize("ahead_s", [600, 40 * 365 * 86_400])
def test_a_heartbeat_from_the_future_is_none(tmp_path: Path, ahead_s: int):
    """A clock that jumped, or a file that was touched, must not hold a stage until that day has come."""
    first = acquire(tmp_path, other_owner(), 60)
    assert first is not None
    path = tmp_path / "attempts" / "1.json"
    os.utime(path, (time.time() + 45,) * 2)  # clocks that differ by less than the time-out
    assert acquire(tmp_path, Owner.current(), 60) is None
    os.utime(path, (time.time() + ahead_s,) * 2)
    later = acquire(tmp_path, Owner.current(), 60)
    assert later is not None and later.number == 2 and not first.is_held()


def test_a_restarted_job_takes_over_from_its_former_self(tmp_path: Path):
    """Slurm can run the old and the new copy of a job side by side when slurmd dies."""
    old = acquire(tmp_path, other_owner(job="7", restart=0), 3600)
    assert acquire(tmp_path, other_owner(job="8", restart=1), 3600) is None
    new = acquire(tmp_path, other_owner(job="7", restart=1), 3600)
    assert new is not None and old is not None
    assert not old.is_held()
    assert acquire(tmp_path, other_owner(job="7", restart=0), 3600) is None


@pytest.mark.parametrize("outcome", ["failed", "interrupted", "done"])
def test_an_ended_attempt_is_recorded_and_can_be_followed(tmp_path: Path, outcome: str):
    lease = acquire(tmp_path, other_owner(), 3600)
    assert lease is not None
    lease.end(outcome, 3, "why")
    attempt = latest_attempt(tmp_path)
    assert attempt is not None
    assert (attempt.outcome, attempt.exit_code, attempt.error) == (outcome, 3, "why")
    assert not attempt.is_running(3600)
    following = acquire(tmp_path, Owner.current(), 3600)
    assert following is not None and following.number == 2
    assert attempt_numbers(tmp_path) == [1, 2]


def test_an_unreadable_record_says_what_to_do(tmp_path: Path):
    (tmp_path / "attempts").mkdir()
    (tmp_path / "attempts" / "1.json").write_text('{"owner": ')
    with pytest.raises(StageError, match=r"1\.json: not a record of an attempt"):
        latest_attempt(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "link", "nested", "large"])
def test_a_record_that_somebody_else_made_is_refused_at_once(tmp_path: Path, kind: str):
    """A pipe would wait for ever, a link would show another file's words in the message."""
    for path in (tmp_path / "attempts" / "1.json", tmp_path / "runner.json"):
        path.parent.mkdir(exist_ok=True)
        if kind == "pipe":
            os.mkfifo(path)
        elif kind == "link":
            path.symlink_to("/etc/passwd")
        else:
            path.write_text("[" * 200_000 if kind == "nested" else '"' + "x" * (17 << 20) + '"')
    for read in (lambda: latest_attempt(tmp_path), lambda: read_runner(tmp_path)):
        with pytest.raises(StageError) as refused:
            read()
        assert len(str(refused.value)) < 1000 and "root:" not in str(refused.value)
