"""Compute again from what a crate holds: tables from the model, scores from the tables, or the whole point."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabgraphsyn.data.files import vanishing_folder, write_json
from tabgraphsyn.data.untrusted import read_form, short
from tabgraphsyn.errors import EXIT_DONE, ConfigError, StageError, TabGraphSynError, listing
from tabgraphsyn.exports.contents import Contents, MetricsForm
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED, Finding
from tabgraphsyn.exports.judging import other_class, score_findings
from tabgraphsyn.exports.places import EMBEDDED, TO_BE_GIVEN
from tabgraphsyn.exports.record import BUNDLE, CONFIG, METRICS, TABLES, CrateForm, StageForm, place
from tabgraphsyn.generators.frame import own_kinds
from tabgraphsyn.orchestration.planning.spec import Runtime
from tabgraphsyn.orchestration.stored.store import ARTIFACTS, DONE, SPEC, Store, file_sha256

CAMPAIGN = "again"
POINT = "default"


def sampled_again(folder: Path, contents: Contents) -> Finding:
    """Sample from the bundle by its own settings and hold the tables against those in the crate."""
    piece = "tables from the bundle"
    stage = contents.stage("sample")
    expected = {path: file for path, file in contents.record.files.items() if path.startswith(f"{TABLES}/")}
    if stage is None or not expected:
        return Finding(piece, NOT_CHECKED, "there are none")
    if stage.made.device != "cpu" and (other := _no_gpu()):
        return Finding(piece, NOT_CHECKED, f"they were sampled on {stage.made.device}, and {other}")
    with vanishing_folder() as made:
        command = ["tabgraphsyn", "sample", str(folder / BUNDLE), "--out", str(made / TABLES)]
        done = _run([*command, "--device", "cpu" if stage.made.device == "cpu" else "cuda"])
        if done.returncode != EXIT_DONE:
            return Finding(piece, DIFFERS, f"the bundle cannot be sampled: {_last_line(done)}")
        different = [
            path
            for path, file in expected.items()
            if not (made / path).is_file() or file_sha256(made / path) != file.sha256
        ]
    if not different:
        return Finding(piece, MATCHES, f"{len(expected)} files, bit for bit")
    if other := other_class(stage.made):
        return Finding(piece, NOT_CHECKED, f"bits hold on one class of machine only, and here {other}")
    return Finding(piece, DIFFERS, f"the model makes other tables: {listing(different, 6)}")


def scored_again(folder: Path, contents: Contents, data: str | None) -> list[Finding]:
    """Score the crate's tables against the real ones and compare with ``metrics.json``.

    Args:
        folder: of the crate.
        contents: of the crate.
        data: where the real tables lie; None: they are a part of the package, or not here.
    """
    piece = "scores from the tables"
    record, sample, evaluate = contents.record, contents.stage("sample"), contents.stage("evaluate")
    if sample is None or evaluate is None:
        return [Finding(piece, NOT_CHECKED, "nothing was scored")]
    if problem := data_problem(contents, data):
        return [Finding(piece, NOT_CHECKED, problem)]
    raised = raised_versions(record, ("ingest", "prepare", "sample", "evaluate"))
    if raised:
        return [Finding(piece, NOT_CHECKED, f"this code makes other versions of {listing(raised)}")]
    with vanishing_folder() as made:
        plant(folder, sample, made)
        code, text = launched(folder, made, contents, data, ("evaluate",), ("cluster=inline",))
        metrics = made / "campaigns" / CAMPAIGN / POINT / METRICS
        if code != EXIT_DONE or not metrics.is_file():
            return [Finding(piece, DIFFERS, f"they cannot be scored: {text}")]
        found = read_form(metrics, MetricsForm)
        if file_sha256(metrics) == file_sha256(place(folder, METRICS)):
            return [Finding(piece, MATCHES, f"{len(found.scores)} scores, bit for bit")]
    return score_findings(contents.metrics, found, is_same_class=not other_class(evaluate.made))


def data_problem(contents: Contents, data: str | None) -> str:
    """Return why the real tables cannot be used, or an empty text."""
    from tabgraphsyn.stages.ingest import QUICK, content_key

    if (contents.record.content or "").startswith(QUICK):
        return "a cluster named the real tables by size and time of their large files: nothing tells them from others"
    dataset = dataset_of(contents, data)
    missing = [key for key in ("path", "metadata") if _is_elsewhere(dataset.get(key)) and data is None]
    if missing:
        return f"the real tables are not here: --data names them ({listing(missing)})"
    try:
        found = content_key(dataset)
    except TabGraphSynError as error:
        return short(error)
    if found != contents.record.content:
        return "the real tables given are not those that it was computed from: their content has another hash"
    return ""


def _is_elsewhere(place_: object) -> bool:
    """Return whether a place is none that a crate may name: it may come from a stranger, and reads what he chose."""
    return place_ is not None and not str(place_).startswith(EMBEDDED)


def dataset_of(contents: Contents, data: str | None) -> dict[str, Any]:
    """Return the dataset section with the place of the real tables; their metadata lies beside them."""
    dataset: dict[str, Any] = dict(contents.config.get("dataset") or {})
    if data is None:
        return dataset
    path = Path(data).expanduser()
    if dataset.get("metadata") == TO_BE_GIVEN:
        dataset["metadata"] = str((path if path.is_dir() else path.parent).resolve() / "metadata.json")
    return {**dataset, "path": data if data.startswith("embedded:") else str(path.resolve())}


def raised_versions(record: CrateForm, kinds: Sequence[str] = ()) -> list[str]:
    """Return the kinds of stages of which this code makes another version than the record's."""
    return sorted(
        {
            stage.stage
            for stage in record.stages.values()
            if (not kinds or stage.stage in kinds)
            and stage.version not in {kind.version for kind in own_kinds(stage.stage)}
        }
    )


