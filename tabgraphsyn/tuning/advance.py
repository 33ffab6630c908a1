"""One step of a study: tell what ended, ask for what comes next, start it. Whoever calls, and however often."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabgraphsyn.data.files import write_json
from tabgraphsyn.errors import EXIT_INTERRUPTED, TabGraphSynError, raise_collected
from tabgraphsyn.orchestration.campaign.studies import SUMMARY, StudyForm, study_folder
from tabgraphsyn.tuning import runner
from tabgraphsyn.tuning.outcome import Outcome, outcome
from tabgraphsyn.tuning.space import chosen_overrides
from tabgraphsyn.tuning.study import distributions, opened, sampler

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

WINNER = "winner"
_COMING = frozenset({"running", "starting", "waiting", "held back", "elsewhere", "unknown"})
_GIVEN_UP = frozenset({"failed", "blocked", "cancelled", "stuck"})
_POINTS, _WORDS, _STARTS, _GATE, _WHY = "points", "overrides", "starts", "gate", "why"


def winner_campaign(study: StudyForm) -> str:
    """Return the campaign in which the winner is computed again."""
    return f"{study.name}-{WINNER}"


def advance(output_dir: Path, study: StudyForm, *, resumes: bool = False) -> str:
    """Tell, ask and start; return the study's state: ``running``, ``stopped``, ``winner runs`` or ``done``.

    Args:
        output_dir: of the store.
        study: which.
        resumes: start again what somebody stopped, too: they asked for it. What was killed is started again anyway.
    """
    with opened(output_dir, study) as trials:
        for trial in _of_state(trials, "RUNNING"):
            _name(study, trials, trial)
        open_trials = [t for t in _of_state(trials, "RUNNING") if not _settled(output_dir, study, trials, t)]
        starts = [str(t.number) for t in open_trials if _wants_start(output_dir, study, t, resumes=resumes)]
        count = len(open_trials)
        while count < study.parallel and len(trials.get_trials(deepcopy=False)) < study.trials:
            asked = _ask(output_dir, study, trials)
            starts += asked
            count += len(asked)
        for number in starts:
            _note_start(output_dir, study, trials, int(number))
        everything = trials.get_trials(deepcopy=False)
        is_over = len(everything) >= study.trials and all(trial.state.is_finished() for trial in everything)
        best = _best(trials)
        result = _winner(output_dir, study, best) if is_over and best is not None else {}
        if is_over and best is not None and not result and _wants_winner(output_dir, study, best, resumes=resumes):
            starts.append(WINNER)
        state = _state(output_dir, study, trials, is_over=is_over, best=best, result=result, starts=starts)
        _write_summary(output_dir, study, everything, best, result, state)
        for number in starts:
            _start(output_dir, study, number)
    # Jobs are submitted under the very lock that was held here, and a process of its own would end with this job's.
    for number in starts if study.executor == "slurm" else ():
        _compute(output_dir, study, number)
    return state


def _of_state(trials: optuna.Study, name: str) -> list[FrozenTrial]:
    return [trial for trial in trials.get_trials(deepcopy=False) if trial.state.name == name]


def _state(
    output_dir: Path,
    study: StudyForm,
    trials: optuna.Study,
    *,
    is_over: bool,
    best: FrozenTrial | None,
    result: dict[str, Any],
    starts: Sequence[str],
) -> str:
    if is_over:
        if best is None or result:
            return "done"
        return f"{WINNER} runs" if starts or _winner_is_alive(output_dir, study, best) else "stopped"
    running = [(str(trial.number), trial.user_attrs[_POINTS]) for trial in _of_state(trials, "RUNNING")]
    coming = bool(starts) or any(_is_alive(output_dir, study, number, points) for number, points in running)
    return "running" if coming else "stopped"


def _name(study: StudyForm, trials: optuna.Study, trial: FrozenTrial) -> None:
    """Note the points of a trial: whoever asked for it may have been killed before that, or before it was drawn."""
    import optuna

    if set(trial.params) != set(study.space):
        _told(trials, trial, None, optuna.trial.TrialState.FAIL, "whoever asked for it was killed")
    elif _POINTS not in trial.user_attrs:
        live = optuna.trial.Trial(trials, trial._trial_id)
        words = [*study.overrides, *chosen_overrides(trial.params)]
        live.set_user_attr(_WORDS, words)
        live.set_user_attr(_POINTS, point_names(words))


def _wants_winner(output_dir: Path, study: StudyForm, best: FrozenTrial, *, resumes: bool) -> bool:
    is_alive = _winner_is_alive(output_dir, study, best)
    return not is_alive and _may_start(output_dir, study, WINNER, resumes=resumes)


def _winner_is_alive(output_dir: Path, study: StudyForm, best: FrozenTrial) -> bool:
    return _is_alive(output_dir, study, WINNER, point_names(winner_words(study, best.user_attrs[_WORDS])))


def _wants_start(output_dir: Path, study: StudyForm, trial: FrozenTrial, *, resumes: bool) -> bool:
    number = str(trial.number)
    is_alive = _is_alive(output_dir, study, number, trial.user_attrs[_POINTS])
    return not is_alive and _may_start(output_dir, study, number, resumes=resumes)


def _may_start(output_dir: Path, study: StudyForm, trial: str, *, resumes: bool) -> bool:
    """Return whether a process that is gone is to be started again: one that was stopped waits for a word."""
    state = runner.state_of(output_dir, study.name, trial)
    return not runner.is_alive(state) and (resumes or state.get("code") != EXIT_INTERRUPTED)


def _note_start(output_dir: Path, study: StudyForm, trials: optuna.Study, number: int) -> None:
    import optuna

    trial = _frozen(trials, number)
    count = int(trial.user_attrs.get(_STARTS, 0)) + 1
    optuna.trial.Trial(trials, trial._trial_id).set_user_attr(_STARTS, count)


def _start(output_dir: Path, study: StudyForm, trial: str) -> None:
    """Start a trial's process, or note that this one submits its jobs."""
    if study.executor == "slurm":
        runner.claim(output_dir, study.name, trial)
    else:
        runner.start(output_dir, study.name, trial, winner_campaign(study) if trial == WINNER else study.name)


