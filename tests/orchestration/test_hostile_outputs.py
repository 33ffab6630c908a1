"""Verbs in an output folder that a stranger made: no byte outside of it changes, and mistakes are one message."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_status_rows import write_campaign

from tabgraphsyn.errors import StageError
from tabgraphsyn.orchestration.campaign.showing import publish_subscribed
from tabgraphsyn.verbs import cli

POINT = "gnn=gin,seed=0"
VERBS = (
    ["status"],
    ["status", "c"],
    ["logs", "gnn", "-c", "c"],
    ["usage"],
    ["report", "c"],
    ["repair", "c"],
    ["cancel", "c"],
    ["verify"],
    ["verify", "c", "--repair"],
    ["gc", "--yes"],
    ["rm", "c", "--yes"],
)
CODES = (0, 2, 3)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with files of its own, and an output folder in it whose campaign c has a done stage with results."""
    home = tmp_path / "home"
    outputs = write_campaign(home / "outputs", 1, done=True)
    (home / ".bashrc").write_text("mine\n")
    (outputs / ".bashrc").write_text("evil\n")
    (home / "secret").write_text("my secret\n")
    for name in ("other/sub", "other/gnn/abc", "store/stages/gnn/abc"):
        (home / name).mkdir(parents=True)
        (home / name / "spec.json").write_text("{}")
        (home / name / "report").write_text("mine\n")
    artifacts = outputs / "stages" / "gnn" / "gin00000" / "artifacts"
    artifacts.mkdir()
    (artifacts / "report.html").write_text("page")
    (outputs / "campaigns" / "c" / "configs.yaml").write_text(f"--- # {POINT}\nseed: 0\n")
    change(outputs, lambda point: point["publishes"].update({"gnn": ["report.html"]}))
    return home


def change(outputs: Path, how: Callable[[dict[str, Any]], object]) -> None:
    path = outputs / "campaigns" / "c" / "campaign.json"
    record = json.loads(path.read_text())
    how(record["points"][POINT])
    path.write_text(json.dumps(record))


def outside(home: Path) -> dict[str, tuple[str, bytes]]:
    """Return everything of a home but its output folder, links not followed."""
    found = {}
    for parent, folders, names in os.walk(home):
        if Path(parent) == home:
            folders.remove("outputs")
        for name in [*folders, *names]:
            path = Path(parent) / name
            is_file = path.is_file() and not path.is_symlink()
            found[str(path)] = (
                str(path.readlink()) if path.is_symlink() else "",
                path.read_bytes() if is_file else b"",
            )
    return found


def try_all(home: Path, capsys: pytest.CaptureFixture[str], verbs: Any = VERBS) -> str:
    """Run every verb; return what they printed."""
    before, texts = outside(home), []
    for verb in verbs:
        code = cli.main([*verb, "--output-dir", str(home / "outputs")])
        captured = capsys.readouterr()
        texts.append(captured.out + captured.err)
        assert code in CODES, (verb, texts[-1])
        assert "Traceback" not in texts[-1]
        assert len(texts[-1]) < 20_000
        assert outside(home) == before, f"{verb} changed a file outside of the output folder"
    return "\n".join(texts)


