"""Lanes and renewed dependencies from plans: pure, no Slurm; what lane tasks take, and what is chosen and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_arrays import SMALL, sweep

from tabgraphsyn.orchestration.slurm.arrays import JobArray, Ref, make_arrays, make_units
from tabgraphsyn.orchestration.slurm.capabilities import Capabilities
from tabgraphsyn.orchestration.slurm.decisions import GAVE_UP, is_given_up, note
from tabgraphsyn.orchestration.slurm.findings import read_findings, record_findings
from tabgraphsyn.orchestration.slurm.lanes import fitting_lanes, make_lanes
from tabgraphsyn.orchestration.slurm.scheduler import QueuedJob
from tabgraphsyn.orchestration.slurm.standing import MOST_UPDATES, QueuedStage, standing_of, updates_of
from tabgraphsyn.orchestration.slurm.strategy import choose


def lanes_of(found, lanes: int, spares: int = 2, most: int = 1000) -> list[JobArray]:
    units = make_units(found, found.stages, lambda _: SMALL, ())
    return make_lanes(units, {}, max_elements=most, lanes=lanes, spares=spares)


def check_exact(found, lanes: list[JobArray]) -> None:
    """A lane starts after the lanes of all that its elements read, and every stage is in one lane."""
    where = {stage: lane.number for lane in lanes for unit in lane.elements.values() for stage in unit.stages}
    assert set(where) == set(found.stages)
    waits: dict[int, set[int]] = {}
    for lane in lanes:
        before = {int(key) for key in lane.after_any}
        assert before <= set(waits)
        waits[lane.number] = before.union(*(waits[each] for each in before))
        for unit in lane.elements.values():
            for stage_id in unit.stages:
                assert {where[each] for each in found.stages[stage_id].inputs.values()} <= waits[lane.number]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 7), st.integers(1, 3), st.sampled_from([("a",), ("a", "b")]), st.integers(1, 9), st.integers(1, 4)
)
def test_lanes_keep_the_order_of_every_plan(seeds, gnns, tables, lanes, spares):
    found = sweep(seeds, gnns, tables)
    made = lanes_of(found, lanes, spares, most=6)
    check_exact(found, made)
    assert all(lane.tasks <= 6 and lane.spares >= 1 for lane in made)


def test_equal_groups_wait_lane_by_lane():
    lanes = lanes_of(sweep(6), 3)
    gnns = [lane for lane in lanes if lane.name == "gnn"]
    encoders = [lane.number for lane in lanes if lane.name == "autoencoder"]
    assert [sorted(lane.after_any) for lane in gnns] == [[number] for number in encoders]
    assert [len(lane.elements) for lane in gnns] == [2, 2, 2]
    assert gnns[0].index_expression() == "0-3"
    assert gnns[0].dependency({number: f"10{number}" for number in range(20)}, {}) == f"afterany:10{encoders[0]}"


def test_spare_tasks_are_given_up_before_elements():
    found = sweep(5)
    units = make_units(found, found.stages, lambda _: SMALL, ())
    arguments = {"max_elements": 1000, "lanes": 40, "successors": 10}
    lanes, held = fitting_lanes(units, {}, 1000, **arguments)
    assert not held and {lane.spares for lane in lanes} == {10}
    lanes, held = fitting_lanes(units, {}, 100, **arguments)
    assert not held and {lane.spares for lane in lanes} == {3}
    lanes, held = fitting_lanes(units, {}, 20, **arguments)
    assert held and sum(lane.tasks for lane in lanes) <= 20
    assert not fitting_lanes(units, {}, 1, **arguments)[0]


def test_an_array_that_reads_a_lane_waits_for_its_end():
    found = sweep(3)
    pending = [each for each in found.stages if not each.startswith(("ingest", "prepare", "autoencoder"))]
    encoders = [each for each in found.stages if each.startswith("autoencoder")]
    queued = {stage: Ref(str(70 + number), None, is_lane=True) for number, stage in enumerate(encoders)}
    arrays = make_arrays(make_units(found, pending, lambda _: SMALL, (), queued), queued, 1000)
    first = [array for array in arrays if array.name == "gnn"]
    assert sorted(str(array.dependency({}, {})) for array in first) == ["afterany:70", "afterany:71", "afterany:72"]


def test_what_was_given_up_counts_for_one_job_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "10")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "2")
    note(tmp_path, GAVE_UP, why="x")
    assert is_given_up(tmp_path, "10") and not is_given_up(tmp_path, "11")


# -- dependencies that will never be met ------------------------------------------------------------------------------


def queue(found, jobs: dict[str, tuple[str, str, str]]) -> dict[str, QueuedStage]:
    """Kind -> (job, state, reason): each element of the kind in the queue."""
    queued = {}
    for kind, (job, state, reason) in jobs.items():
        for index, stage_id in enumerate(each for each in found.stages if each.startswith(f"{kind}/")):
            queued[stage_id] = QueuedStage(Ref(job, index), QueuedJob(f"{job}_{index}", state, reason, "root"))
    return {stage_id: queued[stage_id] for stage_id in found.stages if stage_id in queued}


NEVER = ("PENDING", "DependencyNeverSatisfied")
WAITS = ("PENDING", "Dependency")


def renewed(found, queued: dict[str, QueuedStage], done: set[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOGNAME", "root")
    standing = standing_of(found, done, queued, can_update=True)
    refs = {stage_id: each.ref for stage_id, each in standing.alive.items()}
    pending = [each for each in found.stages if each not in refs and each not in done]
    arrays = make_arrays(make_units(found, pending, lambda _: SMALL, (), refs), refs, 1000)
    return standing, arrays, updates_of(found, done, standing, arrays)


def test_only_the_children_of_what_was_lost_are_told(monkeypatch: pytest.MonkeyPatch):
    found = sweep(3)
    done = {each for each in found.stages if each.startswith(("ingest", "prepare", "autoencoder"))}
    queued = queue(found, {"sample": ("50", *NEVER), "evaluate": ("60", *WAITS)})
    standing, arrays, updates = renewed(found, queued, done, monkeypatch)
    assert [array.name for array in arrays] == ["gnn"] and not standing.stuck
    assert [(update.job, update.dependency({0: "99"})) for update in updates] == [("50", "aftercorr:99")]


def test_an_element_whose_inputs_stand_waits_for_nothing(monkeypatch: pytest.MonkeyPatch):
    found = sweep(2)
    done = {each for each in found.stages if not each.startswith(("sample", "evaluate"))}
    queued = queue(found, {"sample": ("50", *NEVER), "evaluate": ("60", *WAITS)})
    _, arrays, updates = renewed(found, queued, done, monkeypatch)
    assert not arrays
    assert [(update.job, update.dependency({})) for update in updates] == [("50", None)]


def test_part_of_an_array_is_told_element_by_element(monkeypatch: pytest.MonkeyPatch):
    found = sweep(3)
    gnns = [each for each in found.stages if each.startswith("gnn/")]
    done = {each for each in found.stages if each.startswith(("ingest", "prepare", "autoencoder"))} | {gnns[0]}
    queued = queue(found, {"sample": ("50", *NEVER), "evaluate": ("60", *WAITS)})
    first = next(iter(queued))
    queued[first] = QueuedStage(queued[first].ref, QueuedJob("50_0", "PENDING", "Resources", "root"))
    _, arrays, updates = renewed(found, queued, done, monkeypatch)
    (gnn,) = arrays
    assert len(gnn.elements) == 2
    told = {update.job: update.dependency({0: "99"}) for update in updates}
    assert set(told) == {"50_1", "50_2"} and all(str(text).startswith("afterok:99_") for text in told.values())


def test_another_users_element_is_left_alone(monkeypatch: pytest.MonkeyPatch):
    found = sweep(1)
    queued = queue(found, {"sample": ("50", *NEVER)})
    monkeypatch.setattr("tabgraphsyn.orchestration.slurm.standing.user_name", lambda: "somebody")
    standing = standing_of(found, set(), queued, can_update=True)
    assert not standing.alive and not standing.stuck and not standing.rearmed
    assert MOST_UPDATES > 0


# -- what is chosen ---------------------------------------------------------------------------------------------------


def facts(mode: str | None) -> Capabilities:
    return Capabilities("c", "22.05.8", 1001, None, False, None, mode, True, None, True, 300, False, mode is not None)


@pytest.mark.parametrize(
    ("setting", "mode", "found", "name"),
    [
        ("auto", "REQUEUE", None, "requeue"),
        ("auto", "REQUEUE", True, "requeue"),
        ("auto", "REQUEUE", False, "wait"),
        ("auto", "GANG,SUSPEND", False, "successor"),
        ("auto", "CANCEL", False, "successor"),
        ("auto", None, False, "successor"),
        ("successor", "REQUEUE", True, "successor"),
        ("wait", "OFF", False, "wait"),
    ],
)
def test_what_was_found_out_decides(tmp_path: Path, setting: str, mode: str | None, found: bool | None, name: str):
    if found is not None:
        record_findings(tmp_path, "c", can_requeue=found, why="because", source="doctor")
    assert choose(setting, facts(mode), read_findings(tmp_path, "c")).name == name
    assert read_findings(tmp_path, "another") is None
