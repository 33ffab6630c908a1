"""Every recipe in launch/ says what it claims, and its dry run is what its header says; nothing is computed."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from types import SimpleNamespace

import pytest

from tabgraphsyn.errors import ConfigError
from tabgraphsyn.exports.claims import Claim

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "launch").glob("*.sh"))
DATA = {
    **dict.fromkeys(("fidelity", "representations", "tune"), ("breast_cancer",)),
    "ablation": ("breast_cancer", "parts=order"),  # one of its nine launches
}


sys.path.insert(0, str(ROOT / "scripts"))  # scripts import one another by name


def make_claims():
    spec = importlib.util.spec_from_file_location("make_claims", ROOT / "scripts" / "make_claims.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_claims"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_runs_what_its_header_says(recipe: Path, tmp_path: Path):
    header = make_claims().read_recipe(recipe).header
    data = DATA.get(recipe.stem, ("dataset=breast_cancer",))
    done = subprocess.run(
        [shutil.which("bash"), str(recipe), *data, "dry_run=true", f"output_dir={tmp_path}"],
        env={**os.environ, "PYTHON": sys.executable},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    launches = re.findall(r"^campaign (\S+): (\d+) sweep points?, \d+ stages$", done.stdout, re.MULTILINE)
    assert launches and all(fnmatchcase(name, header["campaigns"]) for name, _ in launches), done.stdout
    told, seen = set(header["points"].split(", ")), {points for _, points in launches}
    assert seen <= told and (recipe.stem == "ablation" or seen == told)
    assert (ROOT / header["table"]).is_file()
    assert done.stdout.count("dry run: ") == len(launches) and not any(tmp_path.iterdir())


def test_a_header_that_lacks_a_line_is_named(tmp_path: Path):
    (tmp_path / "mine.sh").write_text("# claim: x\n# runs: y\n")
    with pytest.raises(ConfigError, match=r"mine\.sh: its header must say 'campaigns', 'points', 'cost'"):
        make_claims().read_recipe(tmp_path / "mine.sh")


def claims() -> list[Claim]:
    rest = ("launch/r.sh a", "c" * 40, "2026-01-01", "m")
    values = {
        "column_shapes|database|database|synthetic": "0.9514",
        "column_shapes|database|database|real_real": "0.9",
        "c2st|table|users|synthetic": "0.5",
        "copies|table|users|synthetic": "1.0",
        "seconds": "12.3",
        "memory_mb": "456.7",
    }
    return [
        Claim(f"r/a/{key}", "r", f"a / {key}", "r-a", "default", key, value, "", "", *rest)
        for key, value in values.items()
    ]


def test_another_model_is_another_campaign_and_another_row(tmp_path: Path):
    from bench_fidelity import suffix

    module = make_claims()
    (recipe,) = [each for each in module.recipes() if each.name == "fidelity"]
    words = [
        "experiment=fidelity",
        "dataset.path=/somewhere",
        "campaign=x",
        "model=absorbing",
        "+seed=1",
        "cluster=local",
    ]
    folder = tmp_path / "out" / "campaigns" / f"fidelity-shop{suffix(words)}" / "default"
    folder.mkdir(parents=True)
    (folder.parent / "campaign.json").write_text(json.dumps({"command": words}))
    further = module.further_overrides(SimpleNamespace(folder=folder))
    assert further == ["model=absorbing", "+seed=1"]
    assert recipe.row(folder.parent.name.removesuffix(suffix(further)), "default") == "shop"
    assert suffix(["dry_run=true", "output_dir=o"]) == ""
    assert module.further_overrides(SimpleNamespace(folder=folder.with_name("seed=1"))) == []


def test_a_table_is_made_of_claims():
    table = make_claims().score_table(claims()).splitlines()
    assert table[0].startswith("| database | shapes | pairs |")
    assert table[2] == "| a | .951 / .900 | - | - | - | users .500 / - | - | users 1 / - | 12 s, 457 MB | ccccccc |"


def test_seeds_of_one_commit_share_a_row_with_mean_and_spread_and_another_commit_has_its_own():
    from dataclasses import replace

    module, first = make_claims(), claims()
    second = [replace(claim, cell=claim.cell.replace("a / ", "a seed=1 / "), value="0.6") for claim in first]
    later = [replace(claim, commit="d" * 40, cell=claim.cell.replace("a / ", "a seed=12 / ")) for claim in first]
    rows = module.score_table([*later, *second, *first]).splitlines()[2:]
    assert rows[0].startswith("| a, 2 seeds | .776 ± .248 / .750 | - | - | - | users .550 ± .071 / - |"), rows[0]
    assert rows[1].startswith("| a seed=12 | .951 / .900 |") and len(rows) == 2


def test_a_typed_number_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    module = make_claims()
    (tmp_path / "launch").mkdir()
    shutil.copy(ROOT / "launch" / "fidelity.sh", tmp_path / "launch" / "fidelity.sh")
    (tmp_path / "README.md").write_text(f"a\n{module.BEGIN.format('fidelity')}\n{module.END}\nb\n")
    monkeypatch.setattr(module, "ROOT", tmp_path)
    assert module.main(["--output-dir", str(tmp_path / "out")]) == 0 and module.main(["--check"]) == 0
    text = (tmp_path / "README.md").read_text()
    assert text.startswith("a\n") and text.endswith("\nb\n")
    (tmp_path / "README.md").write_text(text.replace("| database", "| data base"))
    assert module.main(["--check"]) == 3
    assert "README.md: it is not what launch/claims.csv says" in capsys.readouterr().out


def test_the_tables_of_this_repository_are_not_typed(capsys: pytest.CaptureFixture[str]):
    assert make_claims().main(["--check"]) == 0, capsys.readouterr().out
