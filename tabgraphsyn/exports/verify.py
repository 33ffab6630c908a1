"""Check a crate, or a sweep point where it was made, piece by piece; nothing is computed by a model here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tabgraphsyn.data.untrusted import files_below, plain_bytes, plain_json, short
from tabgraphsyn.errors import DataError, TabGraphSynError, listing
from tabgraphsyn.exports.chain import chain_findings
from tabgraphsyn.exports.claims import read_claims
from tabgraphsyn.exports.contents import Contents, MetricsForm, read_contents
from tabgraphsyn.exports.documents import DOCUMENTS
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED, Finding, gathered
from tabgraphsyn.exports.named import named_findings, unlisted_files
from tabgraphsyn.exports.outcomes import read_outcomes
from tabgraphsyn.exports.point import Point, artifact, point_record
from tabgraphsyn.exports.record import (
    CLAIMS,
    CRATE,
    GATE,
    METRICS,
    OUTCOMES,
    REPORT,
    ROCRATE,
    CrateForm,
    documents_code,
    place,
    read_crate,
    shown_files,
)
from tabgraphsyn.exports.rocrate import ro_crate
from tabgraphsyn.orchestration.stored.records import MOST_RECORD_BYTES, OutputForm
from tabgraphsyn.orchestration.stored.store import DONE, done_file_problems, file_sha256

_DIGITS = 12
# Where the page says the verdict: beside the checks, and first of its tiles.
_SHOWN_VERDICT = re.compile(r'(?:<span class="gate \w+">|<dt>Privacy</dt><dd><span class="value[ \w]*">)([^<]*)</span>')
_GATE = "tabgraphsyn.evaluation.gate.Gate"


def crate_findings(folder: Path, root: str | None = None) -> list[Finding]:
    """Return what is found of every piece of a crate.

    Args:
        folder: of the crate.
        root: its root hash, or the beginning of it, as it was published elsewhere.

    Raises:
        DataError: no crate, or a record that no export writes.
    """
    record = read_crate(folder)
    found = [_root(folder, root), *_files(folder, record)]
    found += gathered("record to files", list(_recorded(record)), "what stages published is what the crate lists")
    found += named_findings(folder, record)
    try:
        contents = read_contents(folder, record)
    except TabGraphSynError as error:
        return [*found, Finding("contents", DIFFERS, short(error))]
    found += chain_findings(record, contents.config)
    found += gate_findings(contents.config, contents.metrics, lambda: plain_json(place(folder, GATE)))
    found += (
        _report(place(folder, REPORT), record, contents.metrics.gate) if contents.stage("report") is not None else []
    )
    found += _claims(folder, contents)
    found += _documents(folder, contents)
    return found


def point_findings(point: Point, *, with_stages: bool = True) -> list[Finding]:
    """Return what is found of a point: its stages in the store, what is shown of them, and its config.

    Args:
        point: whose stages are done.
        with_stages: hash what its stages published in the store; points of a campaign share most of it.

    Raises:
        StageError: a stage of it is not done.
    """
    record = point_record(point)
    found = []
    if with_stages:
        problems = [f"{label}: {text}" for label, each in point.stages.items() for text in _stage_problems(point, each)]
        found += gathered("stages in the store", problems, f"{len(record.stages)} are what was published")
    found += gathered("results shown", list(_shown(point, record)), "they are what the stages published")
    try:
        config = yaml.safe_load(point.config_text())
    except (yaml.YAMLError, TabGraphSynError, KeyError) as error:
        return [*found, Finding("config.yaml", DIFFERS, short(error))]
    found += chain_findings(record, config if isinstance(config, dict) else {})
    if "evaluate" in record.stages and GATE in record.stages["evaluate"].outputs:
        from tabgraphsyn.data.untrusted import read_form

        metrics = read_form(artifact(point, "evaluate", METRICS), MetricsForm)
        found += gate_findings(config, metrics, lambda: plain_json(artifact(point, "evaluate", GATE)))
    if "report" in record.stages and REPORT in record.stages["report"].outputs:
        found += _report(artifact(point, "report", REPORT), record, None)
    return found


def _root(folder: Path, root: str | None) -> Finding:
    if root is None:
        return Finding("root hash", NOT_CHECKED, "none was given: --root takes the one that was published elsewhere")
    digest = file_sha256(place(folder, CRATE))
    fits = len(root) >= _DIGITS and digest.startswith(root.lower())
    text = f"{CRATE} has {digest}"
    return Finding("root hash", MATCHES if fits else DIFFERS, text)


def _files(folder: Path, record: CrateForm) -> Iterator[Finding]:
    """Yield a finding for each file that is not what the list says, is missing, or is in no list."""
    try:
        there = set(files_below(folder))
    except DataError as error:
        yield Finding("files", DIFFERS, short(error))
        return
    problems = [f"{path}: it is in no list" for path in sorted(there - unlisted_files(folder) - set(record.files))]
    for path, file in record.files.items():
        if path not in there:
            problems.append(f"{path}: it is missing")
        elif file_sha256(place(folder, path)) != file.sha256:
            problems.append(f"{path}: its content is not what was exported")
    yield from gathered("files", problems, f"{len(record.files)} have the hashes that {CRATE} lists")


def _recorded(record: CrateForm) -> Iterator[str]:
    for label, path, output in shown_files(record):
        file = record.files.get(path)
        if file is None:
            yield f"{path}: {label} published it, and it is not in the list"
        elif file.sha256 != output.sha256:
            yield f"{path}: not what {label} published"


def _stage_problems(point: Point, stage_id: str) -> list[str]:
    folder = point.store.folder(stage_id)
    problems = done_file_problems(folder) or []
    there = set(files_below(folder / "artifacts"))
    listed = set(plain_json(folder / DONE, MOST_RECORD_BYTES)["outputs"])
    return [*problems, *(f"{path}: it was not published" for path in sorted(there - listed - {"manifest.json"}))]


def _shown(point: Point, record: CrateForm) -> Iterator[str]:
    """Yield what differs between a point's own folder and what its stages published."""
    publishes = point.campaign.points[point.name].publishes
    expected: dict[str, OutputForm] = {}
    for label, stage in record.stages.items():
        names = publishes.get(label, ())
        expected |= {path: one for path, one in stage.outputs.items() if path.split("/")[0] in names}
    if not point.folder.is_dir():
        yield f"{point.folder}: the folder is missing"
        return
    there = {path for path in files_below(point.folder) if not path.startswith(".shown/")} - {"config.yaml"}
    for path, output in expected.items():
        if path not in there:
            yield f"{path}: it is missing"
        elif file_sha256(place(point.folder, path)) != output.sha256:
            yield f"{path}: its content is not what was published"
    shown = {name for names in publishes.values() for name in names}
    extra = sorted(path for path in there - set(expected) if path.split("/")[0] in shown)
    yield from (f"{path}: no stage published it" for path in extra)


