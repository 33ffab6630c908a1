"""The page as text: policy, escaping, structure, size."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.page import json_block, render
from tabgraphsyn.evaluation.report.sources import ReportSources, read_sources

VOID = {"wbr", "meta", "rect", "path", "circle", "use", "br", "link", "img", "input"}


class Outline(HTMLParser):
    """Collects what a screen reader walks through, and the raw scripts."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[tuple[dict[str, str | None], str]] = []
        self.text: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append((dict(attrs), ""))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            attrs, text = self.scripts[-1]
            self.scripts[-1] = (attrs, text + data)
        elif self._open and self._open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    parsed.close()
    assert parsed._open == []
    return parsed


def test_policy_allows_exactly_the_scripts_of_the_page(page: str, outline: Outline) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy
    allowed = set(re.findall(r"sha256-[A-Za-z0-9+/=]+", policy.group(1)))
    hashes = {
        "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for attrs, text in outline.scripts
        if "type" not in attrs
    }
    assert len(hashes) == 2
    assert allowed == hashes
    assert policy.group(1).startswith("default-src &#39;none&#39;; script-src ")
    assert "unsafe-eval" not in policy.group(1)
    assert "unsafe-inline" not in policy.group(1).split("style-src")[0]


def test_names_and_values_from_data_are_text_only(page: str, outline: Outline, hostile: str) -> None:
    assert hostile in "".join(outline.text)
    assert hostile not in page
    assert len(outline.scripts) == 3
    assert not any(tag in ("img", "iframe", "object", "link") for tag, _ in outline.tags)
    assert not any(name.startswith("on") for _, attrs in outline.tags for name in attrs)
    assert "{{ 7*7 }}" in "".join(outline.text)


def test_nothing_is_fetched(outline: Outline) -> None:
    for tag, attrs in outline.tags:
        for name in ("src", "href", "xlink:href", "action", "srcset"):
            assert (attrs.get(name) or "#").startswith("#"), (tag, attrs)


def test_figures_are_json_and_cannot_end_their_script(outline: Outline) -> None:
    block = next(text for attrs, text in outline.scripts if attrs.get("type") == "application/json")
    assert "<" not in block
    figures = json.loads(block)
    wanted = {attrs["data-figure"] for _, attrs in outline.tags if "data-figure" in attrs}
    assert wanted == set(figures)
    assert {figure["kind"] for figure in figures.values()} == {"heat", "curves"}
    assert json.loads(json_block({"a": "</script><!--"}))["a"] == "</script><!--"


def test_structure_serves_a_screen_reader(outline: Outline) -> None:
    levels = [int(tag[1]) for tag, _ in outline.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
    tags = [tag for tag, _ in outline.tags]
    assert tags.count("main") == tags.count("nav") == tags.count("header") == 1
    assert tags.count("table") == tags.count("caption")
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for _, attrs in outline.tags:
        if attrs.get("role") in ("img", "region"):
            assert attrs.get("aria-label"), attrs
    linked = {str(attrs["href"])[1:] for tag, attrs in outline.tags if tag == "a"}
    assert linked <= set(ids)


def test_every_section_of_the_fixture_is_there(outline: Outline) -> None:
    sections = {attrs["id"] for tag, attrs in outline.tags if tag == "section"}
    assert sections == {
        "verdict", "privacy", "scores", "worst", "schema", "columns", "pairs", "hops", "rules", "training",
        "examples", "provenance",
    }  # fmt: skip
    text = " ".join(" ".join(outline.text).split())
    for expected in (
        "0123abc",
        "0.32.0",
        "seed",
        "2025-06-15 15:06",
        "tiny: 3 rows held out",
        "1 min 28 s one after the other",
    ):
        assert expected in text, expected


def test_same_inputs_make_the_same_page(sources: ReportSources, page: str) -> None:
    assert render(gather(sources, ReportOptions(umap=False))) == page


def test_the_page_of_a_repeated_run_differs_in_marked_places_only(sources: ReportSources, page: str) -> None:
    """Times and memory are marked, so that the pages of two runs can be compared (scripts/chaos.py)."""
    slower = [
        replace(
            record,
            done={**record.done, "elapsed_s": 7.0 * float(record.done.get("elapsed_s", 1.0)), "started": 1.0},
            metrics=tuple({**line, "time_s": 9.0 * line["time_s"], "rows_per_s": 1.0} for line in record.metrics),
        )
        for record in sources.stages
    ]
    other = render(gather(replace(sources, stages=tuple(slower)), ReportOptions(umap=False)))
    assert other != page
    marked = re.compile(r"<(td|span)\b([^>]*) data-measured>.*?</\1>", re.DOTALL)
    assert marked.sub("", other) == marked.sub("", page)


def test_page_is_small(report_file: Path) -> None:
    assert report_file.stat().st_size < 6_000_000


def test_what_was_cut_off_is_said(sources: ReportSources) -> None:
    options = ReportOptions(umap=False, rows_per_table=200, panels_per_table=2, pair_columns=3, pair_rows=100)
    text = render(gather(sources, options))
    few = gather(sources, ReportOptions(umap=False, panels=8))
    assert [(len(each.panels), each.left_out) for each in few.columns] == [(4, 3), (3, 0)]
    assert "Counted over 200 rows of each side" in text
    assert "The 2 worst of 7 columns are shown." in text
    assert "further columns are left out" in text


def test_scores_stand_with_their_intervals(make_sweep_point: Callable[..., dict[str, Path]]) -> None:
    inputs = make_sweep_point()
    path = inputs["evaluate"] / "metrics.json"
    raw = json.loads(path.read_text())
    for found in raw["scores"]:
        if found["metric"] == "c2st":
            found["detail"] |= {"sd": 0.01, "interval": [found["value"] - 0.021, found["value"] + 0.021]}
    path.write_text(json.dumps(raw))
    content = gather(read_sources(inputs), ReportOptions(umap=False))
    row = next(each for each in content.scores if each.title == "C2ST")
    assert row.values[:2] == (".680", ".510")
    assert row.intervals[:2] == (".659 to .701", ".489 to .531")
    assert next(each for each in content.scores if each.title == "Column shapes").intervals == ("", "", "")
    text = render(content)
    assert '<strong>.680</strong><span class="range"><span class="hidden">, 95 % interval </span>.659 to .701' in text
