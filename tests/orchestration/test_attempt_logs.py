"""Logs of attempts: no planted secret in what a stage prints, however it prints; lines of json say who speaks."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_worker import spec_for, worker

from tabgraphsyn.orchestration.computing.attempt_log import attempt_log
from tabgraphsyn.orchestration.computing.worker import run_stage

PLANTED = "pl4nted-s3cret-of-a-log"
TOKEN = "ghp_" + "a1B2" * 8
# In front of each: python's stdout and stderr, C's, a child's; without a line end; in one line with much else.
SAID = f"""
import os, subprocess, sys
from pathlib import Path
from tabgraphsyn.orchestration.computing.captured_output import redirect_output
redirect_output(Path(sys.argv[1]))
secret = os.environ["MY_TOKEN"]
print("first", secret)
print("second", secret, file=sys.stderr)
sys.stdout.flush()
os.write(1, b"third " + secret.encode() + b"\\n")
subprocess.run(["sh", "-c", "echo fourth $MY_TOKEN; echo fifth {TOKEN} >&2"])
os.write(2, b"x" * 70_000 + secret.encode() + b" sixth\\n")
os.write(1, b"\\xff\\xfe seventh\\rprogress " + secret.encode() + b"\\r")
if sys.argv[2] == "abort":
    os.write(2, b"last words " + secret.encode())
    os.abort()
print("last words", secret, end="")
"""


@pytest.mark.parametrize("ending", ["leave", "abort"])
def test_what_is_printed_is_in_the_file_and_no_secret(tmp_path: Path, ending: str):
    log = tmp_path / "logs" / "out.log"
    own = {**os.environ, "MY_TOKEN": PLANTED, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", SAID, str(log), ending], env=own, capture_output=True, timeout=120, check=False
    )
    assert (done.returncode == 0, done.stdout, done.stderr) == (ending == "leave", b"", b"")
    written = log.read_bytes() if ending == "leave" else _settled(log)
    assert all(word in written for word in (b"first", b"second", b"third", b"fourth", b"fifth", b"sixth", b"seventh"))
    assert written.endswith(b"last words <redacted>") and b"\xff\xfe" in written
    assert PLANTED.encode() not in written and TOKEN.encode() not in written


def _settled(log: Path) -> bytes:
    """Return what stands there once the reader, which outlives an abort, has written the last words."""
    from time import monotonic, sleep

    end = monotonic() + 120
    while b"last words" not in log.read_bytes() and monotonic() < end:
        sleep(0.01)
    return log.read_bytes()


def test_a_worker_leaves_no_secret_in_its_folder(tmp_path: Path, environment: dict[str, str]):
    spec = spec_for(tmp_path, "tattle", group="camp/seed=1")
    process = worker(spec, {**environment, "MY_TOKEN": PLANTED, "SLURM_JOB_ID": "4711"})
    assert process.wait(timeout=120) == 3
    files = [path for path in spec.parent.rglob("*") if path.is_file()]
    assert not [path for path in files if PLANTED.encode() in path.read_bytes()]
    log = (spec.parent / "logs" / "attempt-1.log").read_text()
    assert log.count("<redacted>") >= 4 and "Traceback" in log


def lines(spec: Path) -> list[dict]:
    return [json.loads(line) for line in (spec.parent / "logs" / "attempt-1.jsonl").read_text().splitlines()]


def test_lines_of_json_say_who_speaks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    spec = spec_for(tmp_path, "print", group="camp/a=1,seed=0")
    assert run_stage(spec) == 0
    found = lines(spec)
    about = {"campaign": "camp", "point": "a=1,seed=0", "stage": "sample/a", "job": "4711", "attempt": 1}
    assert found and all({**line, **about, "signature": spec.parent.name} == line for line in found)
    assert {"time", "level", "message"} <= set(found[0]) and found[-1]["message"].startswith("done in")


def test_a_failure_is_one_line_with_its_traceback_and_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MY_TOKEN", PLANTED)
    with attempt_log(tmp_path, 3, capture=False, about={"stage": "x"}) as log:
        try:
            raise ValueError(f"no entry with\n{PLANTED}")
        except ValueError:
            log.error("password=%s of %s", "hunter2hunter2", PLANTED, exc_info=True)
        logging.getLogger("elsewhere").warning("and 'quotes' \"too\"")
    first, second = [json.loads(line) for line in (tmp_path / "logs" / "attempt-3.jsonl").read_text().splitlines()]
    assert "ValueError" in first["traceback"] and first["attempt"] == 3
    assert second["message"] == "and 'quotes' \"too\"" and second["level"] == "WARNING"
    text = (tmp_path / "logs" / "attempt-3.jsonl").read_text() + (tmp_path / "logs" / "attempt-3.log").read_text()
    assert PLANTED not in text and "hunter2" not in text


def test_no_signal_to_the_group_ends_the_reader(tmp_path: Path):
    """A handler of the process, inherited, would print where the reader has nothing open, and end it."""
    code = """if True:
        import os, signal, sys, time
        from pathlib import Path
        from tabgraphsyn.orchestration.computing.captured_output import redirect_output
        wanted = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2, signal.SIGCONT, signal.SIGALRM, signal.SIGXCPU)
        for number in wanted:
            signal.signal(number, lambda *_: print("heard", file=sys.stderr, flush=True))
        redirect_output(Path(sys.argv[1]))
        for number in wanted:
            os.killpg(0, number)
            time.sleep(0.05)
        print("said at the end", flush=True)
    """
    path = tmp_path / "log"
    subprocess.run([sys.executable, "-c", code, str(path)], check=True, start_new_session=True, timeout=120)
    said = path.read_text().splitlines()
    assert said.count("heard") == 6 and said[-1] == "said at the end"
