"""Status fits a screen, tells rows apart, and is quick for large sweeps."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.orchestration.campaign.campaigns import read_campaign
from tabgraphsyn.orchestration.reading.status import STATES, CampaignStatus, campaign_status
from tabgraphsyn.orchestration.reading.status_rows import Filter, lines
from tabgraphsyn.verbs import cli


def write_campaign(output_dir: Path, points: int, gnns: tuple[str, ...] = ("gin",), done: bool = False) -> Path:
    """A sweep over seeds and graph networks; encoders depend on the seed alone."""
    records = {}
    for seed in range(points):
        for gnn in gnns:
            stages = {
                "prepare": "prepare/p",
                "autoencoder/a": f"autoencoder/{seed:05}",
                "gnn": f"gnn/{gnn}{seed:05}",
                "sample": f"sample/{gnn}{seed:05}",
            }
            records[f"gnn={gnn},seed={seed}"] = {
                "overrides": ["dataset=x", f"gnn={gnn}", f"seed={seed}"],
                "stages": stages,
                "publishes": {},
                "inputs": {"autoencoder/a": ["prepare"], "gnn": ["autoencoder/a"], "sample": ["prepare", "gnn"]},
            }
            for stage_id in stages.values():
                folder = output_dir / "stages" / stage_id
                if done and not folder.exists():
                    (folder / "attempts").mkdir(parents=True)
                    (folder / "attempts" / "1.json").write_text("{}")
                    (folder / "done.json").write_text('{"outputs": {}}')
    folder = output_dir / "campaigns" / "c"
    folder.mkdir(parents=True)
    (folder / "campaign.json").write_text(json.dumps({"points": records, "lease_timeout_s": 60}))
    return output_dir


def status_of(output_dir: Path) -> CampaignStatus:
    return campaign_status(read_campaign(output_dir, "c"))


def fail(output_dir: Path, stage_id: str, error: str) -> None:
    owner = {"host": "h", "boot": "b", "pid": 1, "born": 0.0, "user": "u"}
    record = {"owner": owner, "started": 1.0, "outcome": "failed", "ended": 2.0, "exit_code": 3, "error": error}
    folder = output_dir / "stages" / stage_id / "attempts"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(json.dumps(record))


def test_a_large_sweep_is_counted_by_kind_and_what_failed_is_named(tmp_path: Path):
    output_dir = write_campaign(tmp_path, 30, ("gin", "gat"))
    fail(output_dir, "gnn/gat00007", "gnn: made\x1b[2J to fail")
    found = status_of(output_dir)
    text = list(lines(found, one_by_one=False, most=100))
    assert text[0].split() == ["stage", "all", "not", "started", "failed", "blocked"]
    assert ["gnn", "60", "59", "1"] in [line.split() for line in text]
    (row,) = [line for line in text if "made" in line]
    assert row.split()[:3] == ["gnn=gat,seed=7", "gnn", "failed"] and r"made\x1b[2J to fail" in row
    assert len(text) < 12


def test_rows_show_what_differs_between_them(tmp_path: Path):
    text = list(lines(status_of(write_campaign(tmp_path, 2, ("gin", "gat"))), one_by_one=True, most=100))
    assert "all 4 points" in text[1] and " prepare " in text[1]
    assert [line.split("autoencoder")[0].strip() for line in text if "autoencoder/a" in line][:2] == [
        "2 points: seed=0",
        "2 points: seed=1",
    ]
    assert len(text) == 1 + 1 + 2 + 4 + 4


def test_a_table_without_end_says_how_much_is_left_out(tmp_path: Path):
    text = list(lines(status_of(write_campaign(tmp_path, 30)), one_by_one=True, most=5))
    assert len(text) == 7 and text[-1].strip().startswith("... and 86 more; --state, --stage and --point choose")


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (Filter(states=("failed",)), 1),
        (Filter(states=("blocked", "failed")), 2),
        (Filter(stages=("gnn",)), 60),
        (Filter(stages=("autoencoder/a",)), 30),
        (Filter(points=("gnn=gat,seed=7",)), 4),
        (Filter(points=("seed=7",)), 6),
        (Filter(points=("*seed=7",)), 6),
        (Filter(stages=("sample",), points=("seed=7", "seed=8")), 4),
    ],
)
def test_filters(tmp_path: Path, chosen: Filter, count: int):
    output_dir = write_campaign(tmp_path, 30, ("gin", "gat"))
    fail(output_dir, "gnn/gat00007", "no")
    found = status_of(output_dir)
    chosen.check([found])
    kept = chosen.applied(found)
    assert sum(kept.counts.values()) == count
    assert len({stage.id for point in kept.points for stage in point.stages}) == count


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        (Filter(states=("fialed",)), "Did you mean 'failed'"),
        (Filter(stages=("gnm",)), "Did you mean 'gnn'"),
        (Filter(points=("seed=99",)), "There are"),
    ],
)
def test_a_filter_that_nothing_has_is_a_mistake(tmp_path: Path, chosen: Filter, said: str):
    with pytest.raises(ConfigError, match=said):
        chosen.check([status_of(write_campaign(tmp_path, 2))])


def test_every_state_that_is_counted_is_known(tmp_path: Path):
    assert set(status_of(write_campaign(tmp_path, 2)).counts) <= set(STATES)


@pytest.mark.parametrize("done", [False, True])
def test_a_thousand_points_take_a_moment(tmp_path: Path, done: bool, capsys: pytest.CaptureFixture[str]):
    write_campaign(tmp_path, 1000, done=done)
    assert cli.main(["status", "c", "--output-dir", str(tmp_path)]) == 0  # imports, and the page cache
    started = time.process_time()
    assert cli.main(["status", "c", "--output-dir", str(tmp_path)]) == 0
    assert time.process_time() - started < 4  # 0.3 s when it was written; it must not grow with the square
    assert "c: 1000 points, " in capsys.readouterr().out


def test_several_mistakes_stand_below_each_other_as_on_a_terminal(tmp_path: Path):
    output_dir = write_campaign(tmp_path, 1)
    fail(output_dir, "prepare/p", "2 problems:\n  1. orders.id: 3 values twice.\n  2. orders: no rows.")
    text = list(lines(status_of(output_dir), one_by_one=True, most=10))
    at = next(number for number, line in enumerate(text) if "2 problems:" in line)
    assert [line.strip() for line in text[at + 1 : at + 3]] == ["1. orders.id: 3 values twice.", "2. orders: no rows."]
