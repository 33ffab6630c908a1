"""What a launch says and does about the privacy gate of its points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabgraphsyn.config.catalog import STAGES
from tabgraphsyn.config.top_level import config_dir
from tabgraphsyn.data.files import write_json
from tabgraphsyn.orchestration.campaign.verdicts import closing_lines, exit_code, read_verdicts
from tabgraphsyn.orchestration.planning.signature import without


def config(action: str | None) -> dict[str, Any]:
    return {"evaluation": {"gate": None if action is None else {"action": action}}}


def campaign(folder: Path, **verdicts: str) -> Path:
    for point, verdict in verdicts.items():
        block = {"verdict": verdict, "text": f"because {point}", "weak": {"tiny": "x"} if verdict == "warn" else {}}
        (folder / point).mkdir()
        write_json(folder / point / "gate.json", block)
    return folder


@pytest.mark.parametrize(
    ("action", "verdict", "code", "expected"),
    [
        ("fail", "fail", 0, 3),
        ("warn", "fail", 0, 0),
        ("off", "fail", 0, 0),
        ("fail", "warn", 0, 0),
        ("fail", "not judged", 0, 0),
        ("fail", "fail", 75, 75),
    ],
)
def test_only_a_failure_that_is_to_fail_changes_the_exit_code(tmp_path, action, verdict, code, expected):
    found = read_verdicts(campaign(tmp_path, a=verdict), {"a": config(action)})
    assert exit_code(found, code) == expected
    assert bool(list(closing_lines(found))) == (action != "off")


def test_one_point_is_one_line_and_names_where_little_would_be_noticed(tmp_path):
    lines = list(closing_lines(read_verdicts(campaign(tmp_path, a="warn"), {"a": config("warn")})))
    assert lines == ["privacy gate: warn: because a; much could go unnoticed in tiny"]


def test_a_sweep_counts_and_names_the_worst_first(tmp_path):
    names = {"a": "pass", "b": "warn", "c": "fail"}
    lines = list(closing_lines(read_verdicts(campaign(tmp_path, **names), {name: config("warn") for name in names})))
    assert lines[0] == "privacy gate: 1 fail, 1 warn, 1 pass"
    assert lines[1] == "privacy gate of c: FAIL: because c"
    assert len(lines) == 3


def test_points_without_an_evaluation_say_nothing(tmp_path):
    assert read_verdicts(tmp_path, {"a": config("fail"), "b": config(None), "c": {}}) == []


def test_the_action_changes_no_result():
    kind = STAGES.kinds["evaluate"]
    signed = [without(config(action), kind.place_keys) for action in ("warn", "fail", "off")]
    assert signed[0] == signed[1] == signed[2] == {"evaluation": {"gate": {}}}


def test_every_protocol_has_the_gate():
    for path in sorted((config_dir() / "evaluation").glob("*.yaml")):
        assert "  - gate: default" in path.read_text(encoding="utf-8").splitlines(), path.name
