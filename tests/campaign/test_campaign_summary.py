"""From points to a summary: grouping, means, significance, and what must not be said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tabgraphsyn.errors import ConfigError, StageError
from tabgraphsyn.evaluation.campaign.page import headlines
from tabgraphsyn.evaluation.campaign.summary import CampaignSummary, read_summary
from tabgraphsyn.evaluation.campaign.wording import verdict

C2ST = "c2st/database/database"
SHAPES = "column_shapes/database/database"
DCR = "dcr/database/worst table"
SummaryOf = Callable[..., CampaignSummary]


def text(summary: CampaignSummary) -> str:
    return str(verdict(summary))


def test_points_that_differ_in_their_seed_are_one_model(summary_of: SummaryOf, two_models: dict) -> None:
    (data,) = summary_of(two_models).datasets
    assert [model.name for model in data.models] == ["gnn=gin", "gnn=none"]
    assert dict(data.models[0].points) == {str(seed): f"gnn=gin,seed={seed}" for seed in range(3)}
    assert data.models[1].settings == {"gnn._target_": "none"}
    assert data.models[0].hours == pytest.approx(0.3)
    assert data.models[0].estimates[C2ST].mean == pytest.approx(0.53)


def test_real_differences_are_significant_and_chance_is_not(summary_of: SummaryOf, two_models: dict) -> None:
    (data,) = summary_of(two_models).datasets
    found = {each.score: each for each in data.differences}
    assert (found[C2ST].first, found[C2ST].verdict) == ("gnn=gin", "significant")
    assert found[C2ST].advantage == pytest.approx(0.7117 - 0.53, abs=1e-3)
    assert found[C2ST].is_paired
    assert found[SHAPES].verdict == "not significant"
    assert data.best[C2ST] == "gnn=gin"
    assert data.best[SHAPES] is None


def test_verdict_says_copying_first_then_what_is_more_than_chance(summary_of: SummaryOf, two_models: dict) -> None:
    said = text(summary_of(two_models))
    assert said.index("No sign of copying") < said.index("By C2ST <strong>gnn=gin</strong> is significantly better")
    assert "2 models with 3 seeds each" in said


def test_two_seeds_say_nothing(summary_of: SummaryOf, points_of: Callable) -> None:
    summary = summary_of(points_of("gnn=gin", [0.53, 0.54]) | points_of("gnn=none", [0.9, 0.91]))
    (data,) = summary.datasets
    assert data.models[0].estimates[C2ST].low is None
    assert {each.verdict for each in data.differences if each.score == C2ST} == {"no statement"}
    assert data.best[C2ST] is None
    assert "no statement about differences is possible" in text(summary)
    assert "significantly" not in text(summary)


def test_what_copies_is_never_best(summary_of: SummaryOf, points_of: Callable) -> None:
    points = points_of("gnn=gin", [0.5, 0.505, 0.49]) | points_of("gnn=none", [0.6, 0.61, 0.615])
    points |= points_of("gnn=sage", [0.7, 0.72, 0.73])
    summary = summary_of(points, gates={("gnn=gin", "seed=1"): "fail"})
    (data,) = summary.datasets
    assert data.models[0].gate.verdict == "fail"
    assert data.models[0].gate.point == "gnn=gin,seed=1"
    assert data.best[C2ST] == "gnn=none"
    said = text(summary)
    assert said.startswith('<span class="bad">Copying was found in &#39;gnn=gin&#39;</span>')
    assert "never called best" in said


def test_half_scores_aim_at_real_against_real_not_at_nothing(summary_of: SummaryOf, points_of: Callable) -> None:
    """A copy scores far below one half where rows repeat: that is no better than as far above."""
    copy, near = points_of("gnn=gin", [0.30, 0.31, 0.29]), points_of("gnn=none", [0.50, 0.51, 0.505])
    (data,) = summary_of(copy | near).datasets
    column = next(each for each in data.scores if each.key == C2ST)
    assert column.aim == 0.48
    found = next(each for each in data.differences if each.score == C2ST)
    assert (found.first, found.verdict) == ("gnn=none", "significant")


def test_privacy_scores_are_those_of_the_worst_table(summary_of: SummaryOf, two_models: dict) -> None:
    (data,) = summary_of(two_models).datasets
    assert data.models[0].estimates[DCR].values["2"] == 0.52
    assert data.baselines[DCR]["copy"].value == 1.0
    assert [column.metric for column in headlines(data)] == ["dcr", "c2st", "column_shapes"]


def test_baselines_keep_their_intervals_and_runs_theirs(summary_of: SummaryOf, two_models: dict) -> None:
    (data,) = summary_of(two_models).datasets
    real = data.baselines[C2ST]["real_real"]
    assert (real.low, real.value, real.high) == pytest.approx((0.46, 0.48, 0.50))
    assert data.models[0].estimates[C2ST].runs["0"] == pytest.approx((0.51, 0.55))
    assert data.children == {"sales.store--stores": (2.5, 2.25)}


def test_two_data_sets_are_never_compared(summary_of: SummaryOf, points_of: Callable) -> None:
    shops = points_of("gnn=gin", [0.53, 0.54, 0.52])
    other = {("dataset=banks", *key[1:]): values for key, values in points_of("gnn=gin", [0.9, 0.91, 0.92]).items()}
    summary = summary_of(shops | other)
    assert [data.name for data in summary.datasets] == ["shops", "banks"]
    assert all(not data.differences for data in summary.datasets)
    assert "<strong>On banks</strong>" in text(summary)


def test_unfinished_points_are_named(summary_of: SummaryOf, two_models: dict, tmp_path: Path) -> None:
    whole = summary_of(two_models)
    (tmp_path / "campaign" / "gnn=none,seed=2" / "metrics.json").unlink()
    from tabgraphsyn.evaluation.campaign.compare import summarise

    overrides = {",".join(key): list(key) for key in two_models}
    partial = summarise(tmp_path / "campaign", overrides, hours=lambda names: None, provenance=whole.provenance)
    assert partial.missing == ("gnn=none,seed=2",)
    assert "1 sweep point has no scores yet" in text(partial)
    assert partial.datasets[0].models[0].hours is None


def test_summary_survives_json(summary_of: SummaryOf, two_models: dict, tmp_path: Path) -> None:
    summary = summary_of(two_models)
    path = tmp_path / "report.json"
    path.write_text(json.dumps(summary.to_dict(), allow_nan=False))
    assert read_summary(path) == summary
    assert read_summary(tmp_path) == summary


def test_a_missing_or_foreign_summary_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tabgraphsyn report"):
        read_summary(tmp_path)
    (tmp_path / "report.json").write_text('{"format": 99}')
    with pytest.raises(StageError, match="format 1 expected, found 99"):
        read_summary(tmp_path)


def test_unreadable_scores_name_the_point(summary_of: SummaryOf, write: Callable, tmp_path: Path) -> None:
    from tabgraphsyn.evaluation.campaign.points import read_points

    overrides = write(tmp_path / "broken", {("seed=0",): {"c2st": 0.5}})
    (tmp_path / "broken" / "seed=0" / "metrics.json").write_text("{")
    with pytest.raises(StageError, match="seed=0: the results of a sweep point cannot be read"):
        read_points(tmp_path / "broken", overrides)
