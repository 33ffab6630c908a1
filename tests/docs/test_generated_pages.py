"""What the pages that are made of the code must hold: every key, every message, every metric, no path of a machine."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent))  # the module beside this file is imported by name

from pages import PAGES, ROOT

docs_site = pytest.importorskip("docs_site")

from docs_site import compared, hook, messages, metrics  # noqa: E402
from docs_site.configuration import comments, options  # noqa: E402

from tabgraphsyn import launch  # noqa: E402
from tabgraphsyn.config.checks import config_problems  # noqa: E402
from tabgraphsyn.config.components import COMPONENTS  # noqa: E402
from tabgraphsyn.config.composition import compose_points  # noqa: E402
from tabgraphsyn.config.top_level import COMPONENT_GROUPS  # noqa: E402


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return hook.generated()


def rows(page: str) -> list[list[str]]:
    split = (re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in page.splitlines() if line.startswith("| `"))
    return [[cell.strip() for cell in row] for row in split]


def test_every_key_of_every_yaml_is_in_the_reference_with_advice(made: dict[str, str]):
    found = rows(made["configuration.md"])
    keys = {row[0].strip("`"): row for row in found}
    for group in (*COMPONENTS, "cluster"):
        for option, values in options(group).items():
            for key in values:
                if key not in ("_target_", "defaults", "limits"):
                    assert f"{group}.{key}" in keys, f"conf/{group}/{option}.yaml"
    silent = [row[0] for row in found if not row[-1]]
    assert not silent, "a constructor's docstring says nothing of these"


def test_what_a_yaml_says_of_a_key_stands_beside_that_key_and_whole(tmp_path: Path, made: dict[str, str]):
    (tmp_path / "a.yaml").write_text("a: ???\nb: null  # of b, {c: d}\nc:\n  # of none\nd: '#'\n")
    assert comments(tmp_path / "a.yaml") == {"b": "of b, {c: d}"}
    said = {row[0].strip("`"): row[-1] for row in rows(made["configuration.md"])}
    assert said["dataset.path"].startswith("a folder of tables") and "{" not in said["dataset.rules"]
    headings = re.findall(r"^#+ .+", made["configuration.md"], re.MULTILINE)
    assert len(headings) == len(set(headings))
    assert hook.on_page_content("<td><code>a_key.of_many</code></td>") == (
        "<td><code>a_<wbr>key.<wbr>of_<wbr>many</code></td>"
    )


def test_every_metric_has_settings_with_advice_and_examples_that_were_measured(made: dict[str, str]):
    names = set(options("evaluation/metric"))
    assert set(metrics.readings()) == names
    scores = metrics.measured()["scores"]
    for name in names:
        page, reading = made[f"metrics/{name}.md"], metrics.readings()[name]
        assert all(row[-1] for row in rows(page.partition("## Settings")[2])), name
        for kind in metrics.KINDS:
            ((source, words),) = reading[kind].items()
            assert words.endswith((".", ")", "?")), f"{name}.{kind}"
            candidate, _, place = source.partition("@")
            assert candidate == "none" or candidate in scores[name][place or reading["where"]]


# Mistakes of users, each in another part of the program.
BAD = (
    ["gnn=gni"],
    ["sampler.steps=0"],
    ["denoiser._target_=mine.Net"],
    ["training.gnn.stpes=3"],
    ["campaign=a/b"],
    ["cluster.heartbeat_s=50"],
    ["+foo=1"],
)


def test_what_a_user_reads_is_on_the_page_of_messages(capsys: pytest.CaptureFixture[str]):
    known = [message for message in messages.collected() if message.exit_code == 2 and len(message.text) > 25]
    for overrides in BAD:
        composed = compose_points(overrides, multirun=False)
        found = list(composed.problems)
        for point in composed.points:
            found += config_problems(point.config, point.missing, (*COMPONENT_GROUPS, "tracking"), point.added)
        assert found, overrides
        assert all(any(message.is_in(text) for message in known) for text in found), found
    assert launch.main(["dataset=folder", "dataset.path=/nowhere", "dry_run=true"]) == 2
    shown = capsys.readouterr().err
    assert any(message.is_in(shown) for message in known), shown


def test_messages_of_a_package_that_nobody_here_wrote_are_found(tmp_path: Path):
    """A message is found however it is written: raised, yielded, appended, joined from pieces."""
    (tmp_path / "new.py").write_text(
        "def odd_problems(x):\n    yield f'first.key: {x!r} is odd.'\n    return [f'second.key: {len(x)} are odd.']\n"
        "def check(problems, x):\n    problems.append('third.key: is odd. ' + hint(x))\n"
        "    raise StageError(f'fourth.key: ' 'odd as well ' f'{x.name}.')\n"
    )
    found = {message.text: message.exit_code for message in messages.collected(tmp_path)}
    assert found == {
        "first.key: ‹x› is odd.": 2, "second.key: ‹x› are odd.": 2, "third.key: is odd. ‹x›": 2,
        "fourth.key: odd as well ‹name›.": 3,
    }  # fmt: skip


def test_our_own_cells_are_those_of_the_readme():
    page = hook.filled((ROOT / "docs" / "compared.md").read_text(encoding="utf-8"))
    line = next(line for line in page.splitlines() if line.startswith("| **TabGraphSyn**"))
    assert "{{" not in page and line.count("/") >= 3, line
    table = "x\n| database | shapes | C2ST-Agg |\n|---|---|---|\n| shop | .9 / .8 | **.6** / .5 |\n\n| database | b |\n"
    assert compared.our_cells(table) == {"shop": {"shapes": ".9 / .8", "C2ST-Agg": ".6 / .5"}}


def test_no_page_names_a_place_of_a_machine(made: dict[str, str]):
    written = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES}
    for name, text in {**made, **written}.items():
        assert not re.findall(r"(?<![\w.<>])/(?:work|home/(?!me\b)|root|tmp)/?\w+", text), name


def test_programs_find_every_page_of_the_navigation(made: dict[str, str]):
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    config = hook.on_config(config)
    texts = {**{path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}, **made}
    files = hook.llms(texts, config)
    pages = {page for _, listed in hook._sections(config["nav"]) for page in listed}
    assert pages == set(texts), "every page is in the navigation"
    assert all(f"({page.removesuffix('.md')}.html)" in files["llms.txt"] for page in pages)
    assert re.match(r"# TabGraphSyn\n\n> .+\n", files["llms.txt"])
    assert "{{" not in files["llms-full.txt"].partition("# API")[0]
