"""The real launch with fake stages, in processes of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
BASE = ("dataset.path=x",)


class Launches:
    """Starts launches whose output lies in one folder."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.out = folder / "out"
        self._environment = environment
        self._folder = folder

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(HERE / "fake_launch.py"), *BASE, f"output_dir={self.out}", *arguments]
        return subprocess.Popen(
            command,
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        process = self.start(*arguments)
        text, _ = process.communicate(timeout=120)
        assert process.returncode == code, text
        return text

    def computed(self) -> Counter[str]:
        """How often each stage was computed."""
        folder = self.out / "marks"
        names = [path.name.rsplit("-", 2)[0] for path in folder.iterdir()] if folder.is_dir() else []
        return Counter(names)

    def hashes(self) -> dict[str, str]:
        """Hash of every published file."""
        found = {}
        for path in sorted(self.out.glob("stages/*/*/done.json")):
            for name, output in json.loads(path.read_text())["outputs"].items():
                found[f"{path.parent.relative_to(self.out)}/{name}"] = output["sha256"]
        return found

    def campaign(self) -> Path:
        (folder,) = (path.parent for path in self.out.glob("campaigns/*/campaign.json"))
        return folder

    def wait_for(self, pattern: str, timeout_s: float = 120) -> Path:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = next(iter(self.out.glob(pattern)), None)
            if found is not None:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{pattern} did not appear")


@pytest.fixture
def launches(tmp_path: Path, environment: dict[str, str]) -> Launches:
    # A fork server is faster; one test below uses fresh interpreters.
    return Launches(tmp_path, {**environment, "FAKE_PRELOAD": "json"})


def test_a_launch_computes_once_and_shows_its_results(launches: Launches):
    text = launches.run()
    folder = launches.campaign()
    assert text.splitlines()[-1].endswith(str(folder))
    assert "7 stages (7 computed, 0 cached)" in text
    point = folder / "default"
    assert (point / "synthetic" / "a.csv").read_text() == "x\n1\n"
    assert (point / "metrics.json").read_text() == "{}"
    assert "seed: 0" in (point / "config.yaml").read_text()
    before = launches.computed()
    assert set(before.values()) == {1}
    text = launches.run()  # finds itself, computes nothing
    assert "(0 computed, 7 cached)" in text
    assert launches.computed() == before
    # Something in the store broke: exactly that is computed again.
    (launches.wait_for("stages/gnn/*/artifacts/out.txt")).write_text("short")
    launches.run()
    repeated = {name.split("-")[0] for name, count in launches.computed().items() if count > 1}
    assert repeated == {"gnn"}


def test_a_sweep_is_one_dag(launches: Launches):
    launches.run("-m", "gnn=gin,gat", "seed=0,1", "fake.sample=print", "cluster.workers=3", "cluster.threads=3")
    kinds = Counter(name.split("-")[0] for name in launches.computed())
    assert kinds == {"ingest": 1, "prepare": 1, "autoencoder": 4, "gnn": 4, "sample": 4, "evaluate": 4}
    assert set(launches.computed().values()) == {1}
    points = {path.name for path in launches.campaign().iterdir() if path.is_dir()}
    assert points == {"gnn=gin,seed=0", "gnn=gin,seed=1", "gnn=gat,seed=0", "gnn=gat,seed=1"}
    assert all((launches.campaign() / point / "metrics.json").exists() for point in points)


def test_a_failed_stage_stops_only_what_depends_on_it(launches: Launches):
    text = launches.run("fake.gnn=fail", code=3)
    assert "FAILED  gnn" in text and "gnn: made to fail" in text
    assert "| " in text and "Traceback" in text
    assert "2 stages depend on it and do not run: evaluate, sample" in text
    assert "1 failed, 2 blocked" in text
    # The same command tries again, and only what is missing.
    before = launches.computed()
    launches.run("fake.gnn=fail", code=3)
    assert {name.split("-")[0] for name, count in (launches.computed() - before).items()} == {"gnn"}


def test_a_killed_worker_is_resumed_by_the_same_command(launches: Launches):
    text = launches.run("fake.prepare=die_once", code=3)
    assert "killed by SIGKILL" in text
    launches.run("fake.prepare=die_once")
    assert launches.computed()[next(name for name in launches.computed() if name.startswith("prepare"))] == 2


def test_exit_code_zero_is_not_done(launches: Launches):
    text = launches.run("fake.prepare=exit_zero", code=3)
    assert "exit code 0 and without done.json" in text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_launch_resumes_to_the_same_bits(launches: Launches, tmp_path: Path, number: signal.Signals):
    process = launches.start("fake.autoencoder=train_held")
    launches.wait_for("stages/autoencoder/*/held.mark")
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 75, text
    assert "the same command resumes" in text
    (launches.out / "release").touch()
    launches.run("fake.autoencoder=train_held")
    steps = [
        [json.loads(line)["step"] for line in path.read_text().splitlines()]
        for path in launches.out.glob("stages/autoencoder/*/metrics.jsonl")
    ]
    assert steps == [list(range(1, 21))] * 2
    undisturbed = Launches(tmp_path / "again", launches._environment)
    undisturbed.out.mkdir(parents=True)
    (undisturbed.out / "release").touch()
    undisturbed.run("fake.autoencoder=train_held")
    assert undisturbed.hashes() == launches.hashes()


def test_two_racing_launches_compute_nothing_twice(launches: Launches):
    arguments = ("fake.prepare=sleep", "fake.gnn=sleep", "fake.evaluate=sleep")
    processes = [launches.start(*arguments) for _ in range(2)]
    texts = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], texts
    assert set(launches.computed().values()) == {1}, texts


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Return what a launch prints up to the line with ``words``, however long a busy machine takes to get there."""
    text = ""
    while words not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    return text


def test_a_killed_launch_leaves_stages_that_the_next_one_joins(launches: Launches):
    process = launches.start("fake.autoencoder=hold")
    launches.wait_for("marks/autoencoder-*")
    process.kill()
    process.wait()
    process.stdout.close()
    second = launches.start("fake.autoencoder=hold")
    text = read_until(second, "join    autoencoder")
    (launches.out / "release").touch()
    rest, _ = second.communicate(timeout=120)
    assert second.returncode == 0, text + rest
    assert set(launches.computed().values()) == {1}


def test_a_joined_stage_that_fails_is_not_tried_again(launches: Launches):
    first = launches.start("fake.prepare=hold+fail")
    launches.wait_for("marks/prepare-*")
    second = launches.start("fake.prepare=hold+fail")
    text = read_until(second, "join    prepare")
    (launches.out / "release").touch()
    first.communicate(timeout=120)
    text += second.communicate(timeout=120)[0]
    assert second.returncode == 3
    assert "failed in another launch" in text
    assert set(launches.computed().values()) == {1}


def test_bad_data_ends_the_command_before_anything_is_queued(launches: Launches):
    text = launches.run("dataset.tables=[]", code=2)
    assert text.strip() == "dataset.tables: at least one table, found []. Name some."
    assert not (launches.out / "stages").exists()
    assert not (launches.out / "campaigns").exists() or not list(launches.out.glob("campaigns/*/campaign.json"))


def test_a_dry_run_writes_nothing(launches: Launches):
    text = launches.run("-m", "gnn=gin,gat", "dry_run=true")
    assert "10 run, 0 cached, 0 join, 0 blocked" in text
    assert not launches.out.exists()
    launches.run("gnn=gin")
    before = sorted(launches.out.rglob("*"))
    text = launches.run("-m", "gnn=gin,gat", "dry_run=true")
    assert "3 run, 7 cached" in text
    assert sorted(launches.out.rglob("*")) == before


def test_a_dry_run_says_what_is_blocked(launches: Launches):
    text = launches.run("resources.gnn.device=cuda", "dry_run=true")
    assert "4 run, 0 cached, 0 join, 3 blocked" in text


def test_inline_runs_in_the_calling_process(launches: Launches):
    text = launches.run("cluster.executor=inline")
    assert "(7 computed, 0 cached)" in text
    owners = {json.loads(path.read_text())["owner"]["pid"] for path in launches.out.glob("stages/*/*/attempts/1.json")}
    assert len(owners) == 1


@pytest.mark.slow
def test_fresh_interpreters_do_the_same(tmp_path: Path, environment: dict[str, str]):
    launches = Launches(tmp_path, environment)
    launches.run("cluster.preload=false")
    assert set(launches.computed().values()) == {1}


def test_the_same_campaign_keeps_its_points_and_refuses_to_lose_one(launches: Launches):
    launches.run("campaign=mine", "-m", "seed=0,1", "cluster.executor=inline")
    launches.run("campaign=mine", "-m", "seed=1,2", "cluster.executor=inline", "cluster.workers=1")
    record = json.loads((launches.campaign() / "campaign.json").read_text())
    assert set(record["points"]) == {"seed=0", "seed=1", "seed=2"}
    text = launches.run("campaign=mine", "-m", "gnn=gat", "seed=0,1", code=2)
    assert "already holds point 'seed=0' of other overrides" in text


def test_hashes_decide_what_is_shown(launches: Launches):
    """An edited default, launched under the same name, replaces the results in the point's folder."""
    launches.run("campaign=mine")
    shown = launches.campaign() / "default" / ".shown" / "sample"
    first = shown.read_text()
    conf = Path(launches._environment["FAKE_CONF"]) / "config.yaml"
    text = conf.read_text()
    conf.write_text(text.replace('sample: ""', 'sample: "print"'))
    try:
        launches.run("campaign=mine")
    finally:
        conf.write_text(text)
    assert shown.read_text() != first
    assert hashlib.sha256((launches.campaign() / "default" / "metrics.json").read_bytes()).hexdigest()


