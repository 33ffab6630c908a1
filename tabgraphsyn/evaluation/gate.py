"""The gate: whether the privacy scores allow that fidelity be believed, with what chance alone may do.

A check is one privacy score with evidence. It *fails* when the excess over what unseen real rows reach is above its
limit with a confidence that holds for all checks of the database together (Bonferroni); it *warns* when the excess is
above a lower limit, each check taken by itself. Small tables have wide intervals: they cannot fail by chance, and the
gate says how much copying would have gone unnoticed in them.

Every table has a verdict, and the database has the worst of them: what was published on purpose and what could not be
judged is said, and is no part of a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tabgraphsyn.errors import ConfigError, listing, nearest
from tabgraphsyn.evaluation.score import Score, Unscored
from tabgraphsyn.evaluation.statistics.evidence import Evidence

Verdict = Literal["pass", "published by choice", "not judged", "warn", "fail"]
WORST_FIRST: tuple[Verdict, ...] = ("fail", "warn", "not judged", "published by choice", "pass")
ACTIONS = ("warn", "fail", "off")
OTHERS = "default"
_ORDER: Mapping[str, int] = {verdict: place for place, verdict in enumerate(WORST_FIRST)}
KEYS_ONLY = "no columns besides keys"
"""Why a table of keys cannot be judged: its keys are made anew, and there is nothing else that could be copied."""

NOT_JUDGED: Mapping[str, Any] = {
    "verdict": "not judged",
    "text": "",
    "checks": [],
    "weak": {},
    "not_judged": {},
    "tables": {},
}


@dataclass(frozen=True)
class Limits:
    """Excess, as a share, up to which a check passes (``warn``) and up to which it does not fail (``fail``)."""

    warn: float
    fail: float


@dataclass(frozen=True)
class Check:
    """One privacy score, judged.

    Attributes:
        metric: name.
        where: table or relation.
        table: the table whose rows were judged.
        verdict: ``pass``, ``warn`` or ``fail``.
        value: the score.
        excess: over what unseen real rows or chance reach.
        low: lower bound of the excess at the confidence of a warning.
        certain: lower bound at the confidence of a failure, over all checks together.
        searched: share of the records that were searched.
        unnoticed: an excess up to this could have been there without a warning.
        limits: what it was judged by.
        text: the finding in words; empty when it passes.
    """

    metric: str
    where: str
    table: str
    verdict: Verdict
    value: float
    excess: float
    low: float
    certain: float
    searched: float
    unnoticed: float
    limits: Limits
    text: str


class Gate:
    """Judges privacy scores.

    Args:
        action: what a launch and ``tabgraphsyn evaluate`` do about a verdict: ``warn`` says it, ``fail`` also ends with
            exit code 3 when it is ``fail``, ``off`` says nothing. The verdict is always made and written.
        confidence: with which a failure is no chance, over all checks of the database together.
        warn_confidence: with which a warning is no chance, each check by itself.
        blind: a table in which near copies of more than this share of the rows could go unnoticed is named as tiny.
        limits: per metric ``warn`` and ``fail``; ``default`` is for those that are not listed.
    """

    def __init__(
        self,
        *,
        action: str,
        confidence: float,
        warn_confidence: float,
        blind: float,
        limits: Mapping[str, Mapping[str, float]],
    ) -> None:
        if action not in ACTIONS:
            raise ConfigError(
                f"evaluation.gate.action: one of {listing(ACTIONS)}, found {action!r}.{nearest(str(action), ACTIONS)}"
            )
        for key, value in (("confidence", confidence), ("warn_confidence", warn_confidence)):
            if not 0.5 <= value < 1:
                raise ConfigError(f"evaluation.gate.{key}: a probability in [0.5, 1), found {value!r}.")
        self.action = action
        self.confidence = confidence
        self.warn_confidence = warn_confidence
        self.blind = blind
        if OTHERS not in limits:
            raise ConfigError(f"evaluation.gate.limits: {OTHERS!r} is missing, which holds for metrics not listed.")
        self.limits = {name: _limits(name, pair) for name, pair in limits.items()}

    def judge(
        self,
        scores: Iterable[Score],
        unscored: Iterable[Unscored],
        privacy: Iterable[str],
        tables: Sequence[str] = (),
        published: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Return the ``gate`` block of ``metrics.json``.

        Args:
            scores: every score.
            unscored: what could not be scored.
            privacy: names of the privacy metrics that were computed.
            tables: every table of the database.
            published: tables whose real rows are kept on purpose -> who says so.
        """
        privacy = list(privacy)
        notes = [note for note in unscored if note.comparison == "synthetic"]
        judged = [score for score in scores if score.comparison == "synthetic" and "evidence" in score.detail]
        checks = sorted((self._check(score, len(judged)) for score in judged), key=_worst_first)
        weak, excused = self._weak(checks, notes), _not_judged(checks, notes, set(privacy))
        found = _table_verdicts(checks, weak, excused, tables, published or {})
        return {
            "verdict": _worst(found, checks),
            "text": _summary(found, checks, privacy),
            "tables": found,
            "confidence": self.confidence,
            "warn_confidence": self.warn_confidence,
            "checks": [asdict(check) for check in checks],
            "weak": weak,
            "not_judged": excused,
        }

    def _check(self, score: Score, checks: int) -> Check:
        evidence = Evidence.from_dict(score.detail["evidence"])
        limits = self.limits.get(score.metric, self.limits[OTHERS])
        # A copy is seen only where its source is among the records searched, which in large tables are a part.
        searched = float(score.detail.get("searched", 1.0))
        low, _ = evidence.interval(self.warn_confidence)
        certain, _ = evidence.interval(1 - (1 - self.confidence) / checks)
        verdict: Verdict = "fail" if certain > limits.fail else "warn" if low > limits.warn else "pass"
        return Check(
            metric=score.metric,
            where=score.where,
            table=str(score.detail.get("table", score.where)),
            verdict=verdict,
            value=score.value,
            excess=evidence.excess,
            low=low,
            certain=certain,
            searched=searched,
            unnoticed=min(1.0, (max(0.0, evidence.excess - low) + limits.warn) / searched),
            limits=limits,
            text=""
            if verdict == "pass"
            else str(score.detail.get("finding") or f"{score.metric} is {score.value:.3f}"),
        )

    def _weak(self, checks: Sequence[Check], unscored: Sequence[Unscored]) -> dict[str, str]:
        """Return the tables in which much copying could go unnoticed, and how much."""
        reasons = {note.where: note.reason for note in unscored if note.metric in _NEARNESS}
        found: dict[str, str] = {}
        for table in dict.fromkeys(check.table for check in checks):
            mine = [check for check in checks if check.table == table]
            near = [check.unnoticed for check in mine if check.metric in _NEARNESS]
            if not near:
                what = _EXACT_ONLY if any(check.metric == "copies" for check in mine) else "only joined rows"
                found[table] = f"{what} were judged ({reasons.get(table, 'no metric looks at distances')})"
            elif min(near) > self.blind:
                exact = min(check.unnoticed for check in mine)
                is_whole = all(check.searched == 1.0 for check in mine)
                why = "tiny" if is_whole else "large, searched in part"
                found[table] = (
                    f"{why}: copying is noticed where it is exact and over {exact:.1%} of the rows, or near and over "
                    f"{min(near):.0%}; less goes unnoticed"
                )
        return found


