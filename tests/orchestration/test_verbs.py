from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_local import Launches

from tabgraphsyn.verbs import cli


@pytest.fixture
def launches(tmp_path: Path, environment: dict[str, str]) -> Launches:
    return Launches(tmp_path, {**environment, "FAKE_PRELOAD": "json"})


def verb(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    found = cli.main(arguments)
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert found == code, text
    return text


def test_verbs_about_a_finished_campaign(launches: Launches, capsys: pytest.CaptureFixture[str]):
    launches.run("campaign=mine", "fake.gnn=fail_once", code=3)
    place = ("--output-dir", str(launches.out))
    raw = json.loads(verb(capsys, "status", "mine", "--json", *place))
    (campaign,) = raw["campaigns"]
    stages = {stage["label"]: stage for stage in campaign["points"][0]["stages"]}
    assert campaign["counts"] == {"done": 4, "failed": 1, "blocked": 2}
    assert (stages["gnn"]["state"], stages["gnn"]["reason"]) == ("failed", "gnn: made to fail once")
    assert stages["sample"]["reason"] == "input gnn failed"
    assert campaign["runner"] == "ended"
    text = verb(capsys, "status", *place)
    assert "mine: 1 point, 4 done, 1 failed, 2 blocked" in text
    assert "made to fail once" in verb(capsys, "logs", *place)
    launches.run("campaign=mine", "fake.gnn=fail_once")
    text = verb(capsys, "logs", "gnn", *place)
    assert "attempt 1" in text and "attempt 2" in text
    assert "7 published stages checked, 0 damaged" in verb(capsys, "verify", "mine", *place)


def test_verify_and_gc(launches: Launches, capsys: pytest.CaptureFixture[str]):
    launches.run("campaign=mine")
    place = ("--output-dir", str(launches.out))
    path = launches.wait_for("stages/gnn/*/artifacts/out.txt")
    text = path.read_text()
    path.write_text("x" * len(text))  # the same size: only the hash tells
    assert "the content is not what was published" in verb(capsys, "verify", *place, code=3)
    shown = launches.campaign() / "default" / "synthetic" / "a.csv"
    shown.unlink()
    shown.parent.rmdir()
    (sampled,) = launches.out.glob("stages/sample/*/artifacts/synthetic/a.csv")
    whole = sampled.read_text()
    sampled.write_text(whole[::-1])
    assert verb(capsys, "status", "mine", *place) and not shown.exists(), "damaged results are not shown"
    assert "not what was published" in launches.run("campaign=mine", code=3)
    sampled.write_text(whole)
    assert "taken back" in verb(capsys, "verify", "--repair", *place)
    launches.run("campaign=mine")
    assert path.read_text() == text
    assert " 0 folders" in verb(capsys, "gc", *place).splitlines()[-1]
    launches.run("campaign=other", "seed=1")
    (launches.out / "campaigns" / "other" / "campaign.json").unlink()
    listed = verb(capsys, "gc", *place)
    assert "5 folders" in listed and "nothing was deleted" in listed
    assert "5 folders" in verb(capsys, "gc", "--yes", *place)
    assert " 0 folders" in verb(capsys, "gc", *place).splitlines()[-1]
    assert "7 published stages checked, 0 damaged" in verb(capsys, "verify", *place)


def test_a_verify_that_checks_nothing_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "nothing was checked" in verb(capsys, "verify", "--output-dir", str(tmp_path / "nowhere"), code=2)


def test_status_shows_results_that_nobody_could_show(launches: Launches, capsys: pytest.CaptureFixture[str]):
    launches.run("campaign=mine")
    shown = launches.campaign() / "default" / "synthetic" / "a.csv"
    shown.unlink()
    shown.parent.rmdir()
    verb(capsys, "status", "--output-dir", str(launches.out))
    assert shown.exists()


def test_a_launch_in_the_background_is_seen_and_cancelled(launches: Launches, capsys: pytest.CaptureFixture[str]):
    text = launches.run("campaign=mine", "fake.autoencoder=sleep_long", "wait=false", "cluster.grace_s=10")
    assert "runs in the background as process" in text
    launches.wait_for("stages/autoencoder/*/attempts/1.json")
    place = ("--output-dir", str(launches.out))
    (campaign,) = json.loads(verb(capsys, "status", "mine", "--json", *place))["campaigns"]
    assert campaign["runner"] == "alive"
    assert campaign["counts"]["running"] >= 1
    states = {stage["label"]: stage["reason"] for stage in campaign["points"][0]["stages"]}
    assert states["gnn"].startswith("for autoencoder/")
    assert "asked process" in verb(capsys, "cancel", "mine", *place)
    end = time.monotonic() + 120
    while campaign["runner"] == "alive" and time.monotonic() < end:
        time.sleep(0.2)
        (campaign,) = json.loads(verb(capsys, "status", "mine", "--json", *place))["campaigns"]
    assert campaign["runner"] == "ended"
    assert "running" not in campaign["counts"]
    assert "Stopped" in (launches.campaign() / "launch.log").read_text()


def test_a_wrong_verb_or_campaign_says_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert "Did you mean 'status'?" in verb(capsys, "statsu", code=2)
    assert "no such campaign" in verb(capsys, "status", "x", "--output-dir", str(tmp_path), code=2)
    assert "no campaigns here" in verb(capsys, "status", "--output-dir", str(tmp_path))
    assert "No such option" in verb(capsys, "status", "--nope", code=2)
    assert "status" in verb(capsys, "--help")


def test_a_verb_loads_no_other_verb_and_nothing_heavy():
    code = (
        "import sys; from tabgraphsyn.verbs import cli; cli.main(['status', '--output-dir', '/nonexistent']);"
        "print([name for name in ('torch', 'pandas', 'wandb', 'hydra', 'pyarrow', 'tabgraphsyn.verbs.ingest')"
        " if name in sys.modules])"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
