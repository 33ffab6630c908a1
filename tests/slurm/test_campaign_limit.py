"""``cluster.max_running`` over a campaign: how it is shared out. Pure, no Slurm."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tabgraphsyn.orchestration.slurm.arrays import JobArray, Ref, Request, Unit
from tabgraphsyn.orchestration.slurm.campaign_limit import InQueue, phases, share_out


def array(number: int, count: int, minutes: int = 60) -> JobArray:
    request = Request(1, 1.0, minutes)
    unit = Unit(f"kind{number}", None, request, (f"k/{number}",), frozenset())
    return JobArray(number, unit.name, request, dict.fromkeys(range(count), unit))


def side_by_side(arrays: list[JobArray]) -> int:
    """Most elements that can run at once: arrays that wait for the end of another one never run beside it."""
    most = {each.number: each.running or len(each.elements) for each in arrays}
    in_a_row = any(each.after_any for each in arrays)
    return max(most.values()) if in_a_row else sum(most.values())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 600)), min_size=1, max_size=12), st.integers(1, 60))
def test_no_more_than_the_limit_runs_and_none_of_it_is_left_idle(kinds: list[tuple[int, int]], limit: int):
    arrays = [array(number, count, minutes) for number, (count, minutes) in enumerate(kinds)]
    assert share_out(arrays, limit) is None
    assert all(0 <= each.running <= len(each.elements) for each in arrays)
    wanted = sum(count for count, _ in kinds)
    found = side_by_side(arrays)
    assert found <= max(limit, 0)
    if any(each.after_any for each in arrays):
        assert len(arrays) > limit
        assert [each.after_any for each in arrays] == [frozenset(), *({n} for n in range(len(arrays) - 1))]
        assert all(each.running == min(limit, len(each.elements)) for each in arrays)
    else:
        assert found == min(limit, wanted)


def test_what_has_ended_before_others_start_takes_no_share():
    """prepare, then autoencoders, networks that read them one by one, and a report that reads all networks."""
    prepare, autoencoder, gnn, other, report = (array(number, count) for number, count in enumerate((1, 8, 8, 3, 1)))
    autoencoder.common = other.common = frozenset({Ref(0, None)})
    gnn.corresponding = frozenset({1})
    report.common = frozenset(Ref(2, index) for index in range(8))
    found = [prepare, autoencoder, gnn, other]
    assert [[each.number for each in phase] for phase in phases(found)] == [[0], [1, 2, 3]]
    share_out(found, 9)
    assert prepare.running == 1 and autoencoder.running + gnn.running + other.running == 9
    assert [len(phase) for phase in phases([prepare, autoencoder, gnn, report])] == [1, 2, 1]
    assert len(phases([*found, report])) == 2, "nobody says that the others have ended when the report starts"
    gnn.elements = {index: gnn.elements[index] for index in range(5)}
    report.common = frozenset(Ref(2, index) for index in range(5))
    assert len(phases([prepare, autoencoder, gnn, report])) == 2, "three autoencoders are read by no network"


def test_shares_go_by_work():
    arrays = [array(0, 100, 10), array(1, 100, 80), array(2, 1, 600)]
    share_out(arrays, 10)
    assert [each.running for each in arrays] == [1, 8, 1]


def test_without_a_limit_nothing_is_shared_out():
    arrays = [array(0, 100)]
    assert share_out(arrays, 0) is None and arrays[0].running == 0


def test_what_is_queued_already_counts():
    arrays = [array(0, 20), array(1, 20)]
    assert share_out(arrays, 10, [InQueue(left=30, running=4), InQueue(left=1, running=8)]) is None
    assert sum(each.running for each in arrays) == 5 and not any(each.after_any for each in arrays)


def test_where_the_queue_leaves_no_place_it_is_said():
    arrays = [array(0, 20), array(1, 20)]
    said = share_out(arrays, 10, [InQueue(left=30, running=0)])
    assert [each.running for each in arrays] == [1, 1]
    assert said is not None and said.startswith("cluster.max_running=10: up to 32 may run at once until")
