import io
import logging
import os

import pytest

from dqn_exp.training import progress
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.progress import (
    NoProgress,
    ProgressBar,
    ProgressLines,
    ProgressSnapshot,
    make_progress,
)
from tests.conftest import ignore_results, make_config

STANDING = ProgressSnapshot(share=0.25, num_live=3, num_runs=4, run_steps=1_000, mean_return=12.34)


@pytest.fixture
def now(monkeypatch):
    """The time, which tests move."""
    moment = [100.0]
    monkeypatch.setattr(progress.time, "perf_counter", lambda: moment[0])
    monkeypatch.setattr("tqdm.std.time", lambda: moment[0])
    return moment


def test_a_terminal_gets_a_bar_and_anything_else_lines(monkeypatch):
    assert isinstance(make_progress(False), NoProgress)
    assert isinstance(make_progress(True), ProgressLines)
    for width, kind in ((80, ProgressBar), (0, ProgressLines)):
        monkeypatch.setattr(progress, "_terminal_width", lambda answer=width: answer)
        shown = make_progress(True)
        assert isinstance(shown, kind)
        shown.close()


def test_a_line_says_what_is_done_and_left_and_comes_ever_more_seldom(now, caplog):
    lines, pauses = ProgressLines(), []
    caplog.set_level(logging.INFO)
    assert lines.next_update == 100
    now[0] += 60  # The first tick may have waited for a compiler.
    lines.update(STANDING)
    assert caplog.messages == []
    for step in range(1, 13):
        pauses.append(lines.next_update - now[0])
        now[0] = lines.next_update
        further = STANDING.run_steps + 1_000 * step
        lines.update(STANDING._replace(share=0.25 + 0.05 * step, run_steps=further))
    assert pauses[0] == 10 and pauses == sorted(pauses) and pauses[-1] == 120
    # At 5% in 10 s, the other 70% take 140 s; the second interval of 15 s counts less.
    assert caplog.messages[0] == (
        "30% done, 02:20 left, 3/4 runs live, 100 run-steps/s, training return 12.3"
    )
    assert caplog.messages[1].startswith("35% done, 02:48 left, 3/4 runs live, 80 run-steps/s")


def lengths_of(rows: list[str]) -> list[int]:
    """Lengths of the episodes in evaluations.csv."""
    return [int(row.rpartition(",")[2]) for row in rows]


class AllSnapshots(NoProgress):
    """Asks for progress at every opportunity."""

    next_update = 0.0

    def __init__(self) -> None:
        self.snapshots: list[ProgressSnapshot] = []

    def update(self, snapshot):
        self.snapshots.append(snapshot)


def test_evaluations_show_that_they_go_on(tmp_path):
    config = make_config(
        env__id="tests.probes:ProbeCounting-v0", env__max_episode_steps=8,
        trainer__total_steps=20, agent__learning_starts=10, agent__batch_size=4,
        eval__every_steps=None, eval__episodes=2,
    )  # fmt: skip
    shown = AllSnapshots()
    run = Run(config, tmp_path, config.hyperparameters())
    train_population([run], ignore_results, lambda: False, shown)
    evaluating = [one for one in shown.snapshots if one.is_evaluating]
    rows = (tmp_path / "evaluations.csv").read_text().splitlines()[1:]
    assert [one.run_steps for one in evaluating] == [20] * max(lengths_of(rows))
    assert len(shown.snapshots) > len(evaluating)


def test_lines_say_that_a_run_is_evaluated(now, caplog):
    lines = ProgressLines()
    caplog.set_level(logging.INFO)
    lines.update(STANDING)
    now[0] = lines.next_update
    lines.update(STANDING._replace(share=1.0, run_steps=2_000, is_evaluating=True))
    expected = "100% done, 00:00 left, 3/4 runs live, 100 run-steps/s, training return 12.3"
    assert caplog.messages == [f"{expected}, evaluating"]


def test_evaluations_count_in_the_remaining_time(now, caplog):
    lines = ProgressLines()
    caplog.set_level(logging.INFO)
    lines.update(STANDING._replace(share=0.0))
    for tenth in range(1, 6):  # Ten seconds of training, and then 30 of an evaluation.
        now[0] += 10
        lines.update(STANDING._replace(share=tenth / 10, run_steps=1_000 * tenth))
        for _ in range(3):
            now[0] += 10
            lines.update(STANDING._replace(share=tenth / 10, is_evaluating=True))
    lines.update(STANDING._replace(share=0.51))
    minutes, seconds = caplog.messages[-1].split(", ")[1].removesuffix(" left").split(":")
    assert 150 < 60 * int(minutes) + int(seconds) < 250  # It is 196.


class Terminal(io.StringIO):
    """What a terminal shows."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return 2


@pytest.mark.parametrize(("lines", "kind"), [(24, ProgressBar), (0, ProgressLines)])
def test_a_terminal_without_a_size_gets_lines(monkeypatch, lines, kind):
    monkeypatch.setattr(progress.sys, "stderr", Terminal())
    size = os.terminal_size((80, lines))
    monkeypatch.setattr(progress.os, "get_terminal_size", lambda descriptor: size)
    shown = make_progress(True)
    assert isinstance(shown, kind)
    shown.close()


def test_a_bar_shows_the_same_and_lets_the_log_through(monkeypatch, capsys):
    bar = ProgressBar()
    now = bar.next_update + 10
    monkeypatch.setattr(progress.time, "perf_counter", lambda: now)
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    bar.update(STANDING._replace(mean_return=float("nan")))
    now += 10
    bar.update(STANDING._replace(run_steps=2_000))
    assert bar.next_update == pytest.approx(now + progress.BAR_SECONDS)
    bar.close()
    shown = capsys.readouterr().err
    assert "3/4 runs live, ? run-steps/s, training return none yet" in shown
    assert "25%" in shown and "3/4 runs live, 100 run-steps/s, training return 12.3" in shown


def test_counted_items_are_logged_where_there_is_no_terminal(monkeypatch, caplog):
    monkeypatch.setattr(progress, "FIRST_LINE_SECONDS", -1.0)
    with caplog.at_level(logging.INFO):
        assert list(progress.counted([7, 8], "Composing job")) == [7, 8]
    assert [one.getMessage() for one in caplog.records] == [
        "Composing job 1 of 2.",
        "Composing job 2 of 2.",
    ]


def test_a_notebook_gets_a_bar(monkeypatch):
    class Shell:
        kernel = object()

    ipython = type("IPython", (), {"get_ipython": staticmethod(Shell)})
    monkeypatch.setitem(progress.sys.modules, "IPython", ipython)
    bar = make_progress(True)
    assert isinstance(bar, ProgressBar)
    bar.close()