def gate_findings(config: Mapping[str, Any], metrics: MetricsForm, gate: Callable[[], Any]) -> list[Finding]:
    """Judge the privacy scores again, which takes no data, and hold both files that say the verdict against it."""
    piece = "gate from scores"
    evaluation = config.get("evaluation")
    settings = evaluation.get("gate") if isinstance(evaluation, Mapping) else None
    if not isinstance(settings, Mapping) or not settings:
        return [Finding(piece, NOT_CHECKED, "the config has no gate")]
    if settings.get("_target_") != _GATE:
        return [Finding(piece, NOT_CHECKED, f"its gate is {settings.get('_target_')!r}, which is not built here")]
    try:
        again = _judged(settings, metrics)
        said = gate()
    except (TabGraphSynError, OSError, ValueError, TypeError, KeyError, LookupError) as error:
        return [Finding(piece, DIFFERS, f"the scores cannot be judged: {short(error)}")]
    problems = [
        f"{name} says another verdict than its scores give"
        for name, block in ((METRICS, metrics.gate), (GATE, said))
        if _comparable(block) != _comparable(again)
    ]
    return gathered(piece, problems, f"the scores give the verdict that was written: {again['verdict']}")


def _judged(settings: Mapping[str, Any], metrics: MetricsForm) -> dict[str, Any]:
    from tabgraphsyn.evaluation.gate import Gate
    from tabgraphsyn.evaluation.score import Score, Unscored

    judge = Gate(**{key: value for key, value in settings.items() if key != "_target_"})
    scores = [
        Score(one.metric, one.level, one.where, one.value, one.direction, one.comparison, one.detail)  # type: ignore[arg-type]
        for one in metrics.scores
    ]
    unscored = [Unscored(**one) for one in metrics.unscored]
    privacy = [text.name for text in metrics.metrics if text.privacy]
    return judge.judge(scores, unscored, privacy, list(metrics.rows), metrics.published)