def plant(folder: Path, stage: StageForm, output_dir: Path) -> None:
    """Put what a stage published, as the crate has it now, into an empty store: the stages after it read that."""
    target = Store(output_dir / "stages").folder(stage.id)
    outputs = {}
    for path in stage.outputs:
        source, copy = place(folder, path), target / ARTIFACTS / path
        if source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copy, follow_symlinks=False)
            outputs[path] = {"bytes": copy.stat().st_size, "sha256": file_sha256(copy)}
    kind = own_kinds(stage.stage)[0]
    runtime = vars(Runtime(module=kind.module, place_keys=kind.place_keys))
    spec = {"stage": stage.stage, "version": stage.version, "table": stage.table, "config": stage.config}
    write_json(target / SPEC, {**spec, "inputs": stage.inputs, "content": stage.content, "runtime": runtime})
    write_json(target / DONE, {"stage": stage.stage, "table": stage.table, "outputs": outputs})


def launched(
    folder: Path,
    output_dir: Path,
    contents: Contents,
    data: str | None,
    until: Sequence[str],
    overrides: Sequence[str],
    *,
    shows: bool = False,
) -> tuple[int, str]:
    """Launch a crate's config, up to some stages, and return the exit code and the last line of what was said.

    ``shows`` prints what the launch says while it runs: a whole point takes minutes or hours.
    """
    given = dataset_of(contents, data)
    # A crate may be a stranger's: where and with whose code stages run is not for its config to say.
    places = ["cluster=local", "tracking=jsonl", "allow_targets=[]", "wait=true", "dry_run=false"]
    places += [f"output_dir='{_quoted(output_dir)}'", f"campaign={CAMPAIGN}"]
    if data is not None:
        places += [
            f"dataset.{key}='{_quoted(given[key])}'" for key in ("path", "metadata") if given.get(key) is not None
        ]
    command = ["tabgraphsyn.launch", "--config", str(folder / CONFIG), *(f"--until={label}" for label in until)]
    done = (_run_shown if shows else _run)([*command, *places, *overrides])
    return done.returncode, _last_line(done)


def _quoted(value: object) -> str:
    """Return a text as it stands between single quotes of Hydra's grammar."""
    return str(value).replace("\\", "\\\\").replace("'", "\\'")


def _run(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a module of this package in a process of its own: what it computes with stays out of this one."""
    module, *rest = words
    return subprocess.run(
        [sys.executable, "-m", module, *rest], capture_output=True, text=True, errors="replace", check=False
    )


def _run_shown(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a module like ``_run`` and print what it says as it says it."""
    lines = []
    command = [sys.executable, "-m", *words]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            print(line, end="", flush=True)
            lines.append(line)
    return subprocess.CompletedProcess(command, process.returncode, "".join(lines), "")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return why a command ended as it did: the stage that failed, else the last line of its errors or output."""
    said = (done.stdout.splitlines(), done.stderr.splitlines())
    told, errors = ([line.strip() for line in lines if line.strip()] for lines in said)
    failed = [line for line in told if "FAILED" in line]
    return (failed[:1] or errors[-1:] or told[-1:] or [f"exit code {done.returncode}"])[0][:500]


def _no_gpu() -> str:
    from tabgraphsyn.orchestration.computing.compute import visible_gpus

    return "" if visible_gpus() else "there is none here"


def refuse_other_versions(record: CrateForm) -> None:
    """Refuse to compute a crate again with code that makes other versions of its stages.

    Raises:
        StageError: names them and the commit that made the crate.
    """
    raised = raised_versions(record)
    if raised:
        commits = {str(stage.made.code.get("commit") or "") for stage in record.stages.values()} - {""}
        advice = f"Check out {listing(sorted(commits), 2)}." if commits else "Use the version that made it."
        raise StageError(f"this code makes other versions of {listing(raised)} than the crate holds. {advice}")


def checked_overrides(settings: Sequence[str]) -> list[str]:
    """Return overrides that only say where and how stages run.

    Raises:
        ConfigError: one that says what is computed.
    """
    allowed = ("cluster", "resources", "tracking", "allow_targets")
    for text in settings:
        if text.split("=")[0].split(".")[0] not in allowed:
            raise ConfigError(f"--set: only {listing(allowed)} may be set, found {text!r}. The rest is the crate's.")
    return list(settings)
