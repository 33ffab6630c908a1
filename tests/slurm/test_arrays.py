"""Arrays from plans: exact dependencies, few calls. Pure, no Slurm."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slurm_stages import slurm_catalog

from tabgraphsyn.orchestration.planning.plan import Plan, PlannedPoint, plan
from tabgraphsyn.orchestration.slurm.arrays import JobArray, Ref, Request, make_arrays, make_units

SMALL = Request(1, 1.0, 60)


def sweep(seeds: int, gnns: int = 1, tables: tuple[str, ...] = ("a",), evaluations: int = 1) -> Plan:
    points = []
    for seed in range(seeds):
        for gnn in range(gnns):
            for number in range(evaluations):
                config = {
                    "dataset": {"tables": list(tables)},
                    "seed": seed,
                    "gnn": {"name": gnn},
                    "fake": {"prepare": "", "autoencoder": "", "gnn": "", "sample": "", "evaluate": str(number)},
                }
                points.append(PlannedPoint(f"{seed},{gnn},{number}", config, "content", tables))
    return plan(points, slurm_catalog())


def arrays_of(found: Plan, *, fused: tuple[str, ...] = (), most: int = 1000, limit: int = 40) -> list[JobArray]:
    return make_arrays(make_units(found, found.stages, lambda _: SMALL, fused), {}, most, limit)


def waits_for(arrays: list[JobArray]) -> Mapping[str, set[str]]:
    """What each stage's element waits for, by the meaning of the dependencies: stages that surely are done."""
    at = {
        (array.number, index if array.is_array else None): unit
        for array in arrays
        for index, unit in array.elements.items()
    }
    found: dict[str, set[str]] = {}
    for array in arrays:
        for index, unit in array.elements.items():
            # KeyError: an index that the parent lacks.
            read = [at[(key, index)] for key in array.corresponding] + [
                at[(ref.key, ref.index)] for ref in array.common
            ]
            stages = {stage for each in read for stage in each.stages}
            stages |= {up for stage in stages for up in found[stage]}
            found.update({stage: stages | set(unit.stages) for stage in unit.stages})
    return found


def check_exact(found: Plan, arrays: list[JobArray]) -> None:
    waited = waits_for(arrays)
    assert set(waited) == set(found.stages)
    for stage in found.stages.values():
        assert set(stage.inputs.values()) <= waited[stage.id]
    before: set[int] = set()
    for array in arrays:
        assert set(array.corresponding) | {ref.key for ref in array.common} <= before
        before.add(array.number)


def test_a_thousand_points_are_six_calls():
    found = sweep(1000)
    arrays = arrays_of(found)
    check_exact(found, arrays)
    assert len(arrays) == 6
    assert [len(array.elements) for array in arrays] == [1, 1, 1000, 1000, 1000, 1000]
    assert all(len(array.common) <= 1 for array in arrays)


def test_more_elements_than_an_array_takes_are_split():
    found = sweep(25)
    arrays = arrays_of(found, most=10)
    check_exact(found, arrays)
    assert max(len(array.elements) for array in arrays) == 10
    assert max(max(array.elements) for array in arrays) <= 9
    assert len(arrays) == 2 + 4 * 3


def test_a_failed_element_stops_only_its_own():
    """No element waits for a stage that neither it nor what it reads needs."""
    found = sweep(6, gnns=2, tables=("a", "b"))
    arrays = arrays_of(found)
    check_exact(found, arrays)
    waited = waits_for(arrays)
    reads: dict[str, set[str]] = {}
    for stage in found.stages.values():
        reads[stage.id] = {stage.id}.union(*(reads[each] for each in stage.inputs.values()))
        assert waited[stage.id] == reads[stage.id]


def test_short_neighbours_run_in_one_job():
    found = sweep(3, evaluations=2)
    arrays = arrays_of(found, fused=("sample", "evaluate"))
    check_exact(found, arrays)
    assert "sample+evaluate" in {array.name for array in arrays}
    assert sum(len(unit.stages) for array in arrays for unit in array.elements.values()) == len(found.stages)
    (fused,) = (array for array in arrays if array.name == "sample+evaluate")
    assert fused.request.timeout_min == 180  # one sample, two evaluations


def test_queued_stages_are_waited_for_by_their_jobs():
    found = sweep(3)
    pending = [stage_id for stage_id in found.stages if not stage_id.startswith(("ingest", "prepare", "autoencoder"))]
    encoders = [stage_id for stage_id in found.stages if stage_id.startswith("autoencoder")]
    queued = {stage_id: Ref("77", index) for index, stage_id in enumerate(encoders)}
    units = make_units(found, pending, lambda _: SMALL, (), queued)
    arrays = make_arrays(units, queued, 1000)
    assert arrays[0].dependency({}, {}) == "aftercorr:77"


def test_too_many_shapes_wait_for_all_and_let_the_gate_decide():
    found = sweep(8, gnns=8)
    arrays = arrays_of(found, limit=3)
    assert any(array.after_any for array in arrays)
    ids = {array.number: str(100 + array.number) for array in arrays}
    assert any("afterany:" in (array.dependency(ids, {}) or "") for array in arrays)


@pytest.mark.parametrize(
    ("indices", "text"), [([0, 1, 2, 7], "0-2,7"), ([3], "3"), ([0, 2, 4], "0,2,4"), ([5, 6], "5-6")]
)
def test_indices_as_sbatch_takes_them(indices: list[int], text: str):
    (unit, *_) = make_units(sweep(1), sweep(1).stages, lambda _: SMALL, ())
    assert JobArray(0, "x", SMALL, dict.fromkeys(indices, unit)).index_expression() == text


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 7), st.integers(1, 4), st.sampled_from([("a",), ("a", "b"), ("a", "b", "c")]), st.integers(1, 3),
    st.integers(2, 9), st.booleans(),
)  # fmt: skip
def test_every_plan_keeps_its_order(seeds, gnns, tables, evaluations, most, fuses):
    found = sweep(seeds, gnns, tables, evaluations)
    arrays = arrays_of(found, fused=("sample", "evaluate") if fuses else (), most=most, limit=10_000)
    check_exact(found, arrays)
    assert all(max(array.elements) < most for array in arrays)
    assert sum(len(unit.stages) for array in arrays for unit in array.elements.values()) == len(found.stages)
