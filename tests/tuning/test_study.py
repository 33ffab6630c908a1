"""A study: asked, told and gone on with by whoever comes; what it computes is real in the slow test only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna")

from tabgraphsyn.errors import ConfigError, DataError  # noqa: E402
from tabgraphsyn.orchestration.campaign.studies import (  # noqa: E402
    Objective,
    StudyForm,
    _import_path,
    read_study,
    summary_lines,
)
from tabgraphsyn.tuning import advance as steps  # noqa: E402
from tabgraphsyn.tuning.outcome import Outcome  # noqa: E402
from tabgraphsyn.tuning.runner import PRUNED, claim, is_alive, is_poor, state_of, trial_file  # noqa: E402
from tabgraphsyn.tuning.space import chosen_overrides, distribution, parsed  # noqa: E402
from tabgraphsyn.tuning.study import opened, save_study  # noqa: E402
from tabgraphsyn.verbs.cli import main  # noqa: E402


class World:
    """What a store and its machines would say: which trials run, and what they reached."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.alive: set[str] = set()
        self.started: list[str] = []
        self.scores: dict[tuple[str, ...], Outcome] = {}
        self.words: dict[str, tuple[str, ...]] = {}

    def outcome(self, _: Path, campaign: str, points: list[str], __: Any) -> Outcome | None:
        return self.scores.get((campaign, *points))

    def start(self, out: Path, study: str, trial: str, campaign: str) -> None:
        self.alive.add(trial)
        self.started.append(trial)

    def finish(self, study: StudyForm, trial: str, value: float, gate: str = "pass") -> None:
        with opened(self.out, study) as found:
            points = found.get_trials()[int(trial)].user_attrs["points"]
        self.scores[study.name, *points] = Outcome((value, 1.0), gate, steps_constraint(gate))
        self.alive.discard(trial)

    def end(self, study: StudyForm, trial: str, code: Any) -> None:
        path = trial_file(self.out, study.name, trial)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"code": code}))
        self.alive.discard(trial)


def steps_constraint(gate: str) -> float:
    from tabgraphsyn.tuning.outcome import VERDICTS

    return VERDICTS[gate]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path / "out")
    made.out.mkdir()
    monkeypatch.setattr(steps, "outcome", made.outcome)
    monkeypatch.setattr(steps.runner, "start", made.start)
    monkeypatch.setattr(steps, "_is_alive", lambda out, study, trial, points: trial in made.alive)
    monkeypatch.setattr(steps.runner, "is_alive", lambda state: "winner" in made.alive)
    monkeypatch.setattr(steps, "point_names", lambda words: [word for word in words if "choice" in word])
    return made


def study(**changes: Any) -> StudyForm:
    values: dict[str, Any] = {
        "name": "s",
        "overrides": ["dataset=folder"],
        "space": {"x": "0.0..1.0", "gnn": "gin,gat"},
        "objectives": [Objective(metric="shapes"), Objective(metric="hours", maximize=False)],
        "trials": 5,
        "parallel": 2,
        "winner_seeds": [7],
    }
    return StudyForm(**{**values, **changes})


def states(out: Path, one: StudyForm) -> list[str]:
    with opened(out, one) as found:
        return [trial.state.name for trial in found.get_trials()]


def test_no_trial_waits_for_another(world: World) -> None:
    one = study()
    save_study(world.out, one)
    assert steps.advance(world.out, one) == "running"
    assert world.started == ["0", "1"]
    world.finish(one, "1", 0.5)
    steps.advance(world.out, one)
    assert world.started == ["0", "1", "2"], "the slow trial 0 holds nobody up"
    steps.advance(world.out, one)
    assert world.started == ["0", "1", "2"], "whoever comes, and however often"
    assert states(world.out, one) == ["RUNNING", "COMPLETE", "RUNNING"]


def test_a_study_whose_client_died_goes_on_and_its_winner_is_scored_again(world: World) -> None:
    one = study()
    save_study(world.out, one)
    steps.advance(world.out, one)
    world.alive.clear()  # the machine went down
    steps.advance(world.out, read_study(world.out, "s"))
    assert world.started == ["0", "1", "0", "1"], "the same points: what they saved is resumed"
    for number, (value, gate) in enumerate([(0.5, "pass"), (0.9, "fail"), (0.7, "warn"), (0.6, "pass"), (0.1, "pass")]):
        world.finish(one, str(number), value, gate)
        steps.advance(world.out, one)
    assert states(world.out, one) == ["COMPLETE"] * 5
    assert world.started[-1] == "winner"
    assert steps.advance(world.out, one) == "winner runs"
    with opened(world.out, one) as found:
        best = steps._best(found)
        assert best is not None and best.number == 2, "the best score of all was copied"
        points = steps.point_names(steps.winner_words(one, best.user_attrs["overrides"]))
        constraints = [steps_constraint(trial.user_attrs["gate"]) for trial in found.get_trials()]
    assert constraints.count(1.0) == 1
    for point in points:
        world.scores["s-winner", point] = Outcome((0.65, 2.0), "pass", -1.0)
    world.alive.clear()
    assert steps.advance(world.out, one) == "done"
    said = summary_lines(world.out, "s")
    assert any("winner again" in line and "0.65" in line for line in said)
    assert "ruled out by the privacy gate: trial 1" in said and any("privacy gate: warn" in line for line in said)


