from __future__ import annotations

import json
from pathlib import Path

from tabgraphsyn.tracking.base import RunIdentity, Trackers
from tabgraphsyn.tracking.jsonl import JsonlTracker, last_lines, whole_lines
from tabgraphsyn.tracking.none import NoTracker


def steps(path: Path) -> list[int]:
    return [line["step"] for line in whole_lines(path)]


def test_lines_hold_step_time_and_metrics(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    tracker = JsonlTracker(path)
    tracker.log({"loss": 0.5, "rows": 3}, 1)
    tracker.log({"loss": float("nan")}, 2)
    tracker.close()
    first, second = (json.loads(line) for line in path.read_text().splitlines())
    assert (first["step"], first["loss"], first["rows"]) == (1, 0.5, 3)
    assert first["time_s"] >= 0
    assert second["loss"] == "nan"  # json has no NaN, and it must not be lost in silence


def test_rewind_drops_what_came_after_the_checkpoint(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    tracker = JsonlTracker(path)
    for step in range(10):
        tracker.log({"loss": step}, step)
    tracker.close()
    again = JsonlTracker(path)
    again.rewind(4)
    assert steps(path) == [0, 1, 2, 3, 4]
    again.log({"loss": 5}, 5)
    again.close()
    lines = whole_lines(path)
    assert [line["step"] for line in lines] == [0, 1, 2, 3, 4, 5]
    times = [line["time_s"] for line in lines]
    assert times == sorted(times)


def test_an_attempt_that_starts_over_leaves_no_double_steps(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    for _ in range(2):
        tracker = JsonlTracker(path)
        for step in (1, 2, 3):
            tracker.log({"loss": step}, step)
        tracker.close()
    assert steps(path) == [1, 2, 3]


def test_an_older_attempt_cannot_write_into_the_file_of_a_later_one(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    old = JsonlTracker(path)
    old.log({"loss": 1}, 1)
    new = JsonlTracker(path)
    new.rewind(1)
    old.log({"loss": 99}, 2)
    new.log({"loss": 2}, 2)
    old.close()
    new.close()
    assert [(line["step"], line["loss"]) for line in whole_lines(path)] == [(1, 1), (2, 2)]


def test_a_line_cut_off_by_a_kill_is_left_out(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "time_s": 0.1}\n{"step": 2, "ti')
    assert steps(path) == [1]
    tracker = JsonlTracker(path)
    tracker.log({"loss": 0}, 2)
    tracker.close()
    assert steps(path) == [1, 2]


def test_the_tail_of_a_long_file(tmp_path: Path):
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps({"step": step, "loss": 0.123456}) + "\n" for step in range(5000)))
    lines = last_lines(path)
    assert lines[-1]["step"] == 4999
    assert len(lines) < 1000


def test_trackers_as_one(tmp_path: Path):
    identity = RunIdentity("id", "gnn", "c/p", tmp_path, {})
    first, second = JsonlTracker(tmp_path / "a.jsonl"), JsonlTracker(tmp_path / "b.jsonl")
    both = Trackers([first, second, NoTracker(run=identity)])
    both.log({"loss": 1}, 1)
    both.log({"loss": 1}, 2)
    both.rewind(1)
    both.close()
    assert steps(tmp_path / "a.jsonl") == steps(tmp_path / "b.jsonl") == [1]


def test_a_stage_that_logs_nothing_leaves_no_file(tmp_path: Path):
    tracker = JsonlTracker(tmp_path / "metrics.jsonl")
    tracker.close()
    tracker.close()
    assert not any(tmp_path.iterdir())
