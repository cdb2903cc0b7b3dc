"""The page of a report, in a real browser; skipped only where none is installed."""

import csv
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import unquote, urlparse

import numpy as np
import pytest
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.by import By

from dqn_exp.analysis.report import write_report
from dqn_exp.files.job_list import JOURNAL, JobEntry, begin_job_list
from scripts.browser import IS_INSTALLED, browser, complaints, resize
from tests.conftest import config_values
from tests.sweep_files import noise, write_run, write_sweep

pytestmark = [
    pytest.mark.skipif(not IS_INSTALLED, reason="There is no chromium with chromedriver."),
    pytest.mark.xdist_group("browser"),  # So that there is one report for all of them.
]

SWEPT = {
    "agent.gamma": [0.9, 0.95, 0.98, 0.99],
    "agent.learning_rate": [1e-4, 1e-3, 1e-2],
    "seed": range(3),
}


def curve_of(values) -> dict[int, float]:
    level = 400 * values["agent.gamma"] + 1_000 * values["agent.learning_rate"] + noise(values)
    return {1_000: level / 4, 2_000: level / 2, 3_000: level}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report") / "a sweep"
    write_sweep(folder, SWEPT, curve_of, env__id="CartPole-v1")
    for run in folder.glob("[0-9]*"):
        episodes = "".join(f"{step},{step},{step},9,1\n" for step in (500, 1_500, 2_500))
        (run / "episodes.csv").write_text(f"step,episode,return,length,terminated\n{episodes}")
        (run / "film.mp4").write_bytes(b"film")
    write_report([folder], folder / "report")
    return folder


@pytest.fixture(scope="module")
def shared(sweep) -> Iterator[object]:
    with browser(1_200, 900) as driver:
        yield driver


@pytest.fixture
def page(sweep, shared):
    """The page, loaded anew; after each test, nothing may stand on the console."""
    shared.get((sweep / "report/index.html").as_uri())
    wait_for(lambda: len(shared.find_elements(By.CSS_SELECTOR, ".chart .main-svg")) >= 5)
    yield shared
    assert complaints(shared) == []


def wait_for(condition: Callable[[], object], seconds: float = 15) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "It has not come about in time."
        sleep(0.1)


def traces(driver, chart: str) -> list[dict]:
    """What a chart shows."""
    script = """
        return document.querySelector(`[data-chart=${arguments[0]}]`).data.map(
            ({x, y, name, mode, line, showlegend}) => ({x, y, name, mode, line, showlegend}))
    """
    return driver.execute_script(script, chart)


def named(driver) -> list[dict]:
    return [one for one in traces(driver, "curves") if one["showlegend"]]


def test_the_first_screen_is_the_answer_with_its_picture(page):
    lead = page.find_element(By.CSS_SELECTOR, "p.lead").text
    assert lead.startswith("The best of 12 settings is gamma=0.99, learning_rate=0.01")
    chart = page.find_element(By.CSS_SELECTOR, "[data-chart=forest]")
    assert chart.rect["y"] + chart.rect["height"] < 900
    dots, iqms = traces(page, "forest")
    assert len(iqms["x"]) == 8 and len(dots["x"]) == 24
    assert len(page.find_elements(By.CSS_SELECTOR, ".answer tbody tr")) == 5
    assert not page.execute_script("return performance.getEntriesByType('resource').length")


def test_the_table_sorts(page):
    before = column(page, "mean")
    assert len(before) == 12
    click(page, "mean")
    assert column(page, "mean") == sorted(before)
    click(page, "mean")
    assert column(page, "mean") == sorted(before, reverse=True)
    click(page, "gamma")
    gammas = column(page, "gamma")
    assert gammas == sorted(gammas) and len(set(gammas)) == 4
    click(page, "rank")
    assert column(page, "rank") == [*range(1, 13)]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("gamma=0.98", 3),
        ("learning_rate<0.002 gamma=0.99", 2),
        ("iqm>390", 6),
        ("0.95", 3),
        ("nothing", 0),
        ("", 12),
    ],
)
def test_the_table_filters(page, words, count):
    page.find_element(By.CSS_SELECTOR, ".filter").send_keys(words)
    assert len(column(page, "gamma")) == count
    said = page.find_element(By.CSS_SELECTOR, ".count").text
    assert said == (f"{count} of 12" if words else "")