def test_a_winner_whose_jobs_failed_is_said_and_not_tried_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = study(executor="slurm", trials=1, parallel=1)
    save_study(world.out, one)
    monkeypatch.setattr(steps, "_compute", lambda out, study, number: world.start(out, "s", number, ""))
    queue: set[str] = set()
    monkeypatch.setattr(steps, "_queued", lambda out, study, campaign, points: queue if "winner" in campaign else set())
    steps.advance(world.out, one)
    world.finish(one, "0", 0.5)
    assert steps.advance(world.out, one) == "winner runs"
    assert steps.advance(world.out, one) == "winner runs" and world.started == ["0", "winner"]
    world.alive.clear()
    queue.add("failed")
    assert steps.advance(world.out, one) == "done"
    assert any("winner again: failed: one of its jobs failed" in line for line in summary_lines(world.out, "s"))


def test_who_submits_on_another_node_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    claim(tmp_path, "s", "0")
    state = state_of(tmp_path, "s", "0")
    elsewhere = {**state, "owner": {**state["owner"], "boot": "another kernel"}}
    assert is_alive(state) and is_alive(elsewhere)
    assert not is_alive({**elsewhere, "until": time.time() - 1})


def test_a_study_is_gone_on_with_where_it_was_made(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "made").mkdir()
    save_study(world.out, study(cwd=str(tmp_path / "made")))
    save_study(world.out, study(cwd=str(tmp_path)))  # the same command from another folder
    assert read_study(world.out, "s").cwd == str(tmp_path / "made")
    monkeypatch.chdir(tmp_path)
    assert main(["tune", "s", "--no-wait", "--output-dir", str(world.out)]) == 0
    assert Path.cwd() == tmp_path / "made" and world.started
    (tmp_path / "made").rmdir()
    assert main(["tune", "s", "--no-wait", "--output-dir", str(world.out)]) == 2


def test_what_a_job_imports_from_comes_before_what_python_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = str(Path(sys.prefix) / "lib")
    monkeypatch.setattr(sys, "path", ["", "/somebody's modules", inside, "/a:b"])
    assert _import_path() == [str(Path(steps.__file__).resolve().parents[2]), "/somebody's modules"]


def test_failed_pruned_and_often_killed_trials_are_told(world: World) -> None:
    one = study(parallel=4, trials=4, restarts=1)
    save_study(world.out, one)
    steps.advance(world.out, one)
    world.end(one, "0", 3)
    world.end(one, "1", PRUNED)
    world.finish(one, "2", 0.5)
    world.end(one, "3", 75)
    assert steps.advance(world.out, one) == "stopped"
    assert states(world.out, one) == ["FAIL", "PRUNED", "COMPLETE", "RUNNING"] and world.started.count("3") == 1
    assert steps.advance(world.out, one, resumes=True) == "running" and world.started.count("3") == 2
    world.alive.clear()
    steps.advance(world.out, one)
    assert states(world.out, one)[3] == "FAIL"


def test_whoever_asked_may_be_killed_at_once(world: World) -> None:
    one = study()
    save_study(world.out, one)
    with opened(world.out, one) as found:
        found.ask()  # nothing drawn
        from tabgraphsyn.tuning.study import distributions

        found.ask(fixed_distributions=distributions(one))  # drawn, and nobody noted what for
    steps.advance(world.out, one)
    assert states(world.out, one) == ["FAIL", "RUNNING", "RUNNING"] and sorted(world.started) == ["1", "2"]


def test_a_torn_journal_and_a_lost_one(world: World) -> None:
    one = study()
    save_study(world.out, one)
    steps.advance(world.out, one)
    journal = world.out / "studies" / "s" / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "tri')
    steps.advance(world.out, one)
    assert journal.read_bytes().startswith(whole) and states(world.out, one) == ["RUNNING", "RUNNING"]
    for line in journal.read_bytes().splitlines():
        json.loads(line)


def test_another_search_of_that_name_and_a_record_of_a_stranger(world: World, tmp_path: Path) -> None:
    save_study(world.out, study())
    save_study(world.out, study(trials=50))
    assert read_study(world.out, "s").trials == 50
    with pytest.raises(ConfigError, match="something else"):
        save_study(world.out, study(seed=1))
    with pytest.raises(ConfigError, match="no such study"):
        read_study(world.out, "t")
    record = world.out / "studies" / "s" / "study.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "name": "../x"}))
    with pytest.raises(DataError):
        read_study(world.out, "s")


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [("1..5", 1, 5), ("1e-4..1e-2:log", 1e-4, 1e-2), ("8..64:step=8", 8, 64), ("-1.5..2", -1.5, 2.0)],
)
def test_ranges(text: str, low: float, high: float) -> None:
    found: Any = distribution("k", text)
    assert (found.low, found.high) == (low, high) and found.log == text.endswith("log")
    assert isinstance(low, int) == isinstance(found, optuna.distributions.IntDistribution)


