from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fake_stages import fake_catalog

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.computing.worker import guarded_run, run_stage
from tabgraphsyn.orchestration.planning.plan import Stage, source_stage
from tabgraphsyn.orchestration.planning.signature import signature
from tabgraphsyn.orchestration.planning.spec import Runtime, load_spec, save_spec
from tabgraphsyn.orchestration.stored.lease import Owner, acquire, latest_attempt
from tabgraphsyn.orchestration.stored.store import State, Store

KINDS = fake_catalog().kinds


def stage(kind: str, action: str, inputs: dict[str, str] | None = None) -> Stage:
    config = {"fake": {kind: action}, "seed": 0}
    name = signature(stage=kind, version=1, table="a", config=config, inputs=inputs or {})
    return Stage(KINDS[kind], "a", name, config, inputs or {})


def spec_for(tmp_path: Path, action: str, kind: str = "sample", **runtime: object) -> Path:
    node = stage(kind, action)
    settings = {"module": "fake_stages", "is_resumable": KINDS[kind].is_resumable, "heartbeat_s": 0.1, **runtime}
    return save_spec(tmp_path / "stages" / node.id, node, Runtime(**settings))


def state(spec: Path) -> State:
    return Store(spec.parents[2]).state(f"{spec.parent.parent.name}/{spec.parent.name}")


def error(spec: Path) -> str:
    attempt = latest_attempt(spec.parent)
    assert attempt is not None
    return attempt.error or ""


def test_a_done_stage_tells_what_it_did(tmp_path: Path):
    spec = spec_for(tmp_path, "print")
    assert run_stage(spec) == 0
    done = json.loads((spec.parent / "done.json").read_text())
    assert done["stage"] == "sample"
    assert done["attempt"] == 1
    assert set(done["outputs"]) == {"out.txt", "synthetic/a.csv"}
    assert done["elapsed_s"] >= 0 and done["peak_memory_mb"] > 1
    assert done["device"] == "cpu"
    assert state(spec) is State.DONE
    assert run_stage(spec) == 0  # nothing to do
    assert not (spec.parent / "attempts" / "2.json").exists()


@pytest.mark.parametrize(
    ("action", "code", "text"),
    [
        ("fail", 3, "sample: made to fail"),
        ("full_disk", 3, "disk: No space left on device"),
        ("unknown", 3, "KeyError: 'unknown'"),
    ],
)
def test_a_failed_stage_leaves_its_reason_and_no_results(tmp_path: Path, action: str, code: int, text: str):
    spec = spec_for(tmp_path, action)
    assert run_stage(spec) == code
    assert text in error(spec)
    assert state(spec) is State.FAILED
    assert not (spec.parent / "artifacts").exists()
    log = (spec.parent / "logs" / "attempt-1.log").read_text()
    assert "Traceback" in log and text in log


def worker(spec: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tabgraphsyn.orchestration.computing.worker", str(spec), "--capture", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_write_cut_off_by_a_limit_fails_the_stage(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "too_large")
    assert worker(spec, environment).wait(timeout=120) == 3
    assert state(spec) is State.FAILED
    assert "disk: File too large" in error(spec)


def test_what_a_stage_prints_is_in_its_log(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "print")
    process = worker(spec, environment)
    out, _ = process.communicate(timeout=120)
    assert (process.returncode, out) == (0, b"")
    log = (spec.parent / "logs" / "attempt-1.log").read_text()
    assert "printed by the stage" in log and "printed to stderr" in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR2])
def test_a_signal_saves_and_the_next_attempt_resumes(
    tmp_path: Path, environment: dict[str, str], number: signal.Signals
):
    spec = spec_for(tmp_path, "train_held", kind="autoencoder")
    process = worker(spec, environment)
    wait_for(spec.parent / "held.mark")
    process.send_signal(number)
    assert process.wait(timeout=120) == 75
    assert state(spec) is State.RESUMABLE
    assert "stopped at step" in error(spec)
    assert run_stage(spec) == 0
    steps = [json.loads(line)["step"] for line in (spec.parent / "metrics.jsonl").read_text().splitlines()]
    assert steps == list(range(1, 21))


def test_a_stage_that_reads_no_flag_is_stopped_at_once(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "sleep_long")
    process = worker(spec, environment)
    wait_for(spec.parent / "asleep.mark")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 75
    assert state(spec) is State.RESUMABLE


def test_a_killed_worker_leaves_a_resumable_stage(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "die_once")
    assert worker(spec, environment).wait(timeout=120) == -signal.SIGKILL
    assert state(spec) is State.RESUMABLE
    assert list(spec.parent.glob(".artifacts-1"))
    assert run_stage(spec) == 0
    assert not list(spec.parent.glob(".artifacts-*"))
    assert json.loads((spec.parent / "done.json").read_text())["attempt"] == 2