def linked(path: Path, target: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


def piped(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(path)


def renamed(outputs: Path, name: str) -> None:
    path = outputs / "campaigns" / "c" / "campaign.json"
    record = json.loads(path.read_text())
    record["points"] = {name: record["points"][POINT]}
    path.write_text(json.dumps(record))
    with (path.parent / "configs.yaml").open("a") as handle:
        handle.write(f"--- # {name}\nseed: 0\n")


def wanted(outputs: Path, point: str, names: list[str]) -> None:
    line = json.dumps({"stage": "gnn/gin00000", "point": point, "names": names})
    (outputs / "campaigns" / "c" / "wanted.jsonl").write_text(line + "\n")


HOSTILE: dict[str, Callable[[Path, Path], object]] = {
    "published name with dots": lambda o, h: change(o, lambda p: p["publishes"].update(gnn=["../../../../.bashrc"])),
    "published name of the config": lambda o, h: change(o, lambda p: p["publishes"].update(gnn=["config.yaml"])),
    "absolute published name": lambda o, h: change(o, lambda p: p["publishes"].update(gnn=[str(h / ".bashrc")])),
    "no name": lambda o, h: change(o, lambda p: p["publishes"].update(gnn=[""])),
    "label that is no stage": lambda o, h: change(o, lambda p: p["publishes"].update(x=["report.html"])),
    "point above": lambda o, h: renamed(o, "../../../other"),
    "point of dots": lambda o, h: renamed(o, ".."),
    "absolute point": lambda o, h: renamed(o, str(h / "other")),
    "stage above": lambda o, h: change(o, lambda p: p["stages"].update(gnn="../../../other/sub")),
    "stage of dots": lambda o, h: change(o, lambda p: p["stages"].update(gnn="../other")),
    "absolute stage": lambda o, h: change(o, lambda p: p["stages"].update(gnn=f"{h}/other")),
    "point is a link": lambda o, h: linked(o / "campaigns" / "c" / POINT, h / "other"),
    "shown is a link": lambda o, h: linked(o / "campaigns" / "c" / POINT / ".shown", h / "other"),
    "result is a link": lambda o, h: linked(o / "campaigns" / "c" / POINT / "report.html", h / ".bashrc"),
    "config is a link": lambda o, h: linked(o / "campaigns" / "c" / POINT / "config.yaml", h / ".bashrc"),
    "record is a link": lambda o, h: linked(o / "campaigns" / "c" / "campaign.json", h / "secret"),
    "record is a pipe": lambda o, h: piped(o / "campaigns" / "c" / "campaign.json"),
    "configs are a pipe": lambda o, h: piped(o / "campaigns" / "c" / "configs.yaml"),
    "ledger is a pipe": lambda o, h: piped(o / "slurm" / "ledger.jsonl"),
    "campaign is a link": lambda o, h: (
        shutil.move(o / "campaigns" / "c", h / "other" / "c") and linked(o / "campaigns" / "c", h / "other" / "c")
    ),
    "kind is a link": lambda o, h: linked(o / "stages" / "evil", h / "other"),
    "stage is a link": lambda o, h: linked(o / "stages" / "gnn" / "evil", h / "other" / "sub"),
    "wanted stage is a link": lambda o, h: linked(o / "stages" / "gnn" / "gin00000", h / "other" / "sub"),
    "stages are a link": lambda o, h: linked(o / "stages", h / "store" / "stages"),
    "artifact is a link": lambda o, h: linked(
        o / "stages" / "gnn" / "gin00000" / "artifacts" / "report.html", h / "secret"
    ),
    "artifacts are a link": lambda o, h: linked(o / "stages" / "gnn" / "gin00000" / "artifacts", h / "other" / "sub"),
    "output above": lambda o, h: (o / "stages" / "gnn" / "gin00000" / "done.json").write_text(
        json.dumps({"outputs": {"../../../../../secret": {"bytes": 10, "sha256": "x"}}})
    ),
    "brackets": lambda o, h: (o / "campaigns" / "c" / "campaign.json").write_text("[" * 100_000),
    "digits": lambda o, h: (o / "campaigns" / "c" / "campaign.json").write_text("9" * 6_000),
    "ledger of options": lambda o, h: (
        (o / "slurm").mkdir(exist_ok=True)
        or (o / "slurm" / "ledger.jsonl").write_text(
            '{"job": "--user=root", "elements": {"0": ["../.."]}}\n[1]\n\xff\n'
        )
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_verb_leaves_the_output_folder(name: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    HOSTILE[name](home / "outputs", home)
    text = try_all(home, capsys)
    assert "my secret" not in text
    for path in (home / "outputs" / "campaigns").rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert b"my secret" not in path.read_bytes()


def test_results_are_shown_where_all_is_well(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--output-dir", str(home / "outputs")]) == 0
    assert (home / "outputs" / "campaigns" / "c" / POINT / "report.html").read_text() == "page"


@pytest.mark.parametrize(
    ("point", "names"),
    [("../../../other", ["report.html"]), (POINT, ["../../../../.bashrc"]), (POINT, ["/etc/passwd"]), ("..", ["x"])],
)
def test_a_worker_heeds_no_list_that_leads_out_and_shows_the_others(home: Path, point: str, names: list[str]) -> None:
    outputs = home / "outputs"
    shutil.copytree(outputs / "campaigns" / "c", outputs / "campaigns" / "d")
    wanted(outputs, POINT, ["report.html"])
    (outputs / "campaigns" / "c" / "wanted.jsonl").rename(outputs / "campaigns" / "d" / "wanted.jsonl")
    wanted(outputs, point, names)
    before = outside(home)
    with pytest.raises(StageError, match=r"wanted\.jsonl"):
        publish_subscribed(outputs / "stages" / "gnn" / "gin00000")
    assert outside(home) == before
    assert (outputs / "campaigns" / "d" / POINT / "report.html").read_text() == "page"


NASTY = (None, True, -1, 10**30, 1e300, "", "..", "../../../other", "/etc", "a/b/c", "x" * 5_000, [], {}, [[1]], "\x00")


def test_any_change_of_a_record_is_read_or_refused(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "outputs" / "campaigns" / "c" / "campaign.json"
    good = path.read_text()
    rng = random.Random(0)
    for _ in range(60):
        record = json.loads(good)
        holder, key = rng.choice([*places(record)])
        if rng.random() < 0.3 and isinstance(holder, dict):
            holder[rng.choice([one for one in NASTY if isinstance(one, str)])] = holder.pop(key)
        else:
            holder[key] = rng.choice(NASTY)
        path.write_text(json.dumps(record))
        try_all(home, capsys, (["status"], ["verify"], ["gc", "--yes"]))


def places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from places(value[key])
