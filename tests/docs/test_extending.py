"""The examples of docs/extend.md, taken literally: written where the page says, planned, and run to the report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the module beside this file is imported by name

from pages import ROOT, blocks

PAGE = ROOT / "docs" / "extend.md"
FEW = (
    "training=quick", "training.gnn.steps=4", "training.diffusion.steps=6", "sampler.steps=3", "evaluation=quick",
    "~evaluation.metrics.c2st", "~evaluation.metrics.c2st_agg", "report=quick", "campaign=all",
)  # fmt: skip


def into_the_tree(tree: Path, name: str, code: str) -> None:
    """Write a file into a copy of this tree, or, of a file that is there, one line among its first imports."""
    if not tree.exists():
        for part in ("tabgraphsyn", "conf"):
            shutil.copytree(ROOT / part, tree / part, ignore=shutil.ignore_patterns("__pycache__"))
    before = "from tabgraphsyn.data.codec.personal import PersonalCodec\n"
    text = (tree / name).read_text(encoding="utf-8").replace(before, before + code) if (tree / name).exists() else code
    assert code in text and code.count("\n") in (1, text.count("\n"))
    (tree / name).write_text(text, encoding="utf-8")


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Every block in the file that its title names, and the tables that the data set is about."""
    for block in blocks(PAGE):
        name = block.title.partition('title="')[2].strip('"')
        if not name or block.language == "sh":
            continue
        if name.startswith("tabgraphsyn/"):
            into_the_tree(tmp_path / "tree", name, block.code)
            continue
        place = tmp_path / ("conf" if block.language == "yaml" else "") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(block.code, encoding="utf-8")
    generator = np.random.default_rng(3)
    customers = pd.DataFrame({"customer_id": range(80), "segment": generator.choice(["a", "b"], 80)})
    low = generator.integers(0, 900, 300)
    orders = pd.DataFrame(
        {"order_id": range(1000, 1300), "customer_id": generator.integers(0, 80, 300), "low": low, "high": low + 7}
    )
    width, length = generator.choice([30, 32, 34, 36], 300), generator.choice([30, 32, 34], 300)
    orders["size"] = [f"{one}x{other}" for one, other in zip(width, length, strict=True)]
    (tmp_path / "tables").mkdir()
    customers.to_csv(tmp_path / "tables" / "customers.csv", index=False)
    orders.to_csv(tmp_path / "tables" / "orders.csv", index=False)
    return tmp_path


def launched(folder: Path, *extra: str) -> str:
    """Run the page's command for everything, with more overrides, and return what it printed."""
    (block,) = [block for block in blocks(PAGE) if block.language == "sh" and "everything" in block.title]
    (words,) = block.commands()
    return ran(folder, *words[1:], *extra)


def ran(folder: Path, *words: str) -> str:
    own = {
        "PYTHONPATH": f"{folder / 'tree'}:{folder}",
        "TABGRAPHSYN_CONF": str(folder / "conf"),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **own}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_kind_of_extension_has_its_example():
    headings = [line[3:] for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("## A ")]
    assert headings == [
        *("A denoiser", "A graph network", "A metric", "A codec", "A generator", "A rule", "A data set", "A site")
    ]


def test_all_examples_together_are_planned(written: Path):
    assert "diffusion" in launched(written, "dry_run=true")


@pytest.mark.slow
def test_all_examples_together_run_to_the_report(written: Path):
    launched(written, *FEW)
    (point,) = (path.parent for path in (written / "outputs" / "campaigns" / "all").glob("*/metrics.json"))
    scored = json.loads((point / "metrics.json").read_text(encoding="utf-8"))
    assert any(score["metric"] == "missing_gap" for score in scored["scores"])
    assert (point / "report.html").is_file()
    config = (point / "config.yaml").read_text(encoding="utf-8")
    assert all(name in config for name in ("mine.plain.Plain", "mine.largest.Largest", "max_discrete: 10"))
    # The codec of the page takes its column, from ingest to rows sampled from the bundle.
    carried = ("-m", "tabgraphsyn", "sample", str(point / "bundle"), "--allow-target", "mine")
    told = ran(written, *carried, "--describe")
    assert "size: widths and lengths that enough entities hold" in told, told
    ran(written, *carried, "--out", "more")
    for place in (point / "synthetic", written / "more"):
        assert pd.read_csv(place / "orders.csv")["size"].str.fullmatch(r"3[0246]x3[024]").all()
