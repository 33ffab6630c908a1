"""The ledger of submissions and the lock around them: lines cut off, a full disk, two launches at once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from stand_ins import calls, fake, submission

from tabgraphsyn.errors import SubmissionError
from tabgraphsyn.orchestration.slurm.scheduler import Scheduler
from tabgraphsyn.orchestration.slurm.submission import record_job
from tabgraphsyn.orchestration.stored import ledger


def test_the_ledger_survives_a_cut_off_line(tmp_path: Path):
    ledger.append(tmp_path, submission("1"))
    ledger.append(tmp_path, submission("2", elements={0: ("gnn/a",)}, is_array=False))
    with (tmp_path / "slurm" / "ledger.jsonl").open("a") as handle:
        handle.write('{"job": "3", "cam')
    latest = ledger.latest_elements(ledger.read(tmp_path))
    assert {stage: each.element_id(index) for stage, (each, index) in latest.items()} == {"gnn/a": "2", "gnn/b": "1_3"}
    ledger.append(tmp_path, submission("4"))  # not glued to the rest of the line before
    assert [each.job for each in ledger.read(tmp_path)] == ["1", "2", "4"]


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
        from tabgraphsyn.orchestration.stored.ledger import submission_lock
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
