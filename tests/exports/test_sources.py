"""Data behind the tables are named and held by hash; pinned packages are held against advisories, or it is said."""

from __future__ import annotations

import importlib.util
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def test_every_database_of_the_readme_is_embedded_or_named_with_its_source(capsys: pytest.CaptureFixture[str]):
    fetch = script("fetch_data")
    embedded = {path.name for path in (ROOT / "tabgraphsyn/data/embedded").iterdir()}
    claims = (ROOT / "launch/claims.csv").read_text(encoding="utf-8").splitlines()[1:]
    named = [line.split(",")[0].split("/")[1] for line in claims if line.startswith("fidelity/")]
    rows = {name.split()[0] for name in named}  # less the seed
    assert rows <= {*fetch.SOURCES, *embedded}
    assert fetch.main(["--list"]) == 0
    told = capsys.readouterr().out
    assert all(f"{name}: " in told and source.licence in told for name, source in fetch.SOURCES.items())
    assert fetch.main(["nothing"]) == 2


def test_a_database_is_built_from_its_files_and_a_changed_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fetch = script("fetch_data")
    (tmp_path / "molecule.csv").write_text("molecule_id,ind1\nd1,1\n")
    (tmp_path / "atom.csv").write_text("atom_id\na\n")
    (tmp_path / "bond.csv").write_text("atom1_id,bond_id,type,atom2_id\na,0,7,b\n")
    assert fetch.main(["mutagenesis", "--from", str(tmp_path), "--out", str(tmp_path / "out")]) == 3
    assert "bond.csv: not what was reported on" in capsys.readouterr().out
    bond = tmp_path / "out/mutagenesis/bond.csv"
    assert bond.read_text() == "bond_id,atom1_id,atom2_id,type\n0,a,b,7\n"
    made = {path.name: fetch._sha256(path) for path in bond.parent.glob("*.csv")}
    monkeypatch.setitem(fetch.SOURCES, "mutagenesis", replace(fetch.SOURCES["mutagenesis"], hashes=made))
    assert fetch.main(["--check", str(bond.parent)]) == 0
    assert fetch.main(["walmart"]) == 3 and "by hand" in capsys.readouterr().out


def test_changes_to_tables_are_those_that_are_said():
    fetch = script("fetch_data")
    store, test = b"Store\n1\n", b"Store,Id,DayOfWeek,Date,Open,Promo,StateHoliday,SchoolHoliday\n1,1,4,d,2,1,0,0\n"
    found = fetch._rossmann({"store.csv": store, "test.csv": test})["test"]
    assert list(found.columns)[:2] == ["Id", "Store"] and found["Open"].isna().all()
    aids = fetch._aids({"AIDS.csv": b"age,id,cd496,r\n40,1,300,0\n41,2,500,1\n"})["aids"]
    assert next(iter(aids.columns)) == "id" and aids["cd496"].tolist() == [pd.NA, 500]


@pytest.mark.parametrize("name", ["walmart", "cora", "single_adult"])
def test_the_shared_copy_is_what_was_reported_on(name: str):
    folder = ROOT.parent / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip("the shared data are not beside this checkout")
    assert script("fetch_data").main(["--check", str(folder)]) == 0


def auditor(folder: Path, answers: dict[str, object]) -> str:
    """Write a pip-audit of our own: it answers by the first package that it is asked about."""
    path = folder / "pip-audit"
    path.write_text(
        f"#!{sys.executable}\nimport sys, json, pathlib\nanswers = json.loads({json.dumps(json.dumps(answers))})\n"
        "asked = pathlib.Path(sys.argv[sys.argv.index('--requirement') + 1]).read_text().split('==')[0]\n"
        "found = answers[asked]\nprint(json.dumps(found)) if found else sys.exit('no such host')\n"
    )
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("canary", "found", "code", "words"),
    [
        ([{"id": "CVE-1", "fix_versions": []}], [], 0, "1 pinned packages checked, 0 with known vulnerabilities"),
        ([{"id": "CVE-1", "fix_versions": []}], [{"id": "CVE-2", "fix_versions": ["3"]}], 1, "CVE-2 (fixed in 3)"),
        ([], [], 0, "not checked for known vulnerabilities, because pypi: it knows no advisory of jinja2==2.10"),
        (None, [], 0, "not checked for known vulnerabilities, because pypi: no such host"),
    ],
    ids=["clean", "vulnerable", "a mirror without advisories", "no network"],
)
def test_advisories_are_asked_for_or_it_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], canary: object, found: list[object], code: int, words: str
):
    def answer(name: str, vulns: object) -> object:
        return None if vulns is None else {"dependencies": [{"name": name, "version": "1", "vulns": vulns}]}

    program = auditor(tmp_path, {"jinja2": answer("jinja2", canary), "torch": answer("torch", found)})
    (tmp_path / "pinned.txt").write_text("# pins\ntorch==1\n")
    arguments = ["--pip-audit", program, "--pinned", str(tmp_path / "pinned.txt")]
    assert script("audit_dependencies").main(arguments) == code
    assert words in capsys.readouterr().out