@pytest.mark.parametrize("kind", ["csv", "latex", "markdown"])
def test_the_table_is_exported_as_it_is_filtered(page, tmp_path, kind):
    behavior = {"behavior": "allow", "downloadPath": str(tmp_path)}
    page.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    page.find_element(By.CSS_SELECTOR, ".filter").send_keys("gamma=0.98")
    page.find_element(By.CSS_SELECTOR, f"[data-export={kind}]").click()
    suffix = {"csv": "csv", "latex": "tex", "markdown": "md"}[kind]
    path = tmp_path / f"settings.{suffix}"
    wait_for(lambda: path.exists() and path.stat().st_size)
    text = path.read_text()
    if kind == "csv":
        rows = list(csv.DictReader(text.splitlines()))
        assert [row["gamma"] for row in rows] == ["0.98"] * 3
        assert [row["learning_rate"] for row in rows] == ["0.01", "0.001", "0.0001"]
        assert "rank" in rows[0] and "95% interval" in rows[0]
    elif kind == "latex":
        assert text.startswith("\\begin{tabular}{l") and "95\\% interval" in text
        assert "learning\\_rate" in text and text.count(" 0.98 ") == 3
    else:
        lines = text.splitlines()
        assert lines[0].startswith("| rank | gamma |") and lines[1].startswith("| --- |")
        assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1


def test_curves_of_settings_are_switched_on_and_off(page):
    assert len(named(page)) == 5
    boxes = page.find_elements(By.CSS_SELECTOR, "table.sortable tbody input")
    assert [box.is_selected() for box in boxes] == [True] * 5 + [False] * 7
    boxes[0].click()
    boxes[8].click()
    wait_for(lambda: len(named(page)) == 5)
    labels = [one["name"] for one in named(page)]
    rows = page.find_elements(By.CSS_SELECTOR, "table.sortable tbody tr")
    gamma, rate = (rows[8].find_elements(By.TAG_NAME, "td")[place].text for place in (2, 3))
    assert labels[-1] == f"gamma={gamma}, learning_rate={rate}"
    swatch = rows[8].find_element(By.CSS_SELECTOR, ".swatch").get_attribute("style")
    levels = [int(level) for level in re.findall(r"\d+", swatch)[:3]]
    assert f"#{''.join(f'{level:02x}' for level in levels)}" == named(page)[-1]["line"]["color"]
    choose(page, ".kind", "training")
    assert named(page)[0]["y"] == [500, 1_500, 2_500]
    choose(page, ".kind", "evaluation")
    before = len(traces(page, "curves"))
    page.find_element(By.CSS_SELECTOR, ".seeds").click()
    assert len(traces(page, "curves")) == before + 5 * 3
    field = page.find_element(By.CSS_SELECTOR, ".best")
    field.clear()
    field.send_keys("2")
    wait_for(lambda: len(named(page)) == 2)
    assert [box.is_selected() for box in boxes] == [True] * 2 + [False] * 10


def test_hovering_tells_the_values_of_a_point(page):
    scroll_to(page, "[data-chart=curves]")
    chart = page.find_element(By.CSS_SELECTOR, "[data-chart=curves]")
    x, y = page.execute_script("""
        const one = arguments[0], box = one.getBoundingClientRect();
        const {xaxis, yaxis} = one._fullLayout, trace = one.data.find(trace => trace.showlegend);
        return [
            box.left + xaxis._offset + xaxis.l2p(trace.x[1]),
            box.top + yaxis._offset + yaxis.l2p(trace.y[1]),
        ];
    """, chart)  # fmt: skip
    actions = ActionBuilder(page)
    actions.pointer_action.move_to_location(round(x), round(y))
    actions.perform()
    text = "[data-chart=curves] .hoverlayer .hovertext"
    wait_for(lambda: page.find_elements(By.CSS_SELECTOR, text))
    told = page.find_element(By.CSS_SELECTOR, text).text
    assert "at step" in told and "gamma=" in told