def test_two_campaigns_show_the_same_stages_and_a_launch_writes_few_files(launches: Launches):
    """What one launch computes stands in the folders of all that want it, each with its own config."""
    launches.run("campaign=one", "-m", "seed=0,1", "cluster.executor=inline")
    launches.run("campaign=two", "-m", "seed=0,1,2", "cluster.executor=inline", "cluster.workers=1")
    points = {path.parent for path in launches.out.glob("campaigns/*/*/metrics.json")}
    assert sorted(f"{path.parent.name}/{path.name}" for path in points) == [
        *(f"one/seed={seed}" for seed in range(2)),
        *(f"two/seed={seed}" for seed in range(3)),
    ]
    for path in points:
        text = (path / "config.yaml").read_text()
        assert f"seed: {path.name[-1]}\n" in text and f"campaign: {path.parent.name}\n" in text
    two = launches.out / "campaigns" / "two"
    files = {path.name for path in two.iterdir() if path.is_file()}
    assert files >= {"campaign.json", "configs.yaml", "wanted.jsonl"} and len(files) <= 4
    assert not list(launches.out.glob("stages/*/*/subscribers"))


def test_the_worker_shows_results_to_a_campaign_that_came_later(launches: Launches):
    """The launch that recorded it is gone: the worker of another one finds the campaign by itself."""
    from tabgraphsyn.orchestration.campaign.showing import publish_subscribed

    launches.run("campaign=one", "cluster.executor=inline")
    launches.run("campaign=two", "cluster.executor=inline")
    point = launches.out / "campaigns" / "two" / "default"
    shutil.rmtree(point)
    for folder in launches.out.glob("stages/*/*"):
        publish_subscribed(folder)
    assert (point / "metrics.json").read_text() == "{}"
    assert (point / "synthetic" / "a.csv").exists() and "campaign: two\n" in (point / "config.yaml").read_text()


