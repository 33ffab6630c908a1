"""What stands out in red: scores that are far off wherever in their interval, not those that may be chance."""

from __future__ import annotations

import pytest

from tabgraphsyn.evaluation.report.scoreboard import _is_far
from tabgraphsyn.evaluation.score import Score


def score(value: float, direction: str, interval: tuple[float, float] | None = None) -> Score:
    detail = {} if interval is None else {"interval": list(interval)}
    return Score("m", "table", "t", value, direction, detail=detail)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "baseline", "is_far"),
    [
        (score(0.614, "half", (0.482, 0.819)), None, False),
        (score(0.5, "half", (0.2, 0.8)), None, False),
        (score(0.7, "half", (0.65, 0.75)), None, True),
        (score(0.3, "half", (0.25, 0.35)), None, True),
        (score(0.7, "half"), None, True),
        (score(0.7, "half", (0.65, 0.75)), score(0.6, "half"), False),
        (score(0.6, "higher", (0.5, 0.7)), score(0.95, "higher"), True),
        (score(0.6, "higher", (0.5, 0.8)), score(0.95, "higher"), False),
        (score(0.6, "higher"), score(0.75, "higher"), False),
    ],
)
def test_what_is_far_is_far_in_its_whole_interval(found: Score, baseline: Score | None, is_far: bool) -> None:
    assert _is_far(found, baseline) is is_far
