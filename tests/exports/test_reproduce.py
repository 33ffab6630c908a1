"""A second result is judged by bits on the same class of machine, by stated intervals on another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from tabgraphsyn.config.catalog import STAGES
from tabgraphsyn.exports import judging, reproduce
from tabgraphsyn.exports.claims import Claim, claims_text, read_claims
from tabgraphsyn.exports.contents import MetricsForm, ScoreForm
from tabgraphsyn.exports.findings import DIFFERS, MATCHES, NOT_CHECKED
from tabgraphsyn.exports.judging import claim_findings, score_findings, stage_finding
from tabgraphsyn.exports.record import MadeForm, StageForm
from tabgraphsyn.orchestration.code.snapshot import machine_class
from tabgraphsyn.orchestration.planning.plan import PlannedPoint, plan
from tabgraphsyn.orchestration.stored.records import OutputForm
from tabgraphsyn.verbs import cli


def scores(*values: float, interval: list[float] | None = None) -> MetricsForm:
    detail = {} if interval is None else {"interval": interval}
    found = [
        ScoreForm(f"m{number}", "database", "database", value, "higher", "synthetic", detail)
        for number, value in enumerate(values)
    ]
    return MetricsForm({}, [], found, {})


@pytest.mark.parametrize(
    ("again", "interval", "is_same", "verdict"),
    [
        (0.9, None, True, MATCHES),
        (0.9000001, [0.8, 0.95], True, DIFFERS),
        (0.91, [0.8, 0.95], False, MATCHES),
        (0.96, [0.8, 0.95], False, DIFFERS),
        (0.91, None, False, NOT_CHECKED),
    ],
)
def test_scores_are_judged(again: float, interval: list[float] | None, is_same: bool, verdict: str):
    found = score_findings(scores(0.9, interval=interval), scores(again), is_same_class=is_same)
    assert found[-1].verdict == verdict, found
    claim = Claim("r/a/b", "r", "a / b", "c", "p", "m0|database|database|synthetic", "0.9",
                  *(map(str, interval) if interval else ("", "")), "x", "f", "d", "m")  # fmt: skip
    (judged,) = claim_findings([claim], scores(again), is_same_class=is_same)
    assert judged.verdict == verdict, judged


def test_a_score_that_is_missing_or_new_differs():
    found = score_findings(scores(0.1, 0.2), scores(0.1), is_same_class=False)
    assert found[0].verdict == DIFFERS and "was not scored now" in found[0].text
    assert score_findings(scores(0.1), scores(0.1, 0.2), is_same_class=True)[0].verdict == DIFFERS


def test_bits_decide_on_one_class_of_machine_only():
    made = MadeForm(machine=dict(machine_class()))
    said = StageForm("gnn/" + "0" * 20, "gnn", 1, None, {}, {}, None, {"a": OutputForm(1, "x")}, made)
    other = msgspec.structs.replace(said, outputs={"a": OutputForm(1, "y")})
    assert stage_finding("gnn", said, said).verdict == MATCHES
    assert stage_finding("gnn", said, other).verdict == DIFFERS
    elsewhere = msgspec.structs.replace(said, made=MadeForm(machine={**machine_class(), "vendor": "another"}))
    assert stage_finding("gnn", elsewhere, other).verdict == NOT_CHECKED
    assert "vendor" in stage_finding("gnn", elsewhere, other).text
    assert judging.other_class(MadeForm()) == "its class was not recorded"


def test_only_what_a_stage_needs_is_planned():
    from tabgraphsyn.config.composition import compose_points

    config = compose_points((), multirun=False).points[0].config
    whole = plan([PlannedPoint("p", config, "content", ("a", "b"))], STAGES)
    sample = whole.points["p"]["sample"]
    kinds = lambda part: sorted(part.points["p"])  # noqa: E731
    assert kinds(whole.needed_for(["evaluate"], lambda stage: stage == sample)) == [
        *("evaluate", "ingest", "prepare", "sample"),
    ]
    assert kinds(whole.needed_for(["absorbing/b"], lambda _: False)) == ["absorbing/b", "ingest", "prepare"]
    assert kinds(whole.needed_for(["report"], lambda _: False)) == kinds(whole)
    with pytest.raises(Exception, match="Did you mean 'evaluate'"):
        whole.needed_for(["evaluat"], lambda _: False)


def test_claims_come_back_as_they_were(tmp_path: Path):
    claim = Claim("r/a/b", "r", "a / b", "c", "p", "m", "0.5", "", "", "x, y", "f", "d", "m")
    (tmp_path / "claims.csv").write_text(claims_text([claim]), encoding="utf-8")
    assert read_claims(tmp_path / "claims.csv") == [claim]
    for text in (claims_text([claim]).replace("0.5", "nan"), "a,b\n", claims_text([claim]).replace(",c,p", "")):
        (tmp_path / "claims.csv").write_text(text, encoding="utf-8")
        with pytest.raises(Exception, match=r"claims\.csv"):
            read_claims(tmp_path / "claims.csv")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--stage", "smaple"], "Did you mean 'sample'"),
        (["--claim", "x"], "no claim 'x'"),
        (["--set", "seed=3"], "only 'cluster', 'resources', 'tracking', 'allow_targets' may be set"),
        ([], "the real tables are not here: --data names them"),
        (["--data", "nowhere"], "does not exist"),
    ],
)
def test_mistakes_are_answered(
    crate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    words: list[str], told: str,
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.main(["reproduce", str(crate), *words]) == 2
    assert told in capsys.readouterr().err
    assert not (crate / "outcomes").exists() and not (tmp_path / "reproduced").exists()


def test_other_tables_are_not_those_of_the_crate(
    crate: Path, original, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = Path(shutil.copytree(original.data, tmp_path / "other"))
    (other / "clerks.csv").write_text((other / "clerks.csv").read_text().replace("100,", "99,", 1))
    assert cli.main(["reproduce", str(crate), "--data", str(other)]) == 2
    assert "not those that it was computed from" in capsys.readouterr().err


def test_a_strangers_config_does_not_say_where_or_with_whose_code_it_runs(
    crate: Path, original, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from tabgraphsyn.config.composition import compose_points
    from tabgraphsyn.config.whole import parsed_whole
    from tabgraphsyn.exports import again
    from tabgraphsyn.exports.contents import read_contents
    from tabgraphsyn.exports.record import read_crate

    text = (crate / "config.yaml").read_text(encoding="utf-8")
    theirs = "cluster: {executor: local, setup: ['touch pwned'], python: ./evil}\noutput_dir: /etc\nwait: false\n"
    (crate / "config.yaml").write_text(text.replace("allow_targets: []", "allow_targets: [evil]") + theirs)
    words: list[str] = []
    monkeypatch.setattr(
        again, "_run", lambda given: words.extend(given) or again.subprocess.CompletedProcess([], 0, "", "")
    )
    contents = read_contents(crate, read_crate(crate))
    again.launched(crate, tmp_path / "it's", contents, str(original.data), ("evaluate",), ("cluster=inline",))
    overrides = [word for word in words if "=" in word and not word.startswith("--")]
    whole = parsed_whole((crate / "config.yaml").read_bytes(), "theirs")
    composed = compose_points(overrides, multirun=False, whole=whole)
    config = composed.points[0].config
    assert composed.problems == [] and config["allow_targets"] == [] and config["wait"] is True
    assert (config["cluster"]["executor"], config["cluster"]["setup"], config["cluster"]["python"]) == (
        "inline",
        [],
        None,
    )
    assert config["output_dir"] == str(tmp_path / "it's") and config["dataset"]["path"] == str(original.data)
    place = f"  path: {original.data}"
    (crate / "config.yaml").write_text(text.replace("  path: ???", place))
    contents = read_contents(crate, read_crate(crate))
    assert "the real tables are not here" in again.data_problem(contents, None)
    assert again.data_problem(contents, str(original.data)) == ""
    monkeypatch.setattr(type(contents.record), "content", "quick-0a")
    assert "by size and time" in again.data_problem(contents, str(original.data)), "a copy has other times"


def another_result(original, out: Path, *, moved: float) -> None:
    """What a launch on another machine would leave: a stage with other bits, and a score that moved."""
    shutil.copytree(original.out / "stages", out / "stages")
    shutil.copytree(original.out / "campaigns" / "tiny", out / "campaigns" / reproduce.CAMPAIGN)
    campaign = json.loads((original.out / "campaigns" / "tiny" / "campaign.json").read_text())
    done = out / "stages" / campaign["points"]["default"]["stages"]["sample"] / "done.json"
    record = json.loads(done.read_text())
    name = next(name for name in record["outputs"] if name.endswith(".parquet"))
    record["outputs"][name]["sha256"] = "0" * 64
    done.write_text(json.dumps(record))
    path = out / "campaigns" / reproduce.CAMPAIGN / "default" / "metrics.json"
    found = json.loads(path.read_text())
    score = next(each for each in found["scores"] if (each["metric"], each["level"]) == MOVED)
    score["value"] += moved * (score["detail"]["interval"][1] - score["value"])
    path.unlink()  # it may be one file with the store's
    path.write_text(json.dumps(found))


MOVED = ("column_shapes", "database")


@pytest.mark.parametrize(
    ("vendor", "moved", "verdict"),
    [("another", 0.5, "reproduced"), ("another", 2.0, "not reproduced"), (None, 0.5, "not reproduced")],
)
def test_on_another_class_of_machine_intervals_decide(
    crate: Path,
    original,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    vendor: str | None,
    moved: float,
    verdict: str,
):
    path = crate / "crate.json"
    record = json.loads(path.read_text())
    for stage in record["stages"].values():
        stage["made"]["machine"]["vendor"] = vendor or machine_class()["vendor"]
    path.write_text(json.dumps(record))

    def launched(folder: Path, output_dir: Path, *_: object, **__: object) -> tuple[int, str]:
        another_result(original, output_dir, moved=moved)
        return 0, ""

    monkeypatch.setattr(reproduce, "launched", launched)
    found = reproduce.reproduce(crate, data=str(original.data), output_dir=tmp_path / "again")
    told = {piece: (verdict_, text) for verdict_, piece, text in found.findings}
    assert found.verdict == verdict, told
    bits, why = told["stage sample"]
    assert bits == (NOT_CHECKED if vendor else DIFFERS) and ("'another'" in why) == bool(vendor)
    scores, text = told["scores"]
    assert (scores == MATCHES) == (verdict == "reproduced")
    assert ("1 inside their intervals" in text) == (verdict == "reproduced")


@pytest.mark.slow
def test_a_whole_point_is_computed_again_from_a_zip(
    exported: Path, original, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    from tabgraphsyn.exports.archive import opened_crate, pack

    path = tmp_path / "tiny.zip"
    pack(exported, path)
    place = ("--data", str(original.data), "--output-dir", str(tmp_path / "again"), "--cluster", "inline")
    code = cli.main(["reproduce", str(path), *place, "--set", "cluster.threads=1"])
    told = capsys.readouterr()
    assert code == 0, told.out + told.err
    assert "matches     stage absorbing/orders" in told.out and "reproduced" in told.out
    assert cli.main(["reproduce", str(path), "--stage", "sample"]) == 0
    assert cli.main(["verify", str(path)]) == 0
    with opened_crate(path) as folder:
        found = [json.loads((folder / f"outcomes/{number}.json").read_text())["what"] for number in (1, 2)]
    assert found == ["the whole point", "sample"]
