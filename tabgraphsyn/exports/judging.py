"""Is a second result the first one? Bit for bit on the same class of machine, else inside the stated intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata

from tabgraphsyn.errors import listing
from tabgraphsyn.exports.claims import Claim
from tabgraphsyn.exports.contents import MetricsForm
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED, Finding, gathered
from tabgraphsyn.exports.record import REPORT, MadeForm, StageForm
from tabgraphsyn.orchestration.code.snapshot import machine_class

_ROUND = ("torch", "numpy", "scipy", "pyarrow", "pandas")
_SAME = 1e-12
_NAMED = 5


def other_class(made: MadeForm) -> str:
    """Return in what this machine differs from the one that made a result as far as bits go; empty: in nothing."""
    here = machine_class()
    found = [
        f"{key} {here.get(key, '')!r} is not {value!r}"
        for key, value in made.machine.items()
        if key in here and here[key] != value
    ]
    if not made.machine:
        found.append("its class was not recorded")
    for name in _ROUND:
        said = made.libraries.get(name)
        if said is not None and said != _installed(name):
            found.append(f"{name} {_installed(name)} is not {said}")
    return "; ".join(found)


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def stage_finding(label: str, said: StageForm, found: StageForm) -> Finding:
    """Return whether a stage that was computed again published the same bits."""
    piece = f"stage {label}"
    names = set(said.outputs) - {REPORT}
    if not names:
        return Finding(piece, NOT_CHECKED, f"{REPORT} tells how long stages took, so no two are alike")
    different = sorted(name for name in names if found.outputs.get(name) != said.outputs[name])
    if not different:
        return Finding(piece, MATCHES, f"{len(names)} files, bit for bit")
    what = f"{len(different)} of {len(names)} files have other bits: {listing(different, _NAMED)}"
    other = other_class(said.made) or _other_device(said.made, found.made)
    if other:
        return Finding(piece, NOT_CHECKED, f"bits hold on one class of machine only, and here {other}; scores decide")
    return Finding(piece, DIFFERS, what)


def _other_device(said: MadeForm, found: MadeForm) -> str:
    pairs = (("device", said.device, found.device), ("ranks", said.ranks, found.ranks))
    return "; ".join(f"{name} {there!r} is not {here!r}" for name, here, there in pairs if here != there)


def score_findings(said: MetricsForm, found: MetricsForm, *, is_same_class: bool) -> list[Finding]:
    """Return whether scores that were computed again are the stated ones.

    Args:
        said: as stated.
        found: as computed now.
        is_same_class: of machine: then they must be equal; otherwise inside the stated intervals.
    """
    again = {score.key: score.value for score in found.scores}
    problems, open_, inside = [], [], 0
    for score in said.scores:
        value, name = again.get(score.key), " ".join(score.key)
        if value is not None and abs(value - score.value) <= _SAME:
            continue
        if value is None:
            problems.append(f"{name}: {score.value:.6g} is stated, it was not scored now")
        elif is_same_class or score.level not in ("database", "table"):
            if is_same_class:
                problems.append(f"{name}: {score.value:.6g} is stated, it is {value:.6g}")
        elif score.interval is None:
            open_.append(name)
        elif score.interval[0] - _SAME <= value <= score.interval[1] + _SAME:
            inside += 1
        else:
            low, high = score.interval
            problems.append(f"{name}: {low:.4g} to {high:.4g} is stated, it is {value:.6g}")
    extra = again.keys() - {score.key for score in said.scores}
    problems += (
        [f"{' '.join(key)}: not stated, it is {again[key]:.6g}" for key in sorted(extra)] if is_same_class else []
    )
    equal = "all equal" if not inside else f"{inside} inside their intervals, the others equal or of single columns"
    findings = gathered("scores", problems, f"{len(said.scores)} scores, {equal}")
    if open_:
        findings.append(
            Finding("scores without an interval", NOT_CHECKED, f"none is stated for {listing(open_, _NAMED)}")
        )
    return findings


def claim_findings(claims: Sequence[Claim], found: MetricsForm, *, is_same_class: bool) -> Iterator[Finding]:
    """Yield whether each claim holds of scores that were computed again."""
    again: Mapping[str, float] = {"|".join(score.key): score.value for score in found.scores}
    for claim in claims:
        piece = f"claim {claim.id}"
        value = again.get(claim.measure)
        if "|" not in claim.measure:
            yield Finding(piece, NOT_CHECKED, f"{claim.measure} is the machine's")
        elif value is None:
            yield Finding(piece, DIFFERS, f"{claim.measure} was not scored now")
        elif abs(value - claim.number) <= _SAME:
            yield Finding(piece, MATCHES, f"{value:.6g}, as stated")
        elif is_same_class:
            yield Finding(piece, DIFFERS, f"{claim.number:.6g} is stated, it is {value:.6g}")
        elif claim.interval is None:
            yield Finding(piece, NOT_CHECKED, f"{claim.number:.6g} is stated without an interval, it is {value:.6g}")
        else:
            low, high = claim.interval
            verdict = MATCHES if low <= value <= high else DIFFERS
            yield Finding(piece, verdict, f"{low:.4g} to {high:.4g} is stated, it is {value:.6g}")
