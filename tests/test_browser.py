"""What users see, in a real browser; skipped only where none is installed."""

import io
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.by import By
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dqn_exp.analysis.aggregates import make_curve
from dqn_exp.analysis.comparable import make_groups
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.analysis.setting_events import write_setting_events
from dqn_exp.config.validation import to_config
from dqn_exp.files.event_reader import read_scalars
from dqn_exp.files.job_list import read_job_list
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.progress import NoProgress
from scripts.browser import IS_INSTALLED, browser
from tests.conftest import config_values, ignore_results
from tests.sweep_files import write_single, write_sweep

pytestmark = [
    pytest.mark.skipif(not IS_INSTALLED, reason="There is no chromium with chromedriver."),
    pytest.mark.xdist_group("browser"),  # So that there is one sweep for all of them.
]

SWEPT = {
    "agent.gamma": [0.9, 0.95, 0.98, 0.99],
    "agent.epsilon": [0.01, 0.05, 0.1, 0.2],
    "seed": range(10),
}
NUM_RUNS = 160
SMALL = {
    "agent__learning_starts": 20,
    "agent__batch_size": 8,
    "env__max_episode_steps": 20,
    "eval__episodes": 2,
    "eval__every_steps": 50,
    "log__every_steps": 50,
    "log__tensorboard": True,
    "checkpoint__every_steps": None,
    "network__hidden_sizes": [8],
    "trainer__total_steps": 100,
}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory) -> Path:
    """A sweep of 4 x 4 settings with ten seeds each."""
    folder = tmp_path_factory.mktemp("browser") / "s"
    write_sweep(folder, SWEPT, lambda values: None, **SMALL)
    _, entries = read_job_list(folder)
    runs = []
    for entry in entries:
        (folder / entry.directory).mkdir()
        config = to_config(entry.config)
        runs.append(Run(config, folder / entry.directory, entry.swept, num_in_sweep=NUM_RUNS))
    train_population(runs, ignore_results, lambda: False, NoProgress())
    return folder


@pytest.fixture(scope="module")
def tensorboard(sweep) -> Iterator[str]:
    """The address of a TensorBoard that has read the sweep."""
    with serve(sweep, NUM_RUNS) as address:
        yield address


@contextmanager
def serve(folder: Path, num_runs: int) -> Iterator[str]:
    """Provides the address of a TensorBoard that has read all runs of a log directory."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--load_fast", "false"]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: len(runs_of(address)) == num_runs, 60)
            yield address
        finally:
            process.terminate()


def runs_of(address: str) -> list[str]:
    try:
        with urllib.request.urlopen(f"{address}/data/runs") as answer:
            return re.findall(r'"([^"]+)"', answer.read().decode())
    except OSError:
        return []


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    end = monotonic() + seconds
    while not condition():
        assert monotonic() < end, "It has not come about in time."
        sleep(0.2)


IN_SHADOWS = """
    const found = [], look = root => {
        for (const one of root.querySelectorAll("*")) {
            if (one.matches(arguments[0])) found.push(one);
            if (one.shadowRoot) look(one.shadowRoot);
        }
    };
    look(document);