def _comparable(block: Any) -> Any:
    """Return a verdict with numbers rounded: sums in another order end in other last digits."""
    if isinstance(block, Mapping):
        return {key: _comparable(value) for key, value in block.items()}
    if isinstance(block, list | tuple):
        return [_comparable(value) for value in block]
    return round(block, 9) if isinstance(block, float) else block


def _report(path: Path, record: CrateForm, gate: Mapping[str, Any] | None) -> list[Finding]:
    """Hold the report's provenance, and its verdict, against the rest: the page needs the real tables to be made again.

    Args:
        path: of the page.
        record: of the crate or point.
        gate: what the scores' own file says, or None where it is not at hand.
    """
    try:
        text = plain_bytes(path).decode("utf-8", errors="replace")
    except TabGraphSynError as error:
        return [Finding("report to stages", DIFFERS, short(error))]
    by_id = {stage.id: label for label, stage in record.stages.items()}
    read = next((stage.inputs for stage in record.stages.values() if stage.stage == "report"), {})
    missing = [by_id.get(each, each) for each in read.values() if each.split("/")[1][:_DIGITS] not in text]
    problems = [f"{REPORT}: it does not name the signature of {listing(missing, 4)}"] if missing else []
    if gate and (shown := sorted(set(_SHOWN_VERDICT.findall(text)) - {_said_of(gate)})):
        problems.append(f"{REPORT}: its verdict is {listing(shown)}, {METRICS} says {gate.get('verdict')!r}")
    return gathered("report to stages", problems, f"it names all {len(read)} stages that it was made from")


def _said_of(gate: Mapping[str, Any]) -> str | None:
    """Return the page's word for a verdict, or None for a block that no evaluation writes."""
    from tabgraphsyn.evaluation.report.copying import copying

    try:
        return copying({"gate": gate}).word
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _claims(folder: Path, contents: Contents) -> list[Finding]:
    """Hold the claims that were read from this point against its scores."""
    path = place(folder, CLAIMS)
    if not path.is_file():
        return []
    scores = {"|".join(score.key): score.value for score in contents.metrics.scores}
    try:
        claims = read_claims(path)
    except DataError as error:
        return [Finding(CLAIMS, DIFFERS, short(error))]
    problems = [
        f"{claim.id}: {claim.value} is claimed, {METRICS} says {scores.get(claim.measure, 'nothing')}"
        for claim in claims
        if "|" in claim.measure and scores.get(claim.measure) != claim.number
    ]
    return gathered("claims from scores", problems, f"{len(claims)} are what {METRICS} says")


def _documents(folder: Path, contents: Contents) -> Iterator[Finding]:
    """Make every document that follows from the rest again, and compare."""
    if contents.record.written_by != documents_code():
        yield Finding("documents", NOT_CHECKED, "another version of this package worded them")
        return
    problems = []
    made = {path: function(contents) for path, function in DOCUMENTS.items()}
    try:
        made[ROCRATE] = ro_crate(contents, read_outcomes(folder))
    except TabGraphSynError as error:
        problems.append(f"{OUTCOMES}/: {short(error)}")
    for path, text in made.items():
        try:
            if plain_bytes(place(folder, path)) != text.encode():
                problems.append(f"{path}: other than what follows from the rest")
        except TabGraphSynError as error:
            problems.append(short(error))
    yield from gathered("documents", problems, f"{len(made)} follow from the rest")
