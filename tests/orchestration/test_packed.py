"""Records of a done stage, packed into its ``done.json``: fewer files, and every reader finds what it found before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_worker import spec_for

from tabgraphsyn.evaluation.report.sources import _stage_record
from tabgraphsyn.orchestration.campaign.campaigns import Campaign, PointRecord
from tabgraphsyn.orchestration.computing.attempt_log import attempt_lines, log_path
from tabgraphsyn.orchestration.computing.worker import run_stage
from tabgraphsyn.orchestration.reading.garbage import RECORDS, garbage
from tabgraphsyn.orchestration.reading.status import campaign_status
from tabgraphsyn.orchestration.stored import packed
from tabgraphsyn.orchestration.stored.lease import Lease, Owner, acquire, attempt_numbers, read_attempt
from tabgraphsyn.orchestration.stored.store import State, Store, discard, done_manifest
from tabgraphsyn.verbs.gc import delete


@pytest.fixture
def done(tmp_path: Path) -> Path:
    """A done stage that needed two attempts."""
    spec = spec_for(tmp_path, "print")
    lease = acquire(spec.parent, Owner.current(), 60.0)
    assert lease is not None
    lease.end("interrupted", 75, "stopped")
    log_path(spec.parent, 1).parent.mkdir()
    log_path(spec.parent, 1).write_text("first\nlines\n")
    assert run_stage(spec) == 0
    return spec.parent


def files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith("artifacts/")}


def seen(folder: Path) -> tuple[object, ...]:
    """What commands read of a stage."""
    store = Store(folder.parents[1])
    stage_id = f"{folder.parent.name}/{folder.name}"
    numbers = attempt_numbers(folder)
    manifest = {key: value for key, value in (done_manifest(folder) or {}).items() if key != packed.RECORD}
    return (
        list(store.stage_ids()),
        store.state_and_attempt(stage_id),
        [read_attempt(folder, number) for number in numbers],
        [attempt_lines(folder, number, 1000) for number in numbers],
        manifest,
    )


def test_one_file_is_left_and_nothing_is_lost(done: Path):
    before, mode = seen(done), (done / "done.json").stat().st_mode
    assert len(files(done)) == 7
    assert packed.pack(done) == 6
    assert files(done) == {"done.json"} and not (done / "attempts").exists() and not (done / "logs").exists()
    assert seen(done) == before and (done / "done.json").stat().st_mode == mode
    assert packed.record_of(done)["files"]["attempt-2.jsonl"].startswith("{")
    assert packed.record_of(done)["spec"]["stage"] == "sample" == packed.read_spec(done).stage
    assert packed.pack(done) == 0


def test_a_pack_that_was_cut_off_between_its_steps_has_lost_nothing(done: Path, monkeypatch: pytest.MonkeyPatch):
    before = seen(done)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(OSError, match="killed"):
            packed.pack(done)
    assert len(files(done)) == 7 and seen(done) == before
    packed.pack(done)
    assert files(done) == {"done.json"} and seen(done) == before


def test_what_is_not_done_or_not_ones_own_stays(done: Path, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patch:
        patch.setattr("os.geteuid", lambda: 12345)
        assert packed.packable(done) == []
    (done / "logs" / "attempt-1.log").write_bytes(b"x" * (5 << 20))
    assert packed.packable(done) == [], "a large log stays a file"
    discard(done)
    assert packed.packable(done) == []


def test_a_stage_can_run_again(done: Path):
    packed.pack(done)
    discard(done)
    store = Store(done.parents[1])
    assert store.state(f"{done.parent.name}/{done.name}") is State.RESUMABLE
    assert attempt_numbers(done) == [1, 2], "who wakes up finds a higher number, as if nothing was packed"
    assert attempt_lines(done, 1, 10) == ["first", "lines"]
    discard(done)
    (done / "done.json").write_text('{"record": {"attempts": {"3": {"heartbeat": "x"}}}}')
    discard(done)
    assert not (done / "done.json").exists(), "whatever a damaged one says"


def by_itself(tmp_path: Path, action: str = "print") -> subprocess.CompletedProcess[str]:
    """Run a stage that packs its own records in a process of its own, what it prints captured."""
    spec = spec_for(tmp_path, action, packs_records=True)
    paths = os.pathsep.join([str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parent)])
    return subprocess.run(
        [sys.executable, "-m", "tabgraphsyn.orchestration.computing.worker", str(spec), "--capture"],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_a_stage_packs_its_own_records_when_it_is_done(tmp_path: Path):
    """All that it printed is there; whoever still holds the place of its spec finds it done."""
    ended = by_itself(tmp_path)
    assert ended.returncode == 0, ended.stderr
    (folder,) = (tmp_path / "stages" / "sample").iterdir()
    assert files(folder) == {"done.json"}
    (attempt,) = [read_attempt(folder, number) for number in attempt_numbers(folder)]
    assert (attempt.outcome, attempt.exit_code) == ("done", 0) and attempt.ended is not None
    lines = attempt_lines(folder, 1, 100)
    assert any("printed" in line for line in lines) and "done in" in lines[-1], lines
    points = {"p": PointRecord([], {"sample": f"sample/{folder.name}"})}
    campaign = Campaign(folder.parents[2] / "campaigns" / "c", points)
    (stage,) = campaign_status(campaign).points[0].stages
    assert (stage.state, stage.attempt, stage.log) == ("done", 1, "")
    stamp = (folder / "done.json").stat().st_mtime
    assert stamp <= attempt.ended, "when it was done, not when it was packed"
    assert run_stage(folder / "spec.json") == 0 and attempt_numbers(folder) == [1]


@pytest.mark.parametrize("trained", [False, True])
def test_what_a_stage_logged_stays_a_file_where_it_trained(tmp_path: Path, trained: bool):
    spec = spec_for(tmp_path, "", is_resumable=trained)
    assert run_stage(spec) == 0
    line = '{"step": 1, "progress": 0.5}\n'
    (spec.parent / "metrics.jsonl").write_text(line)
    packed.pack(spec.parent)
    assert files(spec.parent) == ({"done.json", "metrics.jsonl"} if trained else {"done.json"})
    assert _stage_record("sample", spec.parent).metrics == ({"step": 1, "progress": 0.5},)
    assert packed.packable(spec.parent) == []


def test_what_did_not_end_well_keeps_its_files(tmp_path: Path):
    spec = spec_for(tmp_path, "fail", packs_records=True)
    assert run_stage(spec) == 3
    assert files(spec.parent) == {"spec.json", "attempts/1.json", "logs/attempt-1.log", "logs/attempt-1.jsonl"}


def test_a_file_that_goes_while_it_is_looked_for_is_found_in_the_pack(done: Path, monkeypatch: pytest.MonkeyPatch):
    """Readers of a running campaign may meet the moment between the look and the reading."""
    before, is_packed = seen(done)[2], list[int]()
    real = os.path.lexists

    def now(path: Path) -> bool:
        found = real(path)
        if not is_packed and "attempts" in str(path):
            is_packed.append(0)
            is_packed[0] = packed.pack(done, leaves_folders=True)
        return found

    monkeypatch.setattr(os.path, "lexists", now)
    assert [read_attempt(done, number) for number in (1, 2)] == before and is_packed == [6]
    assert (done / "attempts").is_dir(), "an attempt that begins now writes there"


def test_an_attempt_that_ends_after_the_pack_does_not_hold_the_stage(done: Path):
    packed.pack(done, leaves_folders=True)
    old = Lease(done, 1, {"owner": vars(Owner.current()), "started": 1.0})
    old.end("fenced", 75, "overtaken")
    assert not old.is_held() and attempt_numbers(done) == [1, 2]


def test_an_older_attempt_that_wakes_up_holds_nothing(tmp_path: Path):
    spec = spec_for(tmp_path, "print")
    old = acquire(spec.parent, Owner.current(), 60.0)
    assert old is not None
    raw = json.loads((spec.parent / "attempts" / "1.json").read_text())
    raw["owner"]["pid"], raw["owner"]["born"] = 1 << 22, 1.0
    (spec.parent / "attempts" / "1.json").write_text(json.dumps(raw))
    assert run_stage(spec) == 0
    packed.pack(spec.parent)
    old.beat()
    assert not old.is_held()


def test_the_rule_packs(done: Path):
    found = [each for each in garbage(done.parents[2], []) if each.rule == RECORDS]
    assert [(each.path, each.files) for each in found] == [(done, 6)]
    assert delete(found) == 1 and files(done) == {"done.json"}
    assert list(garbage(done.parents[2], [])) == []