"""
"""Finds the elements that match, also within the components that hide theirs."""


def severe(driver) -> list[str]:
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


def test_tensorboard_lists_the_runs_and_draws_what_answers_the_first_questions(sweep, tensorboard):
    names = sorted(path.name for path in sweep.iterdir() if path.name[0].isdigit())
    assert sorted(runs_of(tensorboard)) == names and len(names) == NUM_RUNS
    with browser(1_600, 2_400) as driver:
        driver.get(f"{tensorboard}/#timeseries")
        wait_for(lambda: len(texts(driver, "scalar-card .heading")) >= 4)
        groups = [text for text in texts(driver, ".group-text span, .group-title") if text]
        assert [name for name in dict.fromkeys(groups) if name != "Pinned"][:3] == [
            "buffer",
            "episode",
            "eval",
        ]
        # Only the first two groups are open.
        cards = [text.replace("\n", "") for text in texts(driver, "scalar-card .heading")]
        assert cards[:2] == ["buffer/size", "buffer/terminal_share"]
        assert cards[2:] == ["episode/length", "episode/return"]
        for card in driver.find_elements(By.CSS_SELECTOR, "scalar-card"):
            wait_for(lambda card=card: num_colored(card) > 1_000)
        card = driver.find_elements(By.CSS_SELECTOR, "scalar-card")[3]
        legend = card.find_elements(By.CSS_SELECTOR, "tbody tr, tb-data-table-content-row")
        assert len(legend) == NUM_RUNS
        assert severe(driver) == []


def texts(driver, selector: str) -> list[str]:
    return [one.text for one in driver.find_elements(By.CSS_SELECTOR, selector)]


def num_colored(element) -> int:
    """Pixels of what is neither paper nor ink: of the lines of a chart."""
    with Image.open(io.BytesIO(element.screenshot_as_png)) as image:
        levels = np.asarray(image.convert("RGB")).astype(int)
    return int((levels.max(2) - levels.min(2) > 60).sum())


def test_the_settings_are_one_curve_each_with_a_band(sweep, tmp_path):
    groups = make_groups(read_sources([sweep]))
    curves = [[make_curve(setting) for setting in group.scored] for group in groups]
    write_setting_events(groups, curves, tmp_path)
    with serve(tmp_path, 16) as address, browser(1_600, 1_600) as driver:
        best = groups[0].settings[0]
        assert sorted(runs_of(address))[0] == f"01_{best.label.replace(', ', ',')}"
        driver.get(f"{address}/#timeseries")
        wait_for(lambda: len(texts(driver, "scalar-card .heading")) >= 2)
        card = driver.find_elements(By.CSS_SELECTOR, "scalar-card")[1]
        wait_for(lambda: num_colored(card) > 1_000)
        legend = card.find_elements(By.CSS_SELECTOR, "tbody tr, tb-data-table-content-row")
        assert len(legend) == 16
        driver.get(f"{address}/#custom_scalars")
        wait_for(lambda: "Which setting is best?" in all_text(driver))
        assert severe(driver) == []
    scalars = read_scalars(tmp_path / f"01_{best.label.replace(', ', ',')}")
    found = scalars["setting/return_iqm"][-1, 1]
    assert found == pytest.approx(float(best.iqm.value), rel=1e-6)


def test_pages_that_would_show_nothing_are_left_out(sweep):
    # With more than forty runs, TensorBoard selects none.
    for run in list(sweep.glob("[0-9]*"))[:3]:
        tags = EventAccumulator(str(run)).Reload().Tags()["tensors"]
        assert "_hparams_/session_start_info" in tags
        assert not {"config", "custom_scalars__config__"} & set(tags)


def test_the_custom_scalars_are_laid_out_by_questions(tmp_path):
    write_single(tmp_path / "r", {}, **SMALL)
    (tmp_path / "r/result.json").unlink()
    config = to_config(config_values(**SMALL))
    train_population([Run(config, tmp_path / "r", {})], ignore_results, lambda: False, NoProgress())
    with serve(tmp_path, 1) as address, browser(1_600, 2_400) as driver:
        driver.get(f"{address}/#custom_scalars")
        questions = ["Is it learning?", "Are its values right?", "Is learning stable?"]
        wait_for(lambda: all(question in all_text(driver) for question in questions))
        assert "Value of the initial state, predicted and realized" in all_text(driver)
        driver.get(f"{address}/#text")
        wait_for(lambda: "target_update_period" in all_text(driver))
        assert severe(driver) == []


def all_text(driver) -> str:
    return driver.execute_script(
        f"{IN_SHADOWS} return found.map(one => one.innerText).join(' ')", "*"
    )


def test_the_table_of_hyperparameters_has_a_row_per_setting_with_its_mean(sweep, tensorboard):
    with browser(2_000, 1_200) as driver:
        driver.get(f"{tensorboard}/#hparams")
        wait_for(lambda: len(rows_of_table(driver)) == 16 + 1)
        heading, *rows = rows_of_table(driver)
        assert severe(driver) == []
    assert "seed" not in heading
    names = ("agent.gamma", "agent.epsilon", "eval/return_mean")
    places = [heading.index(name) for name in names]
    found = {tuple(float(row[place]) for place in places[:2]): row[places[2]] for row in rows}
    (group,) = make_groups(read_sources([sweep]))
    for setting in group.settings:
        values = tuple(float(setting.values[name]) for name in names[:2])
        assert float(found[values]) == pytest.approx(setting.mean, rel=1e-3)
    assert len(found) == 16


def rows_of_table(driver) -> list[list[str]]:
    """The texts of the rows, the heading first, of what may be drawn but is not used yet none."""
    script = """
        const cells = found.filter(cell => cell.offsetParent && cell.offsetHeight);
        const rows = new Map();
        for (const cell of cells) {
            const box = cell.getBoundingClientRect(), top = Math.round(box.top);
            rows.set(top, [...(rows.get(top) || []), [box.left, cell.innerText.trim()]]);
        }
        return [...rows].sort((a, b) => a[0] - b[0]).map(
            ([, row]) => row.sort((a, b) => a[0] - b[0]).map(([, text]) => text)
        );
    """
    rows = driver.execute_script(IN_SHADOWS + script, "vaadin-grid-cell-content")
    return [row for row in rows if len(row) > 4 and any(row)]