_EXACT_ONLY = "only exact copies"
_ONLY = (f"{_EXACT_ONLY} were judged", "only joined rows were judged")
# Checks that see copies with noise; exact copies alone are seen in small tables too, and easily avoided.
_NEARNESS = frozenset({"near_copies", "dcr", "membership"})


def _limits(name: str, pair: Mapping[str, float]) -> Limits:
    given = dict(pair)
    if set(given) != {"warn", "fail"} or not 0 <= given["warn"] <= given["fail"] <= 1:
        raise ConfigError(
            f"evaluation.gate.limits.{name}: {{warn: w, fail: f}} with 0 <= w <= f <= 1 expected, found {given!r}."
        )
    return Limits(float(given["warn"]), float(given["fail"]))


def _worst_first(check: Check) -> tuple[int, float]:
    return _ORDER[check.verdict], check.limits.fail - check.certain


def _table_verdicts(
    checks: Sequence[Check],
    weak: Mapping[str, str],
    excused: Mapping[str, str],
    tables: Sequence[str],
    published: Mapping[str, str],
) -> dict[str, dict[str, str]]:
    """Return table -> verdict and why, worst first; a table of keys only has nothing to be judged and is left out."""
    found: dict[str, dict[str, str]] = {}
    for table in dict.fromkeys([*tables, *(check.table for check in checks)]):
        worst = next((check for check in checks if check.table == table), None)
        verdict, why = ("pass", "") if worst is None else (worst.verdict, worst.text)
        if table in published:
            verdict, why = "published by choice", published[table]
        elif worst is None:
            verdict, why = "not judged", excused.get(table, "no privacy metric looks at it")
        elif verdict == "pass" and weak.get(table, "").startswith(_ONLY):
            verdict, why = "not judged", weak[table]
        if why != KEYS_ONLY:
            found[table] = {"verdict": verdict, "why": why}
    return dict(sorted(found.items(), key=lambda item: _ORDER[item[1]["verdict"]]))


def _worst(tables: Mapping[str, Mapping[str, str]], checks: Sequence[Check]) -> str:
    if not tables or (not checks and all(one["verdict"] != "published by choice" for one in tables.values())):
        return "not judged"
    return min((one["verdict"] for one in tables.values()), key=_ORDER.__getitem__)


def _summary(tables: Mapping[str, Mapping[str, str]], checks: Sequence[Check], privacy: Sequence[str]) -> str:
    if not privacy:
        return "this protocol has no privacy metric"
    named = {word: [name for name, one in tables.items() if one["verdict"] == word] for word in WORST_FIRST}
    judged = sum(len(named[word]) for word in ("fail", "warn", "pass"))
    parts = []
    loud = [check for check in checks if check.verdict != "pass"]
    if loud:
        more = f" ({len(loud) - 1} more findings)" if len(loud) > 1 else ""
        parts.append(f"{loud[0].where}: {loud[0].text}{more}")
    if judged or not tables:
        count = f"{judged} of {len(tables)} tables" if len(tables) > 1 else "the table" if judged else "no table"
        parts.append(f"{count} judged, {len(checks)} checks")
    else:
        parts.append("no table could be judged")
    if named["not judged"]:
        first = named["not judged"][0]
        parts.append(f"not judged: {listing(named['not judged'], 5)} ({first}: {tables[first]['why']})")
    if named["published by choice"]:
        first = named["published by choice"][0]
        names = listing(named["published by choice"], 5)
        parts.append(f"published, real values under new keys: {names} ({tables[first]['why']})")
    return "; ".join(parts)


def _not_judged(checks: Sequence[Check], unscored: Iterable[Unscored], privacy: set[str]) -> dict[str, str]:
    """Return the places that no check could judge, and why; a table that one metric could judge is judged."""
    judged = {check.where for check in checks}
    found: dict[str, str] = {}
    for note in unscored:
        if note.metric in privacy and note.where not in judged:
            found.setdefault(note.where, note.reason)
    return found
