"""The page in a real browser: no error, nothing fetched, everything drawn, readable at any width and in the dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from browser_pages import LOW_CONTRAST, in_browser, open_page, outside, requested

from tabgraphsyn.evaluation.report.embedding import EmbeddingView
from tabgraphsyn.evaluation.report.gather import gather
from tabgraphsyn.evaluation.report.options import ReportOptions
from tabgraphsyn.evaluation.report.page import render
from tabgraphsyn.evaluation.report.sources import ReportSources

TEXT_ELSEWHERE = "script, .plot, #tip"


@pytest.fixture(scope="module")
def file_with_map(sources: ReportSources, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a map whose places were not computed by UMAP: its compilation would take most of a minute."""
    from unittest import mock

    import numpy as np

    def view(_: ReportSources, table: str, options: ReportOptions) -> EmbeddingView:
        places = np.random.default_rng(0).normal(size=(2, 150, 2))
        return EmbeddingView(table, places[0], places[1])

    with mock.patch("tabgraphsyn.evaluation.report.gather.embedding_view", view):
        text = render(gather(sources, ReportOptions()))
    path = tmp_path_factory.mktemp("browser") / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def shown(browser: Any, path: Path, *, width: int = 1280, dark: bool = False) -> None:
    """Open the page and wait until every figure is drawn."""
    from selenium.webdriver.support.wait import WebDriverWait

    open_page(browser, path, width=width, dark=dark)
    browser.execute_script("dispatchEvent(new Event('beforeprint'))")
    drawn = "return [...document.querySelectorAll('.plot')].every((plot) => plot.dataset.drawn)"
    WebDriverWait(browser, 60, poll_frequency=0.2).until(lambda each: each.execute_script(drawn))


@in_browser
def test_page_works_without_an_error_or_a_request(browser: Any, file_with_map: Path) -> None:
    shown(browser, file_with_map)
    assert browser.get_log("browser") == []
    assert requested(browser) == [file_with_map.as_uri()]
    assert browser.execute_script("return window.ran ?? null") is None
    assert browser.title.startswith("Synthetic shop <b>&co</b>")


@in_browser
def test_policy_really_forbids(browser: Any, file_with_map: Path) -> None:
    shown(browser, file_with_map)
    browser.execute_script(
        "const script = document.createElement('script'); script.textContent = \"window.ran = 'yes'\";"
        "document.body.append(script); fetch('https://example.invalid/').catch(() => 0);"
    )
    assert browser.execute_script("return window.ran ?? null") is None
    messages = " ".join(entry["message"] for entry in browser.get_log("browser"))
    assert "script-src" in messages
    assert "Content Security Policy" in messages


@in_browser
def test_every_figure_holds_what_it_should(browser: Any, file_with_map: Path) -> None:
    shown(browser, file_with_map)
    found = browser.execute_script("""
      const count = (plot, what) => plot.querySelectorAll(what).length;
      return [...document.querySelectorAll(".plot")].map((plot) => [plot.dataset.kind, {
        heat: [...plot.querySelectorAll("image")].filter((each) => each.href.baseVal.startsWith("data:")).length,
        map: count(plot, ".scatterlayer path.point"),
        curves: count(plot, ".scatterlayer path.js-line[d]"),
      }[plot.dataset.kind]]);
    """)
    kinds = [kind for kind, _ in found]
    assert (kinds.count("heat"), kinds.count("map"), kinds.count("curves")) == (6, 2, 2)
    expected = {"heat": 1, "map": 300, "curves": 2}
    assert all(number == expected[kind] for kind, number in found), found
    charts = browser.execute_script(
        "return [...document.querySelectorAll('svg.chart')].map((chart) => chart.querySelectorAll('rect, path').length)"
    )
    assert len(charts) == 9
    assert min(charts) >= 4


@in_browser
@pytest.mark.parametrize("width", [1280, 420])
def test_page_never_scrolls_sideways(browser: Any, file_with_map: Path, width: int) -> None:
    shown(browser, file_with_map, width=width)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width
    assert outside(browser, width, ".scroll") == []
    # Tables of a hundred letters without a blank, wherever a table is named, and everything open.
    browser.execute_script("""
      for (const each of document.querySelectorAll("details")) each.open = true;
      for (const each of document.querySelectorAll("summary, caption > span, figcaption .name"))
        each.textContent += "_long_name".repeat(10);
    """)
    assert browser.execute_script("return document.documentElement.scrollWidth") == width


@in_browser
@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_in_both_themes(browser: Any, file_with_map: Path, dark: bool) -> None:
    shown(browser, file_with_map, dark=dark)
    browser.execute_script("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    background = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, background[4:-1].split(","))) < 150) is dark
    assert browser.execute_script(LOW_CONTRAST, TEXT_ELSEWHERE) == []
    browser.execute_script(
        "document.querySelector('.lead').style.color = getComputedStyle(document.body).backgroundColor"
    )
    assert [round(ratio, 2) for _, ratio in browser.execute_script(LOW_CONTRAST, TEXT_ELSEWHERE)] == [1.0]


@in_browser
def test_theme_button_switches_page_and_figures(browser: Any, file_with_map: Path) -> None:
    shown(browser, file_with_map)
    ink = (
        "return [getComputedStyle(document.body).backgroundColor,"
        "document.querySelector('.plot .xtick text').style.fill, document.getElementById('theme').ariaLabel]"
    )
    before = browser.execute_script(ink)
    browser.find_element("id", "theme").click()
    browser.execute_async_script("setTimeout(arguments[0], 300)")
    after = browser.execute_script(ink)
    assert all(old != new for old, new in zip(before, after, strict=True))
    assert after[2] == "Switch to light colours"
    assert browser.get_log("browser") == []


@in_browser
def test_keyboard_reaches_the_verdict_the_theme_and_wide_tables(browser: Any, file_with_map: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    shown(browser, file_with_map, width=420)
    reached = []
    for _ in range(60):
        ActionChains(browser).send_keys(Keys.TAB).perform()
        reached.append(
            browser.execute_script(
                "const at = document.activeElement;"
                "return at.id || at.getAttribute('href') || at.className || at.tagName"
            )
        )
    assert reached[:2] == ["#main", "theme"]
    assert "#provenance" in reached
    assert "scroll" in reached
    assert "SUMMARY" in reached


@in_browser
def test_tip_shows_the_bin_under_the_pointer(browser: Any, file_with_map: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    shown(browser, file_with_map)
    bar = browser.find_element("css selector", ".chart .hit[data-tip]")
    ActionChains(browser).scroll_to_element(bar).move_to_element(bar).perform()
    tip = browser.find_element("id", "tip")
    assert tip.is_displayed()
    assert "real" in tip.text