def test_lists_and_what_is_neither() -> None:
    assert distribution("k", "gin, gat").choices == ("gin", "gat")  # type: ignore[attr-defined]
    assert distribution("k", "true,null,1,0.5,007x").choices == (True, None, 1, 0.5, "007x")  # type: ignore[attr-defined]
    assert chosen_overrides({"a": True, "b": None, "c": 1e-05}) == [
        "a=choice(true)",
        "b=choice(null)",
        "c=choice(1e-05)",
    ]
    for wrong in ("5..1", "gin", "a,a", "0..1:log", "1..", "a;b,c", ""):
        with pytest.raises(ConfigError):
            distribution("k", wrong)
    for settings in ([], ["x"], ["x=1..2", "x=2..3"], ["a b=1..2"]):
        with pytest.raises(ConfigError):
            parsed(settings)


def test_a_poor_trial_is_worse_than_the_median_at_its_step() -> None:
    others = [{10: 0.5, 20: 0.9}, {10: 0.6, 20: 0.8}, {10: 0.7, 20: 0.7}]
    assert not is_poor({10: 0.6}, others, larger_is_better=True)
    assert is_poor({20: 0.6}, others, larger_is_better=True)
    assert not is_poor({20: 0.6}, others, larger_is_better=False)
    assert not is_poor({5: 0.1}, others, larger_is_better=True), "nobody was scored that early"
    assert not is_poor({}, others, larger_is_better=True)


BASE = ("dataset=folder", "experiment=quickstart", "~evaluation.metrics.c2st", "~evaluation.metrics.c2st_agg")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--search", "training.absorbing.stepps=1..2"], "steps"),
        (["--search", "generator.layers=2..8", "--maximize", "shapes"], "column_shapes"),
        (["--search", "generator.layers=2..8", "generator.layers=4"], "sets it too"),
        (["--search", "generator.layers=2..8", "campaign=x"], "tune sets it itself"),
        (["--search", "generator.layers=2..8", "--prune-on", "loss"], "--prune-on"),
        (["--search", "generator.layers=2..8", "--prune-on", "c2st"], "must score samples"),
        (["--search", "generator.layers=2..8", "--winner-seeds", "1,1"], "--winner-seeds"),
        (["--search", "training.absorbing.steps=-4..8"], "training.absorbing.steps"),
        ([], "what is searched"),
    ],
)
def test_everything_is_checked_before_anything_runs(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "t.csv").write_text("id,v\n1,2\n2,3\n3,5\n")
    place = [f"dataset.path={tmp_path / 'data'}", "--output-dir", str(tmp_path / "out")]
    assert main(["tune", "s", *BASE, *words, *place]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out" / "studies").exists()


def _tune(place: Path, *words: str) -> subprocess.Popen[str]:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-m", "tabgraphsyn", "tune", "s", *words, "--output-dir", str(place / "out")],
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _until(condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_study_killed_in_the_middle_ends(tmp_path: Path) -> None:
    import psutil

    (tmp_path / "data").mkdir()
    rows = "".join(f"{n},{100 + n % 17}.5,{'ab'[n % 2]}\n" for n in range(80))
    (tmp_path / "data" / "people.csv").write_text(f"id,pay,kind\n{rows}")
    words = [*BASE, f"dataset.path={tmp_path / 'data'}", "report=quick"]
    search = ["--search", "training.absorbing.steps=4..9", "--search", "generator.layers=1,2"]
    first = _tune(tmp_path, *words, *search, "--trials", "3", "--winner-seeds", "1,2")
    trial = tmp_path / "out" / "studies" / "s" / "trials" / "0.json"
    _until(lambda: trial.is_file() and "owner" in json.loads(trial.read_text()), 120)
    _until(lambda: (tmp_path / "out" / "stages" / "prepare").is_dir(), 120)
    first.kill()
    for process in psutil.process_iter(["cmdline"]):  # the machine goes down: whoever works in this folder
        if str(tmp_path) in " ".join(process.info["cmdline"] or ()) and process.pid != os.getpid():
            process.send_signal(signal.SIGKILL)
    again = _tune(tmp_path)
    out, _ = again.communicate(timeout=800)
    assert again.returncode == 0 and "study s: done" in out, out
    summary = json.loads((tmp_path / "out" / "studies" / "s" / "summary.json").read_text())
    assert [each["state"] for each in summary["trials"]] == ["complete"] * 3
    assert max(each["starts"] for each in summary["trials"]) == 2
    assert len(summary["result"]["column_shapes"]["values"]) == 2
    campaign = json.loads((tmp_path / "out" / "campaigns" / "s" / "campaign.json").read_text())
    assert len(campaign["points"]) == len({json.dumps(each["settings"]) for each in summary["trials"]})