def _settled(output_dir: Path, study: StudyForm, trials: optuna.Study, trial: FrozenTrial) -> bool:
    """Tell a trial that ended; return whether it did."""
    from optuna.trial import TrialState

    state = runner.state_of(output_dir, study.name, str(trial.number))
    try:
        found = outcome(output_dir, study.name, trial.user_attrs[_POINTS], study.objectives)
    except TabGraphSynError as error:
        return _told(trials, trial, None, TrialState.FAIL, str(error))
    if found is not None:
        return _told(trials, trial, found, TrialState.COMPLETE, "")
    if state.get("code") == runner.PRUNED:
        return _told(trials, trial, None, TrialState.PRUNED, f"pruned by its {study.prune_on} while training")
    if state.get("code") in (2, 3):
        why = f"its launch ended with exit code {state.get('code')}; see launch.log of the campaign"
        return _told(trials, trial, None, TrialState.FAIL, why)
    if _queued(output_dir, study, study.name, trial.user_attrs[_POINTS]) & _GIVEN_UP:
        why = f"one of its jobs failed; see `tabgraphsyn status {study.name}`"
        return _told(trials, trial, None, TrialState.FAIL, why)
    is_spent = trial.user_attrs.get(_STARTS, 0) > study.restarts
    if is_spent and not _is_alive(output_dir, study, str(trial.number), trial.user_attrs[_POINTS]):
        return _told(trials, trial, None, TrialState.FAIL, f"stopped or killed {study.restarts + 1} times")
    return False


def _told(trials: optuna.Study, trial: FrozenTrial, found: Outcome | None, state: Any, why: str) -> bool:
    import optuna

    live = optuna.trial.Trial(trials, trial._trial_id)
    if found is not None:
        live.set_user_attr(_GATE, found.gate)
        live.set_constraint("privacy gate", found.constraint)
    if why:
        live.set_user_attr(_WHY, why)
    trials.tell(trial.number, values=None if found is None else list(found.values), state=state)
    return True


def _is_alive(output_dir: Path, study: StudyForm, trial: str, points: Sequence[str]) -> bool:
    """Return whether something computes a trial, or will: its process here, or its jobs."""
    campaign = winner_campaign(study) if trial == WINNER else study.name
    if runner.is_alive(runner.state_of(output_dir, study.name, trial)):
        return True
    return bool(_queued(output_dir, study, campaign, points) & _COMING)


def _queued(output_dir: Path, study: StudyForm, campaign: str, points: Sequence[str]) -> set[str]:
    """Return the states that Slurm's queue gives to the stages of a trial, or of the winner."""
    if study.executor != "slurm":
        return set()
    from tabgraphsyn.orchestration.campaign.campaigns import CAMPAIGN, read_campaign
    from tabgraphsyn.orchestration.reading.status import campaign_status
    from tabgraphsyn.orchestration.slurm.queue_status import with_queue
    from tabgraphsyn.orchestration.slurm.scheduler import Scheduler

    if not (output_dir / "campaigns" / campaign / CAMPAIGN).is_file():
        return set()
    record = read_campaign(output_dir, campaign)
    found = with_queue(campaign_status(record), record, Scheduler())
    return {stage.state for point in found.points if point.name in points for stage in point.stages}


