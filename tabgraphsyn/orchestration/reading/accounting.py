"""Hours of running, from the attempts' own records: with or without a scheduler's accounting."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabgraphsyn.orchestration.campaign.campaigns import Campaign
from tabgraphsyn.orchestration.stored import ledger
from tabgraphsyn.orchestration.stored.lease import Attempt, attempt_numbers, read_attempt


@dataclass
class Usage:
    """Hours of one stage kind and user.

    Attributes:
        stage: kind.
        user: who ran it.
        attempts: how many.
        used_h: of attempts that ended done.
        saved_h: what further sweep points that read the same stages would have taken.
        running_h: of attempts that run now.
        lost_h: of attempts that were interrupted, failed or died. A resumed stage keeps most of that work.
        gpu_used_h: the same in GPU-hours.
        gpu_running_h: the same in GPU-hours.
        gpu_lost_h: the same in GPU-hours.
    """

    stage: str
    user: str
    attempts: int = 0
    used_h: float = 0.0
    saved_h: float = 0.0
    running_h: float = 0.0
    lost_h: float = 0.0
    gpu_used_h: float = 0.0
    gpu_running_h: float = 0.0
    gpu_lost_h: float = 0.0


def usage_of(campaigns: Sequence[Campaign]) -> list[Usage]:
    """Return the hours of some campaigns' stages, each stage counted once."""
    found: dict[tuple[str, str], Usage] = {}
    shares: Counter[str] = Counter()
    places = {}
    for campaign in campaigns:
        places.update(dict.fromkeys(campaign.stage_ids(), campaign))
        shares.update(stage_id for point in campaign.points.values() for stage_id in point.stages.values())
    submissions = ledger.read(campaigns[0].output_dir) if campaigns else []
    requests = {stage: item[0].request for stage, item in ledger.latest_elements(submissions).items()}
    gpus = {stage: request.get("gpus", 0) * request.get("nodes", 1) for stage, request in requests.items()}
    for stage_id, campaign in places.items():
        _add(found, stage_id, campaign, shares, gpus)
    return sorted(found.values(), key=lambda each: -(each.used_h + each.running_h + each.lost_h))


def _add(
    found: dict[tuple[str, str], Usage],
    stage_id: str,
    campaign: Campaign,
    shares: Mapping[str, int],
    gpus: Mapping[str, int],
) -> None:
    folder = campaign.store.folder(stage_id)
    kind = stage_id.split("/")[0]
    manifest = campaign.store.done(stage_id)
    here = manifest.get("ranks", 1) if manifest is not None and manifest.get("device") == "cuda" else 0
    count = gpus.get(stage_id, here)
    for number in attempt_numbers(folder):
        attempt = read_attempt(folder, number)
        entry = found.setdefault((kind, attempt.owner.user), Usage(kind, attempt.owner.user))
        hours = _hours(attempt)
        entry.attempts += 1
        if attempt.outcome == "done":
            entry.used_h += hours
            entry.gpu_used_h += hours * count
            entry.saved_h += hours * (shares[stage_id] - 1)
        elif attempt.is_running(campaign.lease_timeout_s):
            entry.running_h += hours
            entry.gpu_running_h += hours * count
        else:
            entry.lost_h += hours
            entry.gpu_lost_h += hours * count


def _hours(attempt: Attempt) -> float:
    """Return how long an attempt ran; one that died without a word, up to its last heartbeat."""
    # A heartbeat under a clock that jumped must not count as years.
    ended = attempt.ended or min(attempt.heartbeat, time.time())
    return max(0.0, ended - attempt.started) / 3600
