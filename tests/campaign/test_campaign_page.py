"""The page of a campaign: as text, and in a real browser at both widths and in both themes."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tabgraphsyn.evaluation.campaign.page import render
from tabgraphsyn.evaluation.campaign.summary import CampaignSummary

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

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMEDRIVER = shutil.which("chromedriver")


def in_browser(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs a browser."""
    reason = "needs chromium and chromedriver (Debian: chromium-driver)"
    return pytest.mark.browser(pytest.mark.skipif(not (CHROMIUM and CHROMEDRIVER), reason=reason)(test))


ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
)  # fmt: skip
# Text whose contrast with what is behind it is below WCAG AA.
LOW_CONTRAST = """
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const behind = (at) => {
  for (; at; at = at.parentElement) {
    const found = parse(getComputedStyle(at).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const low = [];
for (const each of document.querySelectorAll("body *")) {
  if (![...each.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim())) continue;
  if (each.closest("script, #tip, #said, .number:is(text)") || !each.getClientRects().length) continue;
  const style = getComputedStyle(each);
  const ink = parse(each instanceof SVGElement ? style.fill : style.color);
  const [a, b] = [light(ink), light(behind(each.closest("svg") ?? each))].sort((x, y) => y - x);
  const ratio = (a + 0.05) / (b + 0.05);
  if (ratio < (parseFloat(style.fontSize) >= 18.66 ? 3 : 4.5)) low.push(each.textContent.slice(0, 40));
}
return low;
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (*ARGUMENTS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(CHROMEDRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def shown(browser: Any, summary: CampaignSummary, tmp_path: Path) -> Callable[..., Any]:
    path = tmp_path / "report.html"
    path.write_text(render(summary), encoding="utf-8")

    def show(*, width: int = 1280, dark: bool = False) -> Any:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
        for log in ("browser", "performance"):
            browser.get_log(log)
        browser.get(path.as_uri())
        return browser

    return show


@in_browser
@pytest.mark.parametrize("width", [1280, 420])
@pytest.mark.parametrize("dark", [False, True])
def test_page_is_readable_and_fetches_nothing(shown: Callable[..., Any], width: int, dark: bool) -> None:
    browser = shown(width=width, dark=dark)
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert [url for url in urls if not url.startswith("file:")] == []
    assert len(urls) == 1
    assert browser.execute_script("return window.ran ?? null") is None
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    outside = browser.execute_script(
        "return [...document.querySelectorAll('main *')].filter((each) => !each.closest('.scroll, pre') &&"
        f"each.getBoundingClientRect().right > {width} + 1).map((each) => each.outerHTML.slice(0, 80))"
    )
    assert outside == []
    assert browser.execute_script(LOW_CONTRAST) == []
    browser.execute_script(
        "document.querySelector('.lead').style.color = getComputedStyle(document.body).backgroundColor"
    )
    assert len(browser.execute_script(LOW_CONTRAST)) == 1


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
