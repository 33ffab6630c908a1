"""``tabgraphsyn VERB`` as a person types it: help, mistakes, and the way from tables to a launch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tiny_database import tiny_tables, write_csv
from user_commands import ROOT, Shell

from tabgraphsyn.verbs import cli

HEAVY = ("torch", "pandas", "pyarrow", "xgboost", "sklearn", "wandb")


def verb(capfd: pytest.CaptureFixture[str], *arguments: str, code: int) -> str:
    found = cli.main(arguments)
    captured = capfd.readouterr()
    assert found == code, captured.out + captured.err
    assert "Traceback" not in captured.err
    return captured.out if code == 0 else captured.err


def test_every_verb_of_the_overview_explains_itself_without_loading_libraries():
    code = (
        "import sys; from tabgraphsyn.verbs.cli import VERBS, main; codes = [main([name, '--help']) for name in VERBS];"
        f"print(codes, [name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip().endswith("[]"), done.stderr
    assert done.stderr.startswith(str([0] * len(cli.VERBS)))
    assert set(cli.VERBS) >= {"ingest", "sample", "evaluate", "metrics", "status", "logs", "cancel", "verify", "gc"}
    assert all(f"Usage: tabgraphsyn {name}" in done.stdout for name in cli.VERBS)
    assert "Args:" not in done.stdout and "<collections" not in done.stdout


def test_the_overview_names_every_verb(capfd: pytest.CaptureFixture[str]):
    text = verb(capfd, "--help", code=0)
    assert all(name in text for name in (*cli.VERBS, "launch"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smaple", "x"], ["smaple: no such verb", "Did you mean 'sample'?"]),
        (["sample"], ["Missing argument"]),
        (["sample", "nowhere"], ["nowhere", "bundle.json", "finished sweep point"]),
        (["sample", "nowhere", "--rows", "users"], ["--rows", "TABLE=NUMBER", "'users'"]),
        (["sample", "nowhere", "--scale", "big"], ["--scale", "number"]),
        (["evaluate", "--real", "nowhere", "--synthetic", "neither"], ["--real", "--synthetic", "'neither'"]),
        (["evaluate", "--synthetic", "x", "--set", "evaluation.metrics.c2st.folds=two"], ["folds", "a whole number"]),
        (["evaluate", "--synthetic", "x", "--set", "+evaluation.fold=2"], ["evaluation.fold", "no such key"]),
        (["metrics", "c2sf"], ["'c2sf'", "Did you mean 'c2st'?"]),
        (["ingest", "nowhere"], ["nowhere", "does not exist"]),
        (["status", "mine", "--output-dir", "nowhere"], ["no such campaign", "--output-dir"]),
        (["logs", "--output-dir", "nowhere"], ["nowhere", "no campaign there"]),
        (["cancel", "mine", "--output-dir", "nowhere"], ["no such campaign"]),
        (["verify", "mine", "--output-dir", "nowhere"], ["no such campaign"]),
    ],
    ids=lambda value: " ".join(value[:3]),
)
def test_mistakes_are_answered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: list[str],
    words: list[str],
):
    monkeypatch.chdir(tmp_path)
    text = verb(capfd, *arguments, code=2)
    assert [word for word in words if word not in text] == [], text
    assert not list(tmp_path.iterdir())


def test_nothing_to_show_is_no_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert "no campaigns here" in verb(capfd, "status", code=0)
    assert "nothing was checked" in verb(capfd, "verify", code=2)
    assert "0 folders" in verb(capfd, "gc", code=0)
    assert "C2ST" in verb(capfd, "metrics", "c2st", code=0)
    assert not list(tmp_path.iterdir())


def test_from_tables_over_ingest_to_a_launch(tmp_path: Path):
    tables = {name: tiny_tables()[name] for name in ("clerks", "orders")}
    write_csv(tables, tmp_path / "my_tables")
    shell = Shell(tmp_path)
    text = shell.verb("ingest", "my_tables").out
    assert "clerk_id" in text and "dataset=my_tables" in text
    assert (tmp_path / "my_tables" / "metadata.json").is_file()
    plan = shell.launch("dataset=my_tables", "dry_run=true").out
    assert "absorbing/orders" in plan and "Nothing was written" in plan
    assert "exists already" in shell.verb("ingest", "my_tables", code=2).err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my_conf", "my_tables"]


def test_a_reader_that_closes_early_is_no_error():
    command = [sys.executable, "-u", "-m", "tabgraphsyn.launch", "--help"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