def test_the_slider_leaves_the_best_settings(page):
    slide = "const one = document.querySelector('.slider'); one.value = arguments[0];"
    slide += "one.dispatchEvent(new Event('input'))"
    assert sum(trace["x"].count(None) for trace in traces(page, "parallel")) == 12
    page.execute_script(slide, 25)
    assert page.find_element(By.CSS_SELECTOR, ".among").text == "3 of 12 settings"
    assert page.find_element(By.CSS_SELECTOR, ".share").text == "25%"
    # The best settings have the largest gamma, at the top of its axis, and there is an axis a key.
    gray, *best = traces(page, "parallel")
    heights = [trace["y"][place] for trace in best for place in range(0, len(trace["y"]), 4)]
    assert min(heights) > 0.85 and gray["x"].count(None) == 9


def test_values_of_a_grid_are_in_order_and_importance_is_that_of_the_returns(page):
    script = "return document.querySelectorAll('[data-chart=slice]')[1].layout.xaxis.categoryarray"
    assert [float(value) for value in page.execute_script(script)] == [1e-4, 1e-3, 1e-2]
    bars = page.execute_script("return document.querySelector('[data-chart=importance]').data[0]")
    assert bars["y"] == ["learning_rate", "gamma"] and bars["x"][1] > bars["x"][0]


def test_a_search_of_24_trials_has_log_axes_a_history_and_its_pruned_trials(tmp_path):
    rng = np.random.default_rng(0)
    rates = (10 ** rng.uniform(-4, -2, 24)).tolist()
    gammas = rng.uniform(0.9, 0.99, 24).tolist()
    swept = {
        "agent.learning_rate": rates,
        "agent.gamma": gammas,
        "agent.epsilon": rng.uniform(0, 0.1, 24).tolist(),
    }
    write_trials(tmp_path / "s", swept)
    write_report([tmp_path / "s"], tmp_path / "s/report")
    with browser(1_200, 900) as driver:
        driver.get((tmp_path / "s/report/index.html").as_uri())
        wait_for(lambda: len(driver.find_elements(By.CSS_SELECTOR, ".chart .main-svg")) >= 8)
        slices = driver.execute_script(
            "return [...document.querySelectorAll('[data-chart=slice]')].map(one => "
            "[one.dataset.key, one.layout.xaxis.type, one.data.flatMap(trace => trace.x).length])"
        )
        assert [(key, kind) for key, kind, _ in slices] == [
            ("agent.learning_rate", "log"),
            ("agent.gamma", "linear"),
            ("agent.epsilon", "linear"),
        ]
        assert {count for *_, count in slices} == {24}
        pruned, done, best = traces(driver, "history")
        assert (len(pruned["x"]), len(done["x"])) == (16, 8)
        assert best["y"] == sorted(best["y"])
        places = [trace["x"].count(None) for trace in traces(driver, "parallel")]
        assert sum(places) == 24
        assert len(column(driver, "gamma")) == 24
        assert complaints(driver) == []


def write_trials(folder, swept) -> None:
    """Writes a search of 24 trials with two seeds, of which eight have completed."""
    entries = []
    for num in range(48):
        trial, seed = divmod(num, 2)
        values = {key: column[trial] for key, column in swept.items()} | {"seed": seed}
        nested = {key.replace(".", "__"): value for key, value in values.items()}
        texts = {key: str(value) for key, value in values.items()}
        name, level = f"{num:02d}_trial", 100 * values["agent.gamma"]
        status = "completed" if trial % 3 == 0 else "pruned"
        curve = {100: level / 2, 200: level} if status == "completed" else {100: level / 2}
        entries.append(JobEntry(num, name, name, [], texts, {}, config_values(**nested)))
        write_run(folder / name, curve, status, seed=seed)
    task = ["agent.learning_rate=tag(log,interval(1e-4,1e-2))", "agent.gamma=interval(0.9,0.99)"]
    begin_job_list(folder, {"overrides": {"task": task, "hydra": []}}, entries)
    (folder / JOURNAL).touch()


