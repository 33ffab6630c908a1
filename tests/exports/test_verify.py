"""What was changed in a crate or point is found and named, also where the hashes beside it were made to fit."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tabgraphsyn.exports.contents import read_contents
from tabgraphsyn.exports.documents import DOCUMENTS
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED, Finding
from tabgraphsyn.exports.outcomes import OutcomeForm, add_outcome
from tabgraphsyn.exports.record import read_crate, write_crate
from tabgraphsyn.exports.rocrate import ro_crate
from tabgraphsyn.exports.verify import _SHOWN_VERDICT, crate_findings, point_findings
from tabgraphsyn.orchestration.stored.records import OutputForm
from tabgraphsyn.verbs import cli


def edited(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.chmod(0o644)
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def replaced(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def raise_number(path: Path, column: str) -> None:
    """Change one value of a CSV file."""
    rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    place = rows[0].index(column)
    row = next(row for row in rows[1:] if row[place])
    row[place] = str(float(row[place]) + 1)
    path.write_text("\n".join(map(",".join, rows)) + "\n", encoding="utf-8")


def first_score(content: dict[str, Any]) -> None:
    next(score for score in content["scores"] if score["metric"] == "column_shapes")["value"] = 0.999


TAMPERINGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a table": (lambda crate: raise_number(crate / "synthetic/orders.csv", "amount"), "synthetic/orders.csv"),
    "a table's parquet": (lambda crate: (crate / "synthetic/clerks.parquet").write_bytes(b"PAR1"), "clerks.parquet"),
    "a score": (lambda crate: edited(crate / "metrics.json", first_score), "metrics.json"),
    "the verdict": (lambda crate: edited(crate / "gate.json", lambda gate: gate.update(verdict="pass")), "gate.json"),
    "a weight": (lambda crate: replaced(crate / "bundle/gnn.safetensors", b"\x00", b"\x01"), "bundle/gnn.safetensors"),
    "a setting": (lambda crate: replaced(crate / "config.yaml", b"seed: 0", b"seed: 1"), "config.yaml"),
    "the report": (lambda crate: replaced(crate / "report.html", b"<h1", b"<h1 "), "report.html"),
    "the manifest of a stage": (
        lambda crate: edited(crate / "crate.json", lambda it: it["stages"]["sample"]["config"].update(seed=9)),
        "signatures of stages: sample",
    ),
    "the list of hashes": (
        lambda crate: edited(
            crate / "crate.json", lambda it: it["files"]["synthetic/orders.csv"].update(sha256="0" * 64)
        ),
        "synthetic/orders.csv",
    ),
    "what a stage published": (
        lambda crate: edited(
            crate / "crate.json", lambda it: it["stages"]["evaluate"]["outputs"]["metrics.json"].update(sha256="0" * 64)
        ),
        "metrics.json: not what evaluate published",
    ),
    "a stage's version": (
        lambda crate: edited(crate / "crate.json", lambda it: it["stages"]["prepare"].update(version=1)),
        "signatures of stages: prepare",
    ),
    "the code's commit": (
        lambda crate: edited(
            crate / "crate.json",
            lambda it: [one["made"]["code"].update(commit="f" * 40) for one in it["stages"].values()],
        ),
        "provenance.intoto.json",
    ),
    "an input": (
        lambda crate: edited(
            crate / "crate.json", lambda it: it["stages"]["gnn"]["inputs"].update(prepare="prepare/" + "0" * 20)
        ),
        "inputs of stages: gnn",
    ),
    "a file more": (lambda crate: (crate / "synthetic/extra.csv").write_text("a\n1\n"), "extra.csv: it is in no list"),
    "a file less": (lambda crate: (crate / "bundle/plan.json").unlink(), "bundle/plan.json: it is missing"),
    "no verdict": (lambda crate: (crate / "gate.json").unlink(), "gate from scores"),
    "no report": (lambda crate: (crate / "report.html").unlink(), "report to stages"),
    "a file among the outcomes": (
        lambda crate: ((crate / "outcomes").mkdir(), (crate / "outcomes/note.txt").write_text("x")),
        "outcomes/note.txt: it is in no list",
    ),
    "a link": (lambda crate: (crate / "more").symlink_to("/etc/passwd"), "more: a plain file expected, found a link"),
    "a document": (lambda crate: replaced(crate / "croissant.json", b"Biases", b"No biases"), "croissant.json"),
    "the RO-Crate": (lambda crate: replaced(crate / "ro-crate-metadata.json", b"Ask", b"Do"), "ro-crate-metadata.json"),
}


def said(findings: list[Finding], verdict: str = DIFFERS) -> str:
    return "\n".join(f"{each.piece}: {each.text}" for each in findings if each.verdict == verdict)


def test_an_untouched_crate_matches(exported: Path, capsys: pytest.CaptureFixture[str]):
    root = sha256((exported / "crate.json").read_bytes()).hexdigest()
    found = crate_findings(exported, root[:16])
    assert said(found) == said(found, NOT_CHECKED) == ""
    assert len(found) >= 10
    assert cli.main(["verify", str(exported)]) == 0
    assert "not checked root hash, because none was given" in capsys.readouterr().out


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_was_changed_is_named(crate: Path, capsys: pytest.CaptureFixture[str], what: str):
    change, words = TAMPERINGS[what]
    change(crate)
    code = cli.main(["verify", str(crate)])
    told = capsys.readouterr().out
    named = [line for line in told.splitlines() if line.startswith("differs") and words in line]
    assert code == 3 and named, told


@pytest.mark.parametrize("content", [None, "[]", "{", '{"@graph": [{"@id": "gate.json", "sha256": "00"}]}'])
def test_what_another_version_worded_still_names_the_files_of_the_list(
    crate: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
):
    """The documents are not made again there, and the RO-Crate is in no list: its hashes are held against the list."""
    monkeypatch.setattr("tabgraphsyn.exports.verify.documents_code", lambda: "another")
    assert said(crate_findings(crate)) == ""
    path = crate / "ro-crate-metadata.json"
    path.unlink() if content is None else path.write_text(content)
    assert said(crate_findings(crate)).startswith("files that documents name: ro-crate-metadata.json")


def made_to_fit(crate: Path) -> None:
    """Renew every hash, record and document after a change, as somebody would who knows how this is checked."""
    record = read_crate(crate)
    stages = {}
    for label, stage in record.stages.items():
        outputs = dict(stage.outputs)
        for path in outputs:
            if (crate / path).is_file() and stage.stage in ("sample", "evaluate", "report"):
                content = (crate / path).read_bytes()
                outputs[path] = OutputForm(len(content), sha256(content).hexdigest())
        stages[label] = msgspec.structs.replace(stage, outputs=outputs)
    record = msgspec.structs.replace(record, stages=stages)
    for _ in range(2):
        files = {
            path: OutputForm(len(it), sha256(it).hexdigest())
            for path in record.files
            for it in [(crate / path).read_bytes()]
        }
        record = msgspec.structs.replace(record, files=files)
        for path, made in DOCUMENTS.items():
            (crate / path).write_text(made(read_contents(crate, record)), encoding="utf-8")
    write_crate(crate, record)
    (crate / "ro-crate-metadata.json").write_text(ro_crate(read_contents(crate, record)), encoding="utf-8")


def test_made_to_fit_is_found_by_the_published_root_hash(exported: Path, crate: Path):
    root = sha256((exported / "crate.json").read_bytes()).hexdigest()
    raise_number(crate / "synthetic/orders.csv", "amount")
    made_to_fit(crate)
    assert said(crate_findings(crate)) == ""  # hashes alone cannot tell
    assert said(crate_findings(crate, root)).startswith("root hash")


def test_a_privacy_score_made_to_fit_is_found_by_judging_again(crate: Path):
    def copied(content: dict[str, Any]) -> None:
        content["gate"]["verdict"] = "pass"

    edited(crate / "metrics.json", copied)
    edited(crate / "gate.json", lambda gate: gate.update(verdict="pass"))
    made_to_fit(crate)
    assert said(crate_findings(crate)).startswith("gate from scores: metrics.json says another verdict")


def test_a_verdict_on_the_page_made_to_fit_is_found_in_the_scores(crate: Path):
    page = (crate / "report.html").read_text(encoding="utf-8")
    shown = set(_SHOWN_VERDICT.findall(page))
    assert len(shown) == 1 and len(_SHOWN_VERDICT.findall(page)) == 2
    (crate / "report.html").write_text(page.replace(f'">{shown.pop()}</span>', '">spotless</span>'), encoding="utf-8")
    made_to_fit(crate)
    assert "report.html: its verdict is 'spotless'" in said(crate_findings(crate))


def test_a_weight_made_to_fit_is_found_by_what_the_stage_trained(crate: Path):
    path = crate / "bundle/absorbing/orders.safetensors"
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    made_to_fit(crate)
    assert "bundle/absorbing/orders.safetensors is not what absorbing/orders trained" in said(crate_findings(crate))


@pytest.mark.slow
def test_made_to_fit_is_found_by_computing_again(crate: Path, original, capsys: pytest.CaptureFixture[str]):
    place = ("--rescore", "--data", str(original.data))
    assert cli.main(["verify", str(crate), *place]) == 0, capsys.readouterr().out
    raise_number(crate / "synthetic/orders.csv", "amount")
    edited(crate / "metrics.json", first_score)
    made_to_fit(crate)
    assert cli.main(["verify", str(crate), *place]) == 3
    told = capsys.readouterr().out
    assert "differs     tables from the bundle: the model makes other tables: 'synthetic/orders.csv'" in told
    assert "differs     scores: column_shapes" in told
    assert cli.main(["verify", str(crate), "--rescore"]) == 3
    assert "because the real tables are not here: --data names them" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("crate.json", lambda it: it.update(format_version=7), "format_version"),
        (
            "crate.json",
            lambda it: it["files"].update({"../../evil": {"bytes": 1, "sha256": "0"}}),
            "files below the crate",
        ),
        ("crate.json", lambda it: it["stages"]["sample"].update(id="../../x"), "id"),
        ("crate.json", lambda it: it.update(more=1), "more"),
    ],
)
def test_a_record_that_no_export_writes_is_refused(
    crate: Path, capsys: pytest.CaptureFixture[str], name: str, change: Callable[[Any], None], words: str
):
    edited(crate / name, change)
    assert cli.main(["verify", str(crate)]) == 2
    assert words in capsys.readouterr().err


POINT_TAMPERINGS: dict[str, tuple[Callable[[Any], object], str]] = {
    "a shown table": (lambda it: raise_number(it.point / "synthetic/orders.csv", "amount"), "synthetic/orders.csv"),
    "shown scores": (lambda it: edited(it.point / "metrics.json", first_score), "metrics.json"),
    "the shown config": (
        lambda it: replaced(it.point / "config.yaml", b"\nseed: 0", b"\nseed: 3"),
        "other values of 'seed'",
    ),
    "a file more": (lambda it: (it.point / "synthetic/x.csv").write_text("a"), "x.csv: no stage published it"),
    "a file in the store": (
        lambda it: (next(it.out.glob("stages/gnn/*/artifacts")) / "more").write_text("a"),
        "gnn: more: it was not published",
    ),
    "a spec": (
        lambda it: edited(
            next(it.out.glob("stages/gnn/*/done.json")), lambda done: done["record"]["spec"]["config"].update(seed=5)
        ),
        "signatures of stages: gnn",
    ),
    "an artifact": (
        lambda it: next(it.out.glob("stages/prepare/*/artifacts/plan.json")).write_text("{}"),
        "stages are not done: 'prepare'",
    ),
}


@pytest.mark.parametrize("what", POINT_TAMPERINGS)
def test_what_was_changed_in_a_point_is_named(finished, capsys: pytest.CaptureFixture[str], what: str):
    change, words = POINT_TAMPERINGS[what]
    change(finished)
    code = cli.main(["verify", str(finished.point)])
    told = capsys.readouterr()
    assert code == 3 and words in told.out + told.err, told.out + told.err


def test_an_untouched_point_matches(finished):
    from tabgraphsyn.exports.point import find_point

    found = point_findings(find_point(str(finished.point), Path()))
    assert {each.verdict for each in found} == {MATCHES}, said(found)


def test_a_campaign_whose_shown_stage_is_gone_is_damaged(finished, capsys: pytest.CaptureFixture[str]):
    next(finished.out.glob("stages/sample/*/done.json")).unlink()
    assert cli.main(["verify", "tiny", "--output-dir", str(finished.out)]) == 3
    assert "its results are shown, and the stage is not done any more" in capsys.readouterr().out


def test_a_campaign_with_a_changed_point_is_not_true(finished, capsys: pytest.CaptureFixture[str]):
    place = ("verify", "tiny", "--output-dir", str(finished.out))
    assert cli.main(place) == 0 and "15 published stages checked, 0 damaged" in capsys.readouterr().out
    edited(finished.point / "metrics.json", first_score)
    assert cli.main(place) == 3
    assert "default: differs     results shown: metrics.json" in capsys.readouterr().out


def test_an_outcome_becomes_part_of_the_crate_and_leaves_it_true(crate: Path):
    outcome = OutcomeForm("reproduced", "2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+00:00", "sample", {}, {})
    assert add_outcome(crate, outcome) == "outcomes/1.json" and add_outcome(crate, outcome) == "outcomes/2.json"
    assert said(crate_findings(crate)) == ""
    graph = json.loads((crate / "ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    assert [each["result"] for each in graph if each["@id"].startswith("#outcome")] == [
        {"@id": "outcomes/1.json"},
        {"@id": "outcomes/2.json"},
    ]
    edited(crate / "outcomes/1.json", lambda it: it.update(verdict="fine"))
    assert "outcomes" in said(crate_findings(crate))
