"""A generator in another package: one stage for all tables, chosen in yaml, through launch, status, report and sample.

The package and its yaml are a user's: nothing of tabgraphsyn is edited, and no list names them.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from tiny_database import tiny_tables
from user_commands import LIGHT_EVALUATION, Ended

from tabgraphsyn.verbs import cli

PACKAGE = "shares_of_columns"

FILES = {
    "__init__.py": "",
    "generator.py": """
        from dataclasses import dataclass
        from typing import Annotated, ClassVar
        from annotated_types import Ge
        from tabgraphsyn.generators.base import Content, Generator
        from tabgraphsyn.generators.kinds import StageInput, StageKind


        @dataclass(frozen=True)
        class Shares(Generator):
            pseudo_count: Annotated[int, Ge(0)] = 1
            kinds: ClassVar = (
                StageKind("independent", 1, "shares_of_columns.learn", ("generator", "seed"), (StageInput("prepare"),)),
            )
            contents: ClassVar = (
                Content("independent", "independent.json", "independent.json"),
                Content("independent", "independent.safetensors", "independent.safetensors"),
            )
            rows: ClassVar = "shares_of_columns.rows.SharesRows"
        """,
    "learn.py": """
        import numpy as np
        from safetensors.numpy import save_file
        from tabgraphsyn.data.files import write_json
        from tabgraphsyn.data.prepared import Prepared


        def run(context):
            prepared, arrays = Prepared(context.input("prepare")), {}
            for step, table in enumerate(prepared.plan.order, 1):
                encoded = prepared.encoded(table)
                for number, field in enumerate(prepared.layout(table).categorical):
                    counts = np.bincount(encoded.categorical[:, number], minlength=field.levels)
                    arrays[f"{table}/{number}"] = counts + context.config["generator"]["pseudo_count"]
                arrays[f"{table}/numbers"] = np.sort(encoded.numerical[:, :, 0], axis=0)[:: max(encoded.rows // 50, 1)]
                context.tracker.log({"loss": 1.0 / step}, step)
            arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
            save_file(arrays, context.artifacts / "independent.safetensors")
            write_json(context.artifacts / "independent.json", {"tables": list(prepared.plan.order)})
        """,
    "rows.py": """
        from safetensors.numpy import load_file
        import numpy as np
        from tabgraphsyn.data.seeding import numpy_generator
        from tabgraphsyn.generation.row_maker import RowMaker


        class SharesRows(RowMaker):
            def rows(self, table):
                making, codec = self.making, self.making.prepared.codec(table)
                assert making.settings["pseudo_count"] == 2
                learned = load_file(making.bundle.folder / "independent.safetensors")
                rng, count = numpy_generator(making.seed, "shares", table), making.skeleton.rows[table]
                weights = [learned[f"{table}/{number}"] for number in range(len(codec.layout.categorical))]
                drawn = [rng.choice(len(each), count, p=each / each.sum()) for each in weights]
                categorical = np.array(drawn, np.int64).reshape(len(weights), count).T
                numbers = learned[f"{table}/numbers"]
                picked = [rng.choice(numbers[:, each], count) for each in range(numbers.shape[1])]
                numerical = np.array(picked, np.float32).reshape(numbers.shape[1], count).T
                return iter([codec.decode(numerical, categorical, rng)])
        """,
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A user's folder: a package on the path, and yaml files that choose its generator."""
    folder = tmp_path_factory.mktemp("user")
    (folder / PACKAGE).mkdir()
    for name, text in FILES.items():
        (folder / PACKAGE / name).write_text(textwrap.dedent(text))
    for group in ("generator", "model"):
        (folder / "conf" / group).mkdir(parents=True)
    target = f"_target_: {PACKAGE}.generator.Shares\npseudo_count: 2\n"
    (folder / "conf" / "generator" / "shares.yaml").write_text(target)
    (folder / "conf" / "model" / "shares.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /generator: shares\n"
        "resources:\n  independent: {threads: 1, mem_gb: 2}\n"
    )
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


def command(tiny: Path, home: Path, *more: str) -> list[str]:
    place = ["dataset=folder", f"dataset.path={tiny}", f"output_dir={home / 'outputs'}", "campaign=toy"]
    return [*place, *LIGHT_EVALUATION, "cluster=inline", "cluster.threads=1", *more]


TRUSTED = f"allow_targets=[{PACKAGE}]"


def test_another_generator_runs_the_whole_line(
    tiny: Path, home: Path, here: Callable[..., Ended], verb: Callable[..., Ended]
):
    planned = here(*command(tiny, home, "model=shares", TRUSTED, "dry_run=true"))
    labels = [text.split()[1] for text in planned.out.splitlines() if text.startswith("  run")]
    assert labels == ["ingest", "prepare", "structure", "independent", "sample", "evaluate", "report"]
    assert here(*command(tiny, home, "model=shares", TRUSTED)).counts == (7, 0)
    assert here(*command(tiny, home, "model=shares", TRUSTED)).counts == (0, 7)
    out = ("--output-dir", str(home / "outputs"))
    assert "independent" in verb("status", "toy", *out).out
    point = home / "outputs" / "campaigns" / "toy" / "default"
    report = (point / "report.html").read_text(encoding="utf-8")
    assert "independent" in report and "loss" in report
    made = {name: pd.read_csv(point / "synthetic" / f"{name}.csv") for name in tiny_tables()}
    assert set(made["orders"]["clerk_id"].dropna()) <= set(made["clerks"]["clerk_id"])
    assert set(made["customers"]["segment"]) == {"firm", "person"}


def test_its_bundle_needs_its_package_to_be_named(home: Path, tmp_path: Path, verb: Callable[..., Ended]):
    shutil.copytree(home / "outputs" / "campaigns" / "toy" / "default" / "bundle", tmp_path / "carried")
    bundle, more = str(tmp_path / "carried"), str(tmp_path / "more")
    refused = verb("sample", bundle, "--out", more, code=2)
    assert f"a generator of '{PACKAGE}' made this bundle" in refused.err
    assert f"--allow-target {PACKAGE}" in refused.err and not (tmp_path / "more").exists()
    verb("sample", bundle, "--out", more, "--scale", "2", "--allow-target", PACKAGE)
    assert len(pd.read_csv(tmp_path / "more" / "customers.csv")) == 2 * len(tiny_tables()["customers"])
    assert "orders: made from" in verb("sample", bundle, "--describe", "--allow-target", PACKAGE).out
    manifest = json.loads((tmp_path / "carried" / "bundle.json").read_text())
    assert manifest["generator"]["pseudo_count"] == 2 and "sampler" not in manifest


@pytest.mark.parametrize(
    ("overrides", "text"),
    [
        (["generator=shares"], f"generator._target_: '{PACKAGE}.generator.Shares' is outside the package"),
        (["model=shares", TRUSTED, "generator.pseudo_count=-1"], "generator.pseudo_count: "),
        (["model=shares", TRUSTED, "+generator.psuedo=1"], "generator.psuedo: "),
        (["model=shares", TRUSTED, "gnn.layers=1"], "gnn.layers: nothing reads it: generator is Shares"),
        (
            ["model=shares", TRUSTED, "resources.independent.tasks_per_node=2"],
            "resources.independent.tasks_per_node: only",
        ),
        (["model=shares", TRUSTED, f"generator._target_={PACKAGE}.generator.Share"], "generator._target_: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_its_mistakes_are_found_before_the_queue(
    tiny: Path, home: Path, here: Callable[..., Ended], overrides: list[str], text: str
):
    ended = here(*command(tiny, home, *overrides), code=2)
    assert text in ended.err


def test_a_sweep_over_generators_shares_what_comes_before(tiny: Path, home: Path, here: Callable[..., Ended]):
    ended = here("-m", *command(tiny, home, "model=shares,data_space", TRUSTED, "dry_run=true"))
    rows = [text.split() for text in ended.out.splitlines() if text.startswith("  ")]
    labels = [row[1] for row in rows]
    assert {"independent", "gnn", "diffusion/orders"} <= set(labels)
    assert labels.count("prepare") == labels.count("structure") == 1 and labels.count("sample") == 2
