"""The page of a campaign: as text, and in a real browser at both widths and in both themes."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from browser_pages import LOW_CONTRAST, in_browser, open_page, outside, requested

from tabgraphsyn.evaluation.campaign.page import render
from tabgraphsyn.evaluation.campaign.summary import CampaignSummary, Study, Trial

TEXT_ELSEWHERE = "script, #tip, #said, .number:is(text)"
HOSTILE = "<script>window.ran='yes'</script>"


@pytest.fixture
def summary(summary_of: Callable[..., CampaignSummary], two_models: dict, points_of: Callable) -> CampaignSummary:
    """Three models, one of which has a hostile name and copies, one point without scores."""
    points = two_models | points_of(f"gnn={HOSTILE}", [0.60, 0.62, 0.58])
    return summary_of(points, gates={(f"gnn={HOSTILE}", "seed=0"): "fail"})


class Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script:
            self.scripts.append(data)


def test_page_is_small_escaped_and_allows_one_script(summary: CampaignSummary) -> None:
    text = render(summary)
    found = Outline()
    found.feed(text)
    assert len(text) < 400_000
    assert HOSTILE not in text
    assert len(found.scripts) == 1
    digest = base64.b64encode(hashlib.sha256(found.scripts[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy and f"sha256-{digest}" in policy.group(1)
    assert policy.group(1).startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
    assert not any(name.startswith("on") for _, attrs in found.tags for name in attrs)
    fetched = [attrs[key] for _, attrs in found.tags for key in ("src", "srcset") if key in attrs]
    assert fetched == []


def test_a_study_shows_its_trials(summary: CampaignSummary) -> None:
    trials = (
        Trial(0, "complete", (0.91, 0.25), "pass", {"gnn": HOSTILE}, ""),
        Trial(1, "complete", (0.99, 0.2), "fail", {"gnn": "gin"}, ""),
        Trial(2, "pruned", (), "", {"gnn": "gat"}, "pruned by its c2st while training"),
    )
    study = Study("done", ("most column_shapes", "least hours"), trials, 0, ("winner again, 2 new seeds: 0.9",))
    made = CampaignSummary.from_dict(replace(summary, study=study).to_dict())
    assert made.study == study and summary.study is None
    text = render(made)
    assert 'href="#study"' in text and HOSTILE not in text
    assert "3 trials, 1 pruned, 1 ruled out by the privacy gate" in text
    for words in ("most column_shapes", "pruned by its c2st", "winner again, 2 new seeds", "0.91", "<strong>best"):
        assert words in text
    assert 'href="#study"' not in render(summary)


def test_structure_serves_a_screen_reader(summary: CampaignSummary) -> None:
    found = Outline()
    found.feed(render(summary))
    tags = [tag for tag, _ in found.tags]
    assert tags.count("h1") == tags.count("main") == tags.count("nav") == 1
    assert tags.count("table") == tags.count("caption")
    ids = [attrs["id"] for _, attrs in found.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    sections = [attrs["id"] for tag, attrs in found.tags if tag == "section"]
    assert sections[:2] == ["verdict", "privacy"]
    assert {"models", "figures", "differences", "scores", "points", "schema", "provenance"} <= set(sections)
    for tag, attrs in found.tags:
        if attrs.get("role") in ("img", "region"):
            assert attrs.get("aria-label"), (tag, attrs)
    linked = [str(attrs["href"]) for tag, attrs in found.tags if tag == "a"]
    assert "gnn%3Dgin%2Cseed%3D0/report.html" in linked
    assert {each[1:] for each in linked if each.startswith("#")} <= set(ids)


def test_a_campaign_without_scores_still_makes_a_page(summary: CampaignSummary) -> None:
    from dataclasses import replace

    text = render(replace(summary, datasets=(), missing=("seed=0",), reports=()))
    assert "No sweep point has been scored yet." in text


def test_one_model_is_compared_with_nothing(summary_of: Callable[..., CampaignSummary], points_of: Callable) -> None:
    text = render(summary_of(points_of("gnn=gin", [0.5])))
    assert "there is nothing to compare it with" in text
    assert "On shops, 1 model with 1 seed was compared." in text


# What follows needs a browser.


@pytest.fixture
def shown(browser: Any, summary: CampaignSummary, tmp_path: Path) -> Callable[..., Any]:
    path = tmp_path / "report.html"
    path.write_text(render(summary), encoding="utf-8")

    def show(*, width: int = 1280, dark: bool = False) -> Any:
        open_page(browser, path, width=width, dark=dark)
        return browser

    return show


@in_browser
@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("dark", [False, True])
def test_page_is_readable_and_fetches_nothing(shown: Callable[..., Any], width: int, dark: bool) -> None:
    browser = shown(width=width, dark=dark)
    assert browser.get_log("browser") == []
    urls = requested(browser)
    assert [url for url in urls if not url.startswith("file:")] == []
    assert len(urls) == 1
    assert browser.execute_script("return window.ran ?? null") is None
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert outside(browser, width, ".scroll, pre") == []
    assert browser.execute_script(LOW_CONTRAST, TEXT_ELSEWHERE) == []
    browser.execute_script(
        "document.querySelector('.lead').style.color = getComputedStyle(document.body).backgroundColor"
    )
    assert len(browser.execute_script(LOW_CONTRAST, TEXT_ELSEWHERE)) == 1


ORDER = """
const heads = [...document.querySelectorAll("#models thead th")];
const at = heads.findIndex((th) => th.textContent.startsWith("C2ST"));
return [...document.querySelectorAll("#models tbody:not(.baselines) tr")].map((row) => row.cells[at].dataset.number);
"""


@in_browser
def test_headings_sort_by_keyboard_and_baselines_stay_below(shown: Callable[..., Any]) -> None:
    from selenium.webdriver.common.keys import Keys

    browser = shown()
    button = browser.execute_script(
        "return [...document.querySelectorAll('#models th button')].find((each) => each.textContent === 'C2ST')"
    )
    before = [float(value) for value in browser.execute_script(ORDER)]
    button.send_keys(Keys.ENTER)
    assert [float(value) for value in browser.execute_script(ORDER)] == sorted(before)
    button.send_keys(Keys.SPACE)
    assert [float(value) for value in browser.execute_script(ORDER)] == sorted(before, reverse=True)
    assert button.find_element("xpath", "..").get_attribute("aria-sort") == "descending"
    assert browser.execute_script("return document.getElementById('said').textContent") == "Sorted by C2ST, descending"
    rows = browser.execute_script(
        "return [...document.querySelectorAll('#models tbody')].map((each) => each.className)"
    )
    assert rows == ["", "baselines"]


@in_browser
def test_figures_hold_a_row_per_model_and_a_mark_per_seed(shown: Callable[..., Any]) -> None:
    browser = shown()
    counts = browser.execute_script(
        "return [...document.querySelectorAll('.figure-grid svg')].map((svg) =>"
        "['.mean', '.seed', '.interval'].map((what) => svg.querySelectorAll(what).length))"
    )
    assert counts == [[3, 9, 3]] * 3
    assert browser.execute_script("return document.querySelectorAll('.single svg .number').length") == 3
    browser.find_element("id", "theme").click()
    assert browser.execute_script("return document.documentElement.dataset.theme") == "dark"
