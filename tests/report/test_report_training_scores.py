"""Scores of samples drawn during training are curves of their own, on a linear axis, with words to read them."""

from __future__ import annotations

import json

from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.page import render
from tabgraphsyn.evaluation.report.sources import read_sources


def test_scores_stand_beside_the_losses(make_sweep_point) -> None:
    inputs = make_sweep_point()
    path = inputs["diffusion/customers"].parent / "metrics.jsonl"
    lines = [
        {"step": step, "time_s": 1.0, "loss": 1 / step, "score/shapes": 1 - 1 / step, "score/copies": 0.001 * step}
        for step in (100, 200, 300)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    content = gather(read_sources(inputs), ReportOptions(umap=False))
    found = {view.role: (view, content.figures[figure]) for view, figure in content.training}
    losses, _ = found["diffusion/customers"]
    assert [curve.name for curve in losses.curves] == ["loss"] and not any("score" in name for name in losses.last)
    scored, figure = found["diffusion/customers: samples of it"]
    assert [curve.name for curve in scored.curves] == ["shapes", "copies"]
    assert figure["log"] is False
    assert figure["curves"][0] == {"name": "shapes", "x": [100.0, 200.0, 300.0], "y": [0.99, 0.995, 0.99667]}
    assert "Samples of a table are drawn while it trains" in render(content)


def test_without_scores_nothing_is_said_of_them(make_sweep_point) -> None:
    content = gather(read_sources(make_sweep_point()), ReportOptions(umap=False))
    assert not any(view.is_scored for view, _ in content.training)
    assert "Samples of a table are drawn" not in render(content)