def test_an_overtaken_worker_stops_and_does_not_publish(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "sleep_long")
    process = worker(spec, environment)
    wait_for(spec.parent / "logs" / "attempt-1.log")
    newer = acquire(spec.parent, Owner.current(), -1)
    assert newer is not None
    assert process.wait(timeout=120) == 75
    assert json.loads((spec.parent / "attempts" / "1.json").read_text())["outcome"] == "fenced"
    assert not (spec.parent / "done.json").exists()


def test_an_overtaken_training_saves_nothing_more_before_its_heart_tells(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "train", kind="autoencoder", module="ranked_stages", heartbeat_s=600.0)
    process = worker(spec, {**environment, "FAKE_PAUSE_S": "0.2"})
    wait_for(spec.parent / "checkpoints")
    newer = acquire(spec.parent, Owner.current(), -1)
    assert newer is not None
    assert process.wait(timeout=120) == 75
    assert json.loads((spec.parent / "attempts" / "1.json").read_text())["outcome"] == "fenced"
    assert not (spec.parent / "checkpoints" / "step-60").exists()
    newer.end("interrupted", 75)
    assert run_stage(spec) == 0
    lines = [json.loads(line) for line in (spec.parent / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(5, 61, 5))


def test_a_worker_waits_for_another_and_computes_nothing(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "sleep")
    processes = [worker(spec, environment) for _ in range(3)]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0]
    assert len(list((tmp_path / "marks").iterdir())) == 1


def test_an_input_that_is_not_what_was_published_stops_the_stage(tmp_path: Path):
    first = spec_for(tmp_path, "")
    assert run_stage(first) == 0
    (first.parent / "artifacts" / "out.txt").write_text("tampered")
    node = stage("evaluate", "", {"sample": f"sample/{first.parent.name}"})
    second = save_spec(tmp_path / "stages" / node.id, node, Runtime(module="fake_stages"))
    assert run_stage(second) == 3
    assert "input 'sample'" in error(second)


def test_a_spec_must_match_its_folder(tmp_path: Path):
    spec = spec_for(tmp_path, "")
    raw = json.loads(spec.read_text())
    raw["config"]["seed"] = 1
    spec.write_text(json.dumps(raw))
    with pytest.raises(StageError, match="its signature is"):
        load_spec(spec)
    assert guarded_run(spec, capture=False) == 3
    assert "its signature is" in json.loads((spec.parent / "start_error.json").read_text())["error"]


def test_the_data_folder_may_move(tmp_path: Path):
    def node(path: str) -> Stage:
        return source_stage({"dataset": {"name": "x", "tables": ["a"], "path": path}}, "content", fake_catalog())

    assert node("/one").id == node("/two").id
    runtime = Runtime(module="fake_stages", place_keys=KINDS["ingest"].place_keys)
    assert run_stage(save_spec(tmp_path / "stages" / node("/one").id, node("/one"), runtime)) == 0


def wait_for(path: Path, timeout_s: float = 120) -> None:
    end = time.monotonic() + timeout_s
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not appear"
        time.sleep(0.02)


def test_the_process_id_in_the_record_is_the_workers(tmp_path: Path):
    spec = spec_for(tmp_path, "")
    run_stage(spec)
    attempt = latest_attempt(spec.parent)
    assert attempt is not None
    assert (attempt.owner.pid, attempt.outcome) == (os.getpid(), "done")


def test_a_spec_names_no_code_that_the_launch_did_not_allow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In a shared store others can write a spec; none of what says how a stage runs is in its signature."""
    path = spec_for(tmp_path, "print")
    written = json.loads(path.read_text())
    monkeypatch.setenv("TABGRAPHSYN_ALLOW_TARGETS", "")
    with pytest.raises(StageError, match=r"'fake_stages'.*did not allow"):
        load_spec(path)
    for changes, message in (
        ({"module": "os"}, "'os'"),
        ({"allow_targets": ["subprocess"]}, "'subprocess'"),
        ({"module": "tabgraphsyn.verbs.cli", "allow_targets": []}, "is not what runs"),
        (
            {"module": "tabgraphsyn.stages.gnn", "allow_targets": [], "place_keys": ["seed"]},
            "signature|is not what runs",
        ),
    ):
        monkeypatch.setenv("TABGRAPHSYN_ALLOW_TARGETS", "fake_stages" if "allow_targets" in changes else "")
        path.write_text(json.dumps({**written, "runtime": {**written["runtime"], **changes}}))
        with pytest.raises(StageError, match=message):
            load_spec(path)