def test_a_gpu_is_lent_to_one_stage(tmp_path: Path, environment: dict[str, str]):
    """Names may be ids of MIG parts; they are never read as numbers."""
    launches = Launches(tmp_path, {**environment, "CUDA_VISIBLE_DEVICES": "GPU-aa,MIG-bb", "FAKE_PRELOAD": "torch"})
    wanted = ("cluster.gpus=null", "resources.autoencoder.device=auto", "cluster.workers=4")
    launches.run("dataset.tables=[a,b,c]", "fake.autoencoder=gpu", "cluster.threads=4", *wanted)
    used = Counter(path.name.split(".")[0] for path in (launches.out / "gpus").iterdir())
    assert sum(used.values()) == 3
    assert set(used) == {"GPU-aa", "MIG-bb"}


def test_a_terminal_gets_a_live_view(launches: Launches):
    ours, theirs = os.openpty()
    command = [sys.executable, str(HERE / "fake_launch.py"), *BASE, f"output_dir={launches.out}"]
    environment = {**launches._environment, "TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(
        [*command, "fake.autoencoder=train_held"], env=environment, stdout=theirs, stderr=theirs, cwd=launches._folder
    )
    os.close(theirs)
    chunks = []
    try:
        while chunk := os.read(ours, 4096):
            chunks.append(chunk)
            if b"loss" in b"".join(chunks):
                (launches.out / "release").touch()  # it was seen: the training may go on
    except OSError:
        pass  # the other end is closed: that is how a terminal says so
    text = b"".join(chunks).decode()
    assert process.wait(timeout=120) == 0, text
    assert "of 7 stages" in text and "step " in text and "loss" in text
    assert "7 stages (7 computed, 0 cached)" in text


def test_a_campaigns_name_goes_by_values_and_not_by_words(launches: Launches):
    """An interpolation that now says something else, and an edited yaml, must not replace what was there."""
    for seed in ("7", "8"):
        os.environ["A_SEED"] = seed
        launches._environment["A_SEED"] = seed
        launches.run("seed=${oc.env:A_SEED}", "dataset.path=x")
    os.environ.pop("A_SEED")
    assert len(list(launches.out.glob("campaigns/*/campaign.json"))) == 2
    launches.run("seed=7")
    assert len(list(launches.out.glob("campaigns/*/campaign.json"))) == 2  # the same values in other words


def test_commands_that_are_printed_can_be_pasted(tmp_path: Path, environment: dict[str, str]):
    spaced = Launches(tmp_path / "my work", {**environment, "FAKE_PRELOAD": "json"})
    (tmp_path / "my work").mkdir()
    text = spaced.run("wait=false", "campaign=mine")
    assert f"tabgraphsyn status mine --output-dir '{spaced.out}'" in text
    spaced.wait_for("campaigns/mine/default/metrics.json")