def test_a_setting_leads_to_its_runs_films_and_command(page, sweep):
    page.find_elements(By.CSS_SELECTOR, "button.show")[0].click()
    panel = page.find_element(By.CSS_SELECTOR, ".detail")
    assert panel.is_displayed()
    assert panel.find_element(By.TAG_NAME, "h3").text == "gamma=0.99, learning_rate=0.01"
    command = panel.find_element(By.TAG_NAME, "pre").text
    expected = "agent.gamma=0.99 agent.learning_rate=0.01 seed=0,1,2"
    assert command.startswith("python -m dqn_exp.train -m ") and command.endswith(expected)
    links = [link.get_attribute("href") for link in panel.find_elements(By.TAG_NAME, "a")]
    assert len(links) == 3 * 3
    for link in links:
        assert Path(unquote(urlparse(link).path)).exists(), link
    paths = [Path(unquote(urlparse(link).path)) for link in links]
    assert {path.name for path in paths[1::3]} == {"train.log"}
    assert all(path.parent == sweep for path in paths[::3])


@pytest.mark.parametrize("is_dark", [False, True])
def test_the_report_fits_a_phone_by_day_and_night(sweep, is_dark):
    with browser(390, 844, is_dark=is_dark) as driver:
        driver.get((sweep / "report/index.html").as_uri())
        check_pictures(driver)
        color = driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        level = sum(map(int, re.findall(r"\d+", color)[:3]))
        assert level < 150 if is_dark else level > 600
        script = "return [...document.images].map(image => image.currentSrc)"
        light, dark = driver.execute_script(
            "return [[...document.images].map(one => one.src), "
            "[...document.querySelectorAll('source')].map(one => one.srcset)]"
        )
        assert driver.execute_script(script) == (dark if is_dark else light)
        for width in (390, 1_200):
            resize(driver, width, 844)
            sleep(0.5)
            size = driver.execute_script(
                "return [document.documentElement.scrollWidth, window.innerWidth]"
            )
            assert size == [width, width]
            assert overflowing(driver, width) == []
        assert complaints(driver) == []


def check_pictures(driver) -> None:
    script = "return [...document.images].map(image => image.complete && image.naturalWidth)"
    wait_for(lambda: all(driver.execute_script(script)))
    assert len(driver.execute_script(script)) == 2


def scroll_to(driver, selector: str) -> None:
    script = f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})"
    driver.execute_script(script)


def choose(driver, selector: str, value: str) -> None:
    script = f"const one = document.querySelector('{selector}'); one.value = '{value}';"
    driver.execute_script(f"{script} one.dispatchEvent(new Event('change'))")


def headings(driver) -> list[str]:
    return [one.text for one in driver.find_elements(By.CSS_SELECTOR, "table.sortable th")]


def click(driver, name: str) -> None:
    scroll_to(driver, "table.sortable thead")
    heads = driver.find_elements(By.CSS_SELECTOR, "table.sortable th")
    heads[headings(driver).index(name)].find_element(By.TAG_NAME, "button").click()


def column(driver, name: str) -> list[float]:
    place = headings(driver).index(name) + 1
    cells = driver.find_elements(By.CSS_SELECTOR, f"table.sortable tbody td:nth-child({place})")
    return [float(cell.text.replace(",", "")) for cell in cells if cell.is_displayed()]


def overflowing(driver, width: int) -> list[str]:
    """Elements beyond the right edge, but those in a part that can be scrolled by itself."""
    script = """
        return [...document.body.querySelectorAll("*")].filter(one =>
            !one.closest(".scroll, pre") && one.getBoundingClientRect().right > arguments[0] + 0.5
        ).map(one => one.outerHTML.slice(0, 80))
    """
    return driver.execute_script(script, width)
