"""``tabgraphsyn report`` on a recorded campaign, and what a launch says at its end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tabgraphsyn.evaluation.campaign.summary import read_summary
from tabgraphsyn.orchestration.campaign.campaigns import read_campaign
from tabgraphsyn.orchestration.reading import campaign_report
from tabgraphsyn.orchestration.reading.campaign_report import closing_line
from tabgraphsyn.verbs import cli

OWNER = {"host": "h", "boot": "b", "pid": 1, "born": 0.0, "user": "u"}


def write_stage(folder: Path, hours: float, commit: str) -> None:
    """A done stage without outputs, that ran once for so long."""
    (folder / "attempts").mkdir(parents=True)
    (folder / "artifacts").mkdir()
    attempt = {"owner": OWNER, "started": 0.0, "outcome": "done", "ended": 3600 * hours, "exit_code": 0, "error": None}
    (folder / "attempts" / "1.json").write_text(json.dumps(attempt))
    done = {"outputs": {}, "device": "cpu", "code": {"commit": commit}, "libraries": {"torch": "2.13.0"}}
    (folder / "done.json").write_text(json.dumps(done))


@pytest.fixture
def recorded(write: Callable[..., dict[str, list[str]]], two_models: dict, tmp_path: Path) -> Path:
    """The output folder of a campaign of six points, whose stage ``prepare`` they share."""
    folder = tmp_path / "campaigns" / "mine"
    overrides = write(folder, two_models)
    stages = tmp_path / "stages"
    write_stage(stages / "prepare" / "p", 1.0, "0123abc")
    points = {}
    for number, (name, given) in enumerate(overrides.items()):
        write_stage(stages / "evaluate" / f"e{number}", 0.5, "0123abc")
        points[name] = {
            "overrides": given,
            "stages": {"prepare": "prepare/p", "evaluate": f"evaluate/e{number}"},
            "publishes": {"evaluate": ["metrics.json"]},
            "inputs": {"prepare": [], "evaluate": ["prepare"]},
        }
        # What a point shows stands there already.
        (folder / name / ".shown").mkdir()
        (folder / name / ".shown" / "evaluate").write_text(f"e{number}")
    record = {"name": "mine", "command": ["gnn=gin,none", "seed=0,1,2"], "lease_timeout_s": 60.0, "points": points}
    (folder / "campaign.json").write_text(json.dumps(record))
    return tmp_path


def called(capsys: pytest.CaptureFixture[str], arguments: Sequence[str], code: int = 0) -> str:
    found = cli.main(arguments)
    captured = capsys.readouterr()
    assert found == code, captured.out + captured.err
    return captured.out + captured.err


def test_the_verb_writes_page_and_summary(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = called(capsys, ["report", "mine", "--output-dir", str(recorded)])
    folder = recorded / "campaigns" / "mine"
    assert said.splitlines() == [str(folder / "report.html"), str(folder / "report.json")]
    summary = read_summary(folder)
    assert summary.provenance.commits == ("0123abc",)
    assert summary.provenance.versions == {"torch": "2.13.0", "sdmetrics": "0.32.0"}
    # One hour of prepare, which six points share, and half an hour of evaluate each.
    assert summary.provenance.hours == pytest.approx(4.0)
    assert summary.provenance.saved_hours == pytest.approx(5.0)
    assert [model.hours for model in summary.datasets[0].models] == pytest.approx([2.5, 2.5])
    page = (folder / "report.html").read_text()
    assert "4 h 0 min" in page
    assert "python -m tabgraphsyn.launch -m gnn=gin,none seed=0,1,2" in page
    assert called(capsys, ["report", "--output-dir", str(recorded)]) == said


def test_a_campaign_without_scores_is_explained(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (recorded / "campaigns" / "mine").glob("*/metrics.json"):
        path.unlink()
        (path.parent / ".shown" / "evaluate").unlink()
    for path in recorded.glob("stages/evaluate/*/done.json"):
        path.unlink()
    said = called(capsys, ["report", "mine", "--output-dir", str(recorded)], code=2)
    assert "none of its 6 sweep points has scores yet" in said
    assert "tabgraphsyn status mine" in said


def test_a_launch_makes_it_says_how_or_keeps_quiet(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    campaign = read_campaign(recorded, "mine")
    page = campaign.folder / "report.html"
    assert closing_line(campaign, is_done=False).endswith(
        f"tabgraphsyn report mine --output-dir {shlex.quote(str(recorded))}"
    )
    assert not page.exists()
    assert closing_line(campaign, is_done=True) == f"Campaign report: {page}"
    assert page.is_file()
    one = dict(list(campaign.points.items())[:1])
    assert closing_line(replace(campaign, points=one), is_done=True) == ""
    monkeypatch.setattr(campaign_report, "CHEAP_POINTS", 5)
    assert "once its points are done" in closing_line(campaign, is_done=True)


def test_a_report_that_cannot_be_made_does_not_fail_the_launch(recorded: Path) -> None:
    campaign = read_campaign(recorded, "mine")
    (campaign.folder / "gnn=gin,seed=0" / "metrics.json").write_text("[]")
    line = closing_line(campaign, is_done=True)
    assert "could not be made" in line
    assert "gnn=gin,seed=0" in line
