"""Compute a crate again, judge, and write the outcome into it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from tabgraphsyn.data.untrusted import read_form
from tabgraphsyn.errors import EXIT_DONE, ConfigError, StageError, listing, nearest
from tabgraphsyn.exports.again import (
    CAMPAIGN,
    POINT,
    data_problem,
    launched,
    refuse_other_versions,
    sampled_again,
    scored_again,
)
from tabgraphsyn.exports.claims import Claim, chosen_claim, own_claims, read_claims
from tabgraphsyn.exports.contents import Contents, MetricsForm, moment, read_contents
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED, Finding
from tabgraphsyn.exports.judging import claim_findings, other_class, score_findings, stage_finding
from tabgraphsyn.exports.outcomes import Outcome, OutcomeForm
from tabgraphsyn.exports.point import point_stage
from tabgraphsyn.exports.record import CLAIMS, METRICS, place, read_crate
from tabgraphsyn.orchestration.campaign.campaigns import read_campaign
from tabgraphsyn.orchestration.code.snapshot import code_version, machine_class
from tabgraphsyn.orchestration.stored.store import State

_FROM_THE_CRATE = {"sample", "evaluate"}
"""Stages that need no training: the crate holds what they read."""


def reproduce(
    folder: Path,
    *,
    claim: str | None = None,
    stages: Sequence[str] = (),
    data: str | None = None,
    output_dir: Path,
    overrides: Sequence[str] = (),
) -> OutcomeForm:
    """Compute a crate's stages again and return what was found.

    Args:
        folder: of the crate.
        claim: id of a claim, a row or a recipe of ``claims.csv``; judged alone.
        stages: labels to compute; none: all. ``sample`` and ``evaluate`` alone are computed from the crate itself.
        data: where the real tables lie, if they are not embedded.
        output_dir: of the launch; its own, so that nothing is taken from an earlier result.
        overrides: that say where and how stages run.

    Raises:
        ConfigError: no such stage or claim, or real tables that are missing or others.
        StageError: other code than made the crate, or a launch that failed.
    """
    started = time.time()
    contents = read_contents(folder, read_crate(folder))
    _check_stages(contents, stages)
    claims = _claims(folder, contents, claim)
    refuse_other_versions(contents.record)
    findings: list[Finding] = []
    if stages and set(stages) <= _FROM_THE_CRATE and not claims:
        if "sample" in stages:
            findings.append(sampled_again(folder, contents))
        if "evaluate" in stages:
            findings += scored_again(folder, contents, data)
    else:
        findings = _computed(folder, contents, claims, stages, data, output_dir, overrides)
    what = f"claim {claim}" if claim else ", ".join(stages) or "the whole point"
    return OutcomeForm(
        verdict=_verdict(findings),
        started=moment(started),
        ended=moment(time.time()),
        what=what,
        code=dict(code_version()),
        machine=dict(machine_class()),
        findings=[(finding.verdict, finding.piece, finding.text) for finding in findings],
    )


def _verdict(findings: Sequence[Finding]) -> Outcome:
    if any(finding.verdict == DIFFERS for finding in findings):
        return "not reproduced"
    return "reproduced" if any(finding.verdict == MATCHES for finding in findings) else "not judged"


def _check_stages(contents: Contents, stages: Sequence[str]) -> None:
    known = list(contents.record.stages)
    for label in stages:
        if label not in known:
            raise ConfigError(f"--stage: no stage {label!r}.{nearest(label, known)} There are {listing(known, 20)}.")


def _claims(folder: Path, contents: Contents, named: str | None) -> list[Claim]:
    if named is None:
        return []
    own = place(folder, CLAIMS)
    if own.is_file():
        return chosen_claim(read_claims(own), named)
    record = contents.record
    return chosen_claim(
        [each for each in own_claims() if (each.campaign, each.point) == (record.campaign, record.point)], named
    )


def _computed(
    folder: Path,
    contents: Contents,
    claims: Sequence[Claim],
    stages: Sequence[str],
    data: str | None,
    output_dir: Path,
    overrides: Sequence[str],
) -> list[Finding]:
    """Launch the crate's config in a store of its own, and judge every stage that it ends with done."""
    if problem := data_problem(contents, data):
        raise ConfigError(problem)
    until = ("evaluate",) if claims else tuple(stages)
    code, text = launched(folder, output_dir, contents, data, until, overrides, shows=True)
    if code != EXIT_DONE:
        raise StageError(f"the launch ended with exit code {code}: {text} Its store is {output_dir}.")
    campaign = read_campaign(output_dir, CAMPAIGN)
    standing = {label: campaign.store.state(each) for label, each in campaign.points[POINT].stages.items()}
    queued = [label for label, state in standing.items() if state is not State.DONE]
    if queued:
        text = f"{len(queued)} stages are not done yet; give the same command again when `tabgraphsyn status` says so"
        return [Finding("stages", NOT_CHECKED, text)]
    wanted = [
        label for label in standing if (not stages or label in stages or claims) and label in contents.record.stages
    ]
    found = [
        stage_finding(
            label, contents.record.stages[label], point_stage(campaign.store, campaign.points[POINT].stages[label])
        )
        for label in wanted
    ]
    metrics = output_dir / "campaigns" / CAMPAIGN / POINT / METRICS
    if "evaluate" not in standing or not metrics.is_file():
        return found
    evaluated = read_form(metrics, MetricsForm)
    is_same = not any(other_class(stage.made) for stage in contents.record.stages.values())
    if claims:
        return list(claim_findings(claims, evaluated, is_same_class=is_same))
    return [*found, *score_findings(contents.metrics, evaluated, is_same_class=is_same)]
