"""Tables and figures for a paper, from the summary on disk."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tabgraphsyn.evaluation.campaign.summary import CampaignSummary

SCRIPTS = Path(__file__).parents[2] / "scripts"
SVG = "{http://www.w3.org/2000/svg}"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def campaign(summary_of: Callable[..., CampaignSummary], two_models: dict, tmp_path: Path) -> Path:
    (tmp_path / "report.json").write_text(json.dumps(summary_of(two_models).to_dict()))
    return tmp_path


def test_latex_is_a_booktabs_table_with_bold_only_where_sure(campaign: Path, capsys: pytest.CaptureFixture) -> None:
    assert script("make_table").main([str(campaign)]) == 0
    text = capsys.readouterr().out
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    assert [line for line in lines if line.endswith("rule")] == [r"\toprule", r"\midrule", r"\midrule", r"\bottomrule"]
    columns = len(re.findall("[lr]", lines[0].removeprefix(r"\begin{tabular}")))
    assert {line.count("&") for line in lines if line.endswith(r"\\")} == {columns - 1}
    assert r"gnn=gin & 3 & $0.510 \pm 0.025$ & $\mathbf{0.530} \pm 0.025$ & $0.951 \pm 0.002$ \\" in text
    assert text.count(r"\mathbf") == 1
    assert r"Real against real &  & -- & $0.480$ & $0.970$ \\" in text


def test_latex_escapes_and_marks_what_the_gate_caught(
    summary_of: Callable[..., CampaignSummary], points_of: Callable, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    points = points_of("gnn=a_b%c\\d{e}", [0.5, 0.51]) | points_of("gnn=none", [0.6, 0.61])
    summary = summary_of(points, gates={("gnn=none", "seed=0"): "fail"})
    (tmp_path / "report.json").write_text(json.dumps(summary.to_dict()))
    assert script("make_table").main([str(tmp_path), "--scores", "c2st"]) == 0
    text = capsys.readouterr().out
    assert r"gnn=a\_b\%c\textbackslash{}d\{e\} & 2 & $0.505$ \\" in text
    assert r"gnn=none$^\dagger$ & 2" in text
    assert "% gnn=none: privacy gate fail." in text
    assert "no statement about their differences is possible" in text


def test_csv_holds_every_score_of_every_model(campaign: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    assert script("make_table").main([str(campaign), "--format", "csv", "--out", str(out)]) == 0
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    found = {(row["model"], row["metric"], row["where"]): row for row in rows}
    best = found["gnn=gin", "c2st", ""]
    assert (best["significantly_best"], best["seeds"]) == ("1", "3")
    assert float(best["low"]) < float(best["mean"]) < float(best["high"])
    assert ("gnn=none", "dcr", "stores") in found
    assert len(rows) == len(found)


@pytest.mark.parametrize("figure", ["scores", "privacy"])
def test_svg_stands_alone(campaign: Path, tmp_path: Path, figure: str) -> None:
    out = tmp_path / "figure.svg"
    assert script("make_figure").main([str(campaign), "--figure", figure, "--out", str(out)]) == 0
    root = ET.fromstring(out.read_text())
    assert root.tag == f"{SVG}svg"
    text = " ".join(each.text or "" for each in root.iter(f"{SVG}text"))
    assert "gnn=none" in text
    assert "C2ST" in text
    used = {word for each in root.iter() for word in (each.get("class") or "").split() if word != "hit"}
    styles = next(root.iter(f"{SVG}style")).text or ""
    assert {word for word in used if f".{word}" not in styles} == set()
    assert len([each for each in root.iter(f"{SVG}circle") if each.get("class") == "mean"]) == (
        6 if figure == "scores" else 2
    )


@pytest.mark.browser
@pytest.mark.skipif(not any(map(shutil.which, ("chromium", "google-chrome"))), reason="needs chromium")
def test_pdf_is_one_page_of_the_figures_size_with_its_fonts(campaign: Path, tmp_path: Path) -> None:
    out = tmp_path / "figure.pdf"
    arguments = [str(campaign), "--scores", "c2st", "--columns", "1", "--out", str(out)]
    assert script("make_figure").main(arguments) == 0
    data = out.read_bytes()
    assert data.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", data)) == 1
    width, height = map(float, re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", data)[0])
    assert width == pytest.approx(380 * 0.75, abs=1)
    assert height < 120
    assert b"/FontFile" in data


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--out", "x.png"], "ends in .svg or .pdf"),
        (["--out", "x.svg", "--scores", "c2ts"], "c2st/database/database"),
        (["--out", "x.svg", "--dataset", "bank"], "one of 'shops' expected, found 'bank'"),
        (["--out", "x.pdf", "--browser", "/bin/false"], "printed no PDF"),
    ],
)
def test_mistakes_are_explained(
    campaign: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(campaign)
    assert script("make_figure").main([str(campaign), *arguments]) in (2, 3)
    assert words in capsys.readouterr().err
    assert not list(campaign.glob("x.*"))


def test_no_summary_says_who_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert script("make_table").main([str(tmp_path)]) == 2
    assert "tabgraphsyn report" in capsys.readouterr().err
