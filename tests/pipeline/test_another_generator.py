"""A generator in another package: one stage for all tables, chosen in yaml, through launch, status, report and sample.

The package and its yaml are a user's: nothing of tabgraphsyn is edited, and no list names them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from tiny_database import tiny_tables
from user_commands import LIGHT_EVALUATION, Ended

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs"))  # the module that reads blocks of pages

from pages import ROOT, blocks

from tabgraphsyn.verbs import cli

PACKAGE = "shares_of_columns"

# The package and its yaml stand in the documentation; what is run here is what a reader would copy.
PAGE = ROOT / "docs" / "extend.md"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder: a package on the path, and yaml files that choose its generator."""
    folder = tmp_path_factory.mktemp("user")
    for block in blocks(PAGE):
        name = block.title.partition('title="')[2].strip('"')
        if name.startswith(PACKAGE) or name.endswith("/shares.yaml"):
            place = folder / ("conf" if block.language == "yaml" else "") / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block.code, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("TABGRAPHSYN_CONF", str(folder / "conf"))
        patch.delenv("TABGRAPHSYN_ALLOW_TARGETS", raising=False)
        yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def verb(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a verb in this process."""

    def run(*words: str, code: int = 0) -> Ended:
        found = cli.main(words)
        captured = capfd.readouterr()
        assert found == code, captured.out + captured.err
        return Ended(code, captured.out, captured.err)

    return run


def command(tiny: Path, folder: Path, *more: str) -> list[str]:
    place = ["dataset=folder", f"dataset.path={tiny}", f"output_dir={folder / 'outputs'}", "campaign=toy"]
    return [*place, *LIGHT_EVALUATION, "cluster=inline", "cluster.threads=1", *more]


TRUSTED = f"allow_targets=[{PACKAGE}]"


@pytest.mark.usefixtures("home")
def test_another_generator_runs_the_whole_line_and_its_bundle_needs_its_package_to_be_named(
    tiny: Path, tmp_path: Path, here: Callable[..., Ended], verb: Callable[..., Ended]
):
    planned = here(*command(tiny, tmp_path, "model=shares", TRUSTED, "dry_run=true"))
    labels = [text.split()[1] for text in planned.out.splitlines() if text.startswith("  run")]
    assert labels == ["ingest", "prepare", "structure", "independent", "sample", "evaluate", "report"]
    assert here(*command(tiny, tmp_path, "model=shares", TRUSTED)).counts == (7, 0)
    assert here(*command(tiny, tmp_path, "model=shares", TRUSTED)).counts == (0, 7)
    out = ("--output-dir", str(tmp_path / "outputs"))
    assert "independent" in verb("status", "toy", *out).out
    point = tmp_path / "outputs" / "campaigns" / "toy" / "default"
    report = (point / "report.html").read_text(encoding="utf-8")
    assert "independent" in report and "loss" in report
    made = {name: pd.read_csv(point / "synthetic" / f"{name}.csv") for name in tiny_tables()}
    assert set(made["orders"]["clerk_id"].dropna()) <= set(made["clerks"]["clerk_id"])
    assert set(made["customers"]["segment"]) == {"firm", "person"}

    shutil.copytree(point / "bundle", tmp_path / "carried")
    bundle, more = str(tmp_path / "carried"), str(tmp_path / "more")
    refused = verb("sample", bundle, "--out", more, code=2)
    assert f"a generator of '{PACKAGE}' made this bundle" in refused.err
    assert f"--allow-target {PACKAGE}" in refused.err and not (tmp_path / "more").exists()
    verb("sample", bundle, "--out", more, "--scale", "2", "--allow-target", PACKAGE)
    assert len(pd.read_csv(tmp_path / "more" / "customers.csv")) == 2 * len(tiny_tables()["customers"])
    assert "orders: made from" in verb("sample", bundle, "--describe", "--allow-target", PACKAGE).out
    manifest = json.loads((tmp_path / "carried" / "bundle.json").read_text())
    assert manifest["generator"]["pseudo_count"] == 2 and "sampler" not in manifest


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["generator=shares"], f"generator._target_: '{PACKAGE}.generator.Shares' is outside the package"),
        (["model=shares", TRUSTED, "generator.pseudo_count=-1"], "generator.pseudo_count: "),
        (["model=shares", TRUSTED, "+generator.psuedo=1"], "generator.psuedo: "),
        (["model=shares", TRUSTED, "gnn=sage"], "gnn: nothing reads it: generator is Shares"),
        (
            ["model=shares", TRUSTED, "resources.independent.tasks_per_node=2"],
            "resources.independent.tasks_per_node: only",
        ),
        (["model=shares", TRUSTED, f"generator._target_={PACKAGE}.generator.Share"], "generator._target_: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_its_mistakes_are_found_before_the_queue(
    tiny: Path, tmp_path: Path, here: Callable[..., Ended], overrides: list[str], text: str
):
    ended = here(*command(tiny, tmp_path, *overrides), code=2)
    assert text in ended.err


@pytest.mark.usefixtures("home")
def test_a_sweep_over_generators_shares_what_comes_before(tiny: Path, tmp_path: Path, here: Callable[..., Ended]):
    ended = here("-m", *command(tiny, tmp_path, "model=shares,data_space", TRUSTED, "dry_run=true"))
    rows = [text.split() for text in ended.out.splitlines() if text.startswith("  ")]
    labels = [row[1] for row in rows]
    assert {"independent", "gnn", "diffusion/orders"} <= set(labels)
    assert labels.count("prepare") == labels.count("structure") == 1 and labels.count("sample") == 2