def _ask(output_dir: Path, study: StudyForm, trials: optuna.Study) -> list[str]:
    """Ask for a trial; return its number, or nothing for one whose points were computed before."""
    trials.sampler = sampler(study, len(trials.get_trials(deepcopy=False)))
    trial = trials.ask(fixed_distributions=distributions(study))
    _name(study, trials, _frozen(trials, trial.number))
    return [] if _settled(output_dir, study, trials, _frozen(trials, trial.number)) else [str(trial.number)]


def _frozen(trials: optuna.Study, number: int) -> FrozenTrial:
    return next(each for each in trials.get_trials(deepcopy=False) if each.number == number)


def point_names(words: Sequence[str]) -> list[str]:
    """Return the names of the points that overrides compose to.

    Raises:
        ConfigError: all that is wrong with them.
    """
    from tabgraphsyn.config.composition import compose_points
    from tabgraphsyn.config.site import read_site
    from tabgraphsyn.errors import ConfigError

    composed = compose_points(words, multirun=True, readable=read_site().readable_variables)
    raise_collected(ConfigError, composed.problems)
    return [point.name for point in composed.points]


def _best(trials: optuna.Study) -> FrozenTrial | None:
    """Return the trial that wins: of those whose gate does not fail, the best in the first objective."""
    import optuna

    done = [trial for trial in trials.get_trials(deepcopy=False) if trial.state == optuna.trial.TrialState.COMPLETE]
    sign = -1.0 if trials.directions[0] == optuna.study.StudyDirection.MAXIMIZE else 1.0
    feasible = [trial for trial in done if trial.user_attrs.get(_GATE) != "fail"]
    return min(feasible, key=lambda trial: (sign * trial.values[0], trial.number), default=None)


def _winner(output_dir: Path, study: StudyForm, best: FrozenTrial) -> dict[str, Any]:
    """Return the winner's scores with new seeds, or nothing while they are computed: the best of many is too good."""
    campaign = winner_campaign(study)
    points = point_names(winner_words(study, best.user_attrs[_WORDS]))
    state = runner.state_of(output_dir, study.name, WINNER)
    found = [outcome(output_dir, campaign, [point], study.objectives) for point in points]
    values = [each.values for each in found if each is not None]
    if len(values) == len(points):
        return {
            each.metric: {
                "mean": statistics.fmean(value[place] for value in values),
                "sd": statistics.stdev(value[place] for value in values) if len(values) > 1 else 0.0,
                "values": [value[place] for value in values],
                "seeds": len(study.winner_seeds),
            }
            for place, each in enumerate(study.objectives)
        }
    if state.get("code") in (2, 3):
        return {"failed": f"exit code {state['code']}; see {campaign}/launch.log"}
    if _queued(output_dir, study, campaign, points) & _GIVEN_UP:
        return {"failed": f"one of its jobs failed; see `tabgraphsyn status {campaign}`"}
    return {}


def winner_words(study: StudyForm, words: Sequence[str]) -> list[str]:
    """Return the overrides of the winner with new seeds."""
    kept = [word for word in words if not word.startswith("seed=")]
    return [*kept, f"seed=choice({','.join(map(str, study.winner_seeds))})"]


def _write_summary(
    output_dir: Path, study: StudyForm, trials: Sequence[FrozenTrial], best: Any, result: dict[str, Any], state: str
) -> None:
    write_json(
        study_folder(output_dir, study.name) / SUMMARY,
        {
            "state": state,
            "objectives": [f"{'most' if each.maximize else 'least'} {each.metric}" for each in study.objectives],
            "trials": [
                {
                    "number": trial.number,
                    "state": trial.state.name.lower(),
                    "values": trial.values,
                    "gate": str(trial.user_attrs.get(_GATE, "")),
                    "settings": trial.params,
                    "starts": int(trial.user_attrs.get(_STARTS, 0)),
                    "why": str(trial.user_attrs.get(_WHY, "")),
                }
                for trial in trials
            ],
            "winner": None if best is None else best.number,
            "result": result,
        },
    )


def run(output_dir: Path, study: StudyForm, trial: str) -> None:
    """Run one trial, or the winner, in this process; then let the study go on, unless somebody stopped it."""
    if _compute(output_dir, study, trial) != EXIT_INTERRUPTED:
        advance(output_dir, study)


def _compute(output_dir: Path, study: StudyForm, trial: str) -> int:
    """Launch a trial, or the winner; return the launch's exit code."""
    with opened(output_dir, study) as trials:
        if trial == WINNER:
            best = _best(trials)
            words = winner_words(study, best.user_attrs[_WORDS]) if best is not None else []
        else:
            words = list(_frozen(trials, int(trial)).user_attrs[_WORDS])
    campaign = winner_campaign(study) if trial == WINNER else study.name
    return runner.run_trial(output_dir, study, trial, campaign, words, point_names(words))
