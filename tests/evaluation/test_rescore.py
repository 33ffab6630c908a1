"""Published files of several runs are scored by this code and laid beside ours in one page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "rescore.py"
SPEC = importlib.util.spec_from_file_location("rescore", SCRIPT)
assert SPEC is not None and SPEC.loader is not None
rescore = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(rescore)

METADATA = {
    "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
    "tables": {"p": {"columns": {"x": {"sdtype": "numerical"}, "c": {"sdtype": "categorical"}}}},
    "relationships": [],
}


def rows(first: int) -> pd.DataFrame:
    return pd.DataFrame({"x": [float(first + number) for number in range(60)], "c": ["a", "b"] * 30})


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """SyntheRela's layout: two methods, one of two runs, one of one."""
    original = tmp_path / "original" / "<shop>"
    original.mkdir(parents=True)
    rows(0).to_csv(original / "p.csv", index=False)
    (original / "metadata.json").write_text(json.dumps(METADATA))
    for method, run, first in (("near", "1", 0), ("near", "2", 6), ("far", "1", 600)):
        folder = tmp_path / "synthetic" / "<shop>" / method / run / "sample1"
        folder.mkdir(parents=True)
        rows(first).to_csv(folder / "p.csv", index=False)
    return tmp_path


@pytest.mark.slow
def test_runs_become_mean_and_spread_beside_ours(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    point = tmp_path / "camp" / "seed=0"
    point.mkdir(parents=True)
    score = {"metric": "column_shapes", "level": "database", "where": "database", "direction": "higher"}
    (point / "metrics.json").write_text(json.dumps({"scores": [{**score, "comparison": "synthetic", "value": 0.5}]}))
    (point / "config.yaml").write_text("dataset: {name: <shop>}\n")
    words = [str(published), "--ours", str(point.parent), "--out", str(tmp_path / "out"), "--protocol", "quick"]
    code = rescore.main([*words, "--set", "~evaluation.metrics.c2st", "--set", "~evaluation.metrics.c2st_agg"])
    assert code == 0, capsys.readouterr().err
    found = {
        row["method"]: row
        for row in json.loads((tmp_path / "out" / "rescored.json").read_text())
        if (row["metric"], row["where"]) == ("column_shapes", "database")
    }
    # A shift by 6 of 60 moves the distribution of one of two columns by a tenth; by 600 altogether.
    assert found["near"]["runs"] == 2 and found["near"]["mean"] == pytest.approx((1.0 + 0.95) / 2)
    assert found["near"]["sd"] == pytest.approx(0.05 / 2**0.5)
    assert found["far"]["mean"] == pytest.approx(0.5) and found["far"]["sd"] is None
    assert found["TabGraphSyn"]["mean"] == 0.5
    text = (tmp_path / "out" / "rescored.html").read_text()
    assert "&lt;shop&gt;" in text and "<shop>" not in text and "0.975 &plusmn; 0.035 (2)" in text


def test_a_folder_of_another_kind_is_a_users_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert rescore.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "SyntheRela" in capsys.readouterr().err


def test_scores_that_are_there_are_read_and_only_those_of_the_same_protocol(published: Path, tmp_path: Path):
    out = tmp_path / "out"
    score = {"metric": "c2st", "level": "table", "where": "p", "direction": "half"}
    for run, value in (("near/1", 0.5), ("near/2", 0.7), ("far/1", 1.0)):
        kept = out / "runs" / "mine" / "<shop>" / run / "sample1" / "metrics.json"
        kept.parent.mkdir(parents=True)
        sides = [
            {**score, "comparison": "synthetic", "value": value},
            {**score, "comparison": "real_real", "value": 0.5},
        ]
        kept.write_text(json.dumps({"scores": sides}))
    far, near = sorted(rescore.summary(rescore.scored(published, "mine", (), out)), key=lambda row: row["method"])
    assert (far["mean"], far["sd"], far["runs"]) == (1.0, None, 1)
    assert near["mean"] == pytest.approx(0.6) and near["sd"] == pytest.approx(0.1 * 2**0.5) and near["real_real"] == 0.5
    text = rescore.page([far, near], "mine")
    assert "&lt;shop&gt;" in text and "0.600 &plusmn; 0.141 (2) [0.500]" in text
    with pytest.raises(rescore.TabGraphSynError, match="protocol"):
        rescore.scored(published, "another", (), out)
