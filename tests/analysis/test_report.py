import csv
import json
import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import yaml

from dqn_exp import compare, report
from dqn_exp.analysis.aggregates import make_curve, make_settings
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.plots import make_plots, marginal, profile
from dqn_exp.analysis.report import write_report
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.core.errors import ConfigError
from tests.analysis.test_aggregates import SWEPT, returns_of
from tests.analysis.test_statistics import naive_mann_whitney_p
from tests.sweep.test_sweeper import command, table_of  # noqa: F401
from tests.sweep_files import write_single, write_sweep


def report_of(directories, **options):
    """Writes a report to the default place."""
    return write_report(directories, directories[0] / "report", **options)


def rows_of(folder) -> list[dict[str, str]]:
    with (folder / "report/settings.csv").open() as file:
        return list(csv.DictReader(file))


def page_of(folder) -> str:
    return (folder / "report/index.html").read_text()


def lines_of(folder) -> str:
    return (folder / "report/report.md").read_text()


def test_the_numbers_are_those_of_an_independent_calculation(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    page = report_of([tmp_path / "s"])
    assert page == tmp_path / "s/report/index.html"
    rows = rows_of(tmp_path / "s")
    assert len(rows) == 6
    for row in rows:
        gamma, epsilon = float(row["agent.gamma"]), float(row["agent.epsilon"])
        values = {"agent.gamma": gamma, "agent.epsilon": epsilon}
        curves = [returns_of({**values, "seed": seed}) for seed in SWEPT["seed"]]
        scores = sorted(curve[300] for curve in curves)
        areas = sorted((c[100] + 2 * c[200] + c[300]) / 4 for c in curves)
        assert float(row["iqm"]) == pytest.approx(sum(scores[1:4]) / 3)
        assert float(row["mean"]) == pytest.approx(sum(scores) / 5)
        assert float(row["median"]) == pytest.approx(scores[2])
        assert float(row["min"]) == pytest.approx(scores[0])
        assert float(row["area"]) == pytest.approx(sum(areas[1:4]) / 3)
        assert (row["n"], row["num_failed"], row["num_missing"]) == ("5", "0", "0")
        rng = np.random.default_rng(7)
        resampled = np.sort(rng.choice(scores, (40_000, 5)))[:, 1:4].mean(1)
        # -t(4 degrees, 97.5 %) * sqrt(5 / 4) = -3.104, below which are 0.095 % of a normal one.
        expected = np.quantile(resampled, [0.00095, 0.99905])
        width = scores[-1] - scores[0]
        assert abs(float(row["iqm_low"]) - expected[0]) < 0.05 * width
        assert abs(float(row["iqm_high"]) - expected[1]) < 0.05 * width
    content = page.read_text()
    best = f"gamma={rows[0]['agent.gamma']}, epsilon={rows[0]['agent.epsilon']}"
    assert f"The best of 6 settings is {best}" in content
    assert f"{float(rows[0]['iqm']):.4g}" in content


def test_all_pictures_are_there_and_in_the_page(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    page = report_of([tmp_path / "s"]).read_text()
    names = ["curves", "heat_map_gamma_epsilon", "profiles"]
    names += ["sensitivity_epsilon", "sensitivity_gamma"]
    found = sorted(path.name for path in (tmp_path / "s/report/plots").iterdir())
    assert found == sorted(f"{name}.{form}" for name in names for form in ("png", "svg"))
    assert page.count("data:image/svg+xml;base64,") == 2 * len(names)
    links = re.findall(r'(?:href|src|srcset)="([^"]+)"', page)
    assert all(link.startswith(("data:", "plots/", "../")) for link in links)
    assert "http" not in re.sub(r"data:[^\"]+", "", page)
    assert len(page) < 5e6
    before = {p.name: p.read_bytes() for p in (tmp_path / "s/report/plots").iterdir()}
    report_of([tmp_path / "s"])
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "s/report/plots").iterdir()}


def test_a_sweep_with_gaps_shows_what_is_there_and_says_what_is_missing(tmp_path):
    def returns(values):
        seed, gamma = values["seed"], values["agent.gamma"]
        if (seed, gamma) == (4, 0.9):
            return None
        killed = (seed, gamma) == (3, 0.9)
        return {100: 5.0 + seed} if killed else {100: 5.0 + seed, 200: 10 * gamma + seed}

    def status(values):
        key = (values["seed"], values["agent.gamma"])
        return {(3, 0.9): "running", (0, 0.99): "diverged", (1, 0.99): "failed"}.get(
            key, "completed"
        )

    write_sweep(tmp_path / "s", {"agent.gamma": [0.9, 0.99], "seed": range(5)}, returns, status)
    (tmp_path / "s/6_gamma=0.99,seed=1/train.log").unlink()
    report_of([tmp_path / "s"])
    rows = {row["agent.gamma"]: row for row in rows_of(tmp_path / "s")}
    counts = {
        gamma: (row["n"], row["num_failed"], row["num_missing"]) for gamma, row in rows.items()
    }
    assert counts == {"0.9": ("3", "0", "2"), "0.99": ("3", "2", "0")}
    page, text = page_of(tmp_path / "s"), lines_of(tmp_path / "s")
    for said in (
        "2 of 10 runs have not ended (1 pending, 1 running or killed) and are not included.",
        "2 runs failed or diverged.",
        "intervals are too narrow",
    ):
        assert said in page and said in text
    log = "../5_gamma=0.99,seed=0/train.log"
    assert f'href="{log}"' in page and f"[train.log]({log})" in text
    assert (tmp_path / "s/report" / log).exists()
    assert "Loss or parameters not finite at step 30." in page
    assert page.count("train.log</a>") == 2  # One has none any more, and one has not begun.
    assert ">pending<" in page and ">running or killed<" in page


@pytest.mark.parametrize("status", ["completed", "interrupted"])
def test_one_run_only(tmp_path, status):
    returns = {100: 5.0, 200: 9.0}
    write_sweep(tmp_path / "s", {"seed": [3]}, lambda values: returns, lambda values: status)
    report_of([tmp_path / "s"])
    page = page_of(tmp_path / "s")
    if status == "completed":
        assert "The final return of all runs is 9 (one seed)." in page
        assert "single seed, so there are no intervals" in page and "95 % interval" not in page
        assert rows_of(tmp_path / "s")[0]["iqm_low"] == ""
    else:
        assert "No run has completed yet" in page and "<img" not in page
        assert rows_of(tmp_path / "s")[0]["iqm"] == ""


def test_one_seed_a_setting_gives_no_interval(tmp_path):
    one = {"agent.gamma": [0.9, 0.98, 0.99]}
    write_sweep(tmp_path / "s", one, lambda values: {100: 5.0, 200: 10 * values["agent.gamma"]})
    report_of([tmp_path / "s"])
    page = page_of(tmp_path / "s")
    assert "Each setting has a single seed, so there are no intervals" in page
    assert "95 % interval<" not in page and "best?" not in page and "is the best in" not in page
    assert all(
        row["iqm_low"] == row["probability_of_being_best"] == "" for row in rows_of(tmp_path / "s")
    )


def test_runs_of_unequal_length_are_told(tmp_path):
    ends = {0: 200, 1: 250, 2: 300}
    write_sweep(tmp_path / "s", {"seed": [0, 1, 2]}, lambda v: {100: 5.0, ends[v["seed"]]: 9.0})
    report_of([tmp_path / "s"])
    assert "have different lengths, 200 to 300 steps" in page_of(tmp_path / "s")


def test_the_command_that_makes_it_again_can_be_typed(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    report_of([tmp_path / "s"])
    line = "python -m dqn_exp.train -m agent.gamma=0.9,0.99 agent.epsilon=0.1,0.05,0.2 "
    line += "seed=0,1,2,3,4 hydra/launcher=x"
    assert f"```bash\n{line}\n```" in lines_of(tmp_path / "s")


def test_pictures_of_an_earlier_report_are_taken_away(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    report_of([tmp_path / "s"])
    for path in (tmp_path / "s").glob("*epsilon=0.[12]*"):
        shutil.rmtree(path)
    (tmp_path / "s/report/plots/notes.txt").write_text("mine")
    jobs = (tmp_path / "s/jobs.jsonl").read_text().splitlines()
    kept = [line for line in jobs[1:] if json.loads(line)["swept"]["agent.epsilon"] == "0.05"]
    jobs[1:] = kept
    (tmp_path / "s/jobs.jsonl").write_text("\n".join(jobs) + "\n")
    report_of([tmp_path / "s"])
    found = {path.name for path in (tmp_path / "s/report/plots").iterdir()}
    assert "notes.txt" in found and "curves.png" in found
    assert not any("epsilon" in name for name in found)


def test_what_users_name_their_values_is_text_and_nothing_else(tmp_path):
    values = {"env.id": ["<script>alert(1)</script>", "a|b"], "seed": [0, 1]}
    write_sweep(tmp_path / "s", values, lambda values: {100: 5.0})
    report_of([tmp_path / "s"])
    assert "<script>alert" not in page_of(tmp_path / "s")
    assert "&lt;script&gt;alert" in page_of(tmp_path / "s") and "a\\|b" in lines_of(tmp_path / "s")


def test_the_threshold_is_that_of_the_environment_unless_it_is_told(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0, 1]}, lambda values: {100: 150.0, 200: 196.0})
    report_of([tmp_path / "s"])
    assert rows_of(tmp_path / "s")[0]["steps_to_threshold"] == "200.0"
    assert "steps to 195" in page_of(tmp_path / "s")
    report_of([tmp_path / "s"], threshold=120)
    assert rows_of(tmp_path / "s")[0]["steps_to_threshold"] == "100.0"


def test_the_command_writes_the_report_and_says_where_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    report.main(["s", "--threshold", "50"])
    assert capsys.readouterr().out == "The report is in s/report/index.html.\n"
    with pytest.raises(SystemExit) as ended:
        report.main(["nothing"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{tmp_path}/nothing: expected the directory") and said.count("\n") == 1
    assert not (tmp_path / "nothing").exists()


def test_a_comparison_overlays_runs_and_sweeps(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_sweep(tmp_path / "a", SWEPT, returns_of)
    write_single(tmp_path / "b", {100: 5.0, 300: 200.0}, agent__n_step=3)
    compare.main(["a", "b", "--output", "c"])
    assert capsys.readouterr().out == "The comparison is in c/index.html.\n"
    page = (tmp_path / "c/index.html").read_text()
    assert "The best of 7 settings is b, gamma=0.98, epsilon=0.01, with a final" in page
    assert "1 in a; 3 in b" in page
    assert "python -m dqn_exp.train agent.n_step=3" in page
    compare.main(["a", "b"])
    where = r"The comparison is in outputs/comparisons/.+/index.html"
    assert re.match(where, capsys.readouterr().out)
    with pytest.raises(ConfigError, match="given twice"):
        write_report([tmp_path / "a", tmp_path / "a"], tmp_path / "d", compares=True)
    assert not (tmp_path / "d").exists()


def test_runs_without_a_list_of_jobs_are_told_apart_by_their_configs(tmp_path):
    for seed in range(3):
        for gamma in (0.5, 0.9):
            folder = tmp_path / f"s/{gamma}/{seed}"
            write_single(folder, {100: gamma}, seed=seed, agent__gamma=gamma)
    report_of([tmp_path / "s"])
    rows = rows_of(tmp_path / "s")
    assert [(row["agent.gamma"], row["n"]) for row in rows] == [("0.9", "3"), ("0.5", "3")]


def test_a_folder_of_sweeps_is_refused(tmp_path):
    for name in "ab":
        write_sweep(tmp_path / name, {"seed": [1]}, lambda values: {100: 5.0})
    with pytest.raises(ConfigError, match="holds 2 sweeps; expected the directory of one"):
        report_of([tmp_path])
    with pytest.raises(ConfigError, match="is inside"):
        write_report([tmp_path / "a", tmp_path / "a/0_seed=1"], tmp_path / "c", compares=True)
    assert not (tmp_path / "report").exists() and not (tmp_path / "c").exists()


def test_a_seed_counts_once(tmp_path):
    for name in "ab":
        write_sweep(tmp_path / name, SWEPT, returns_of)
    report_of([tmp_path / "a", tmp_path / "b"])
    assert {row["n"] for row in rows_of(tmp_path / "a")} == {"5"}
    assert "Ignored: 30 runs with a seed that another run" in lines_of(tmp_path / "a")
    swept = {"num_threads": [1, 2], "seed": [0, 1]}
    write_sweep(tmp_path / "c", swept, lambda values: {100: 5.0 + values["seed"]})
    report_of([tmp_path / "c"])
    assert [row["n"] for row in rows_of(tmp_path / "c")] == ["2", "2"]


SCORES = {0.9: [10, 20, 30, 40, 50], 0.98: [45, 60, 70, 80, 200], 0.99: [5, 20, 35, 45, 48]}


def test_what_is_said_of_the_best_is_what_its_numbers_say(tmp_path):
    swept = {"agent.gamma": list(SCORES), "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda v: {100: float(SCORES[v["agent.gamma"]][v["seed"]])})
    report_of([tmp_path / "s"])
    text, rows = lines_of(tmp_path / "s"), rows_of(tmp_path / "s")
    assert [row["agent.gamma"] for row in rows] == ["0.98", "0.99", "0.9"]
    best = SCORES[0.98]
    for gamma in (0.99, 0.9):
        wins = np.mean([(a > b) + 0.5 * (a == b) for a in best for b in SCORES[gamma]])
        assert f"- over gamma={gamma}: {wins:.2f} [" in text
    share = 100 * float(rows[0]["probability_of_being_best"])
    assert f"It ranks first in {share:.0f} % of resamples" in text and share > 90
    p = naive_mann_whitney_p(best, SCORES[0.99])
    assert p < 0.05 and f"(Mann-Whitney p = {p:.2g})." in text and "not significant" not in text


def test_settings_that_cannot_be_told_apart_are_not_told_apart(tmp_path):
    scores = {0.9: [10, 20, 30, 40, 50], 0.98: [15, 25, 35, 45, 55]}
    swept = {"agent.gamma": list(scores), "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda v: {100: float(scores[v["agent.gamma"]][v["seed"]])})
    report_of([tmp_path / "s"])
    assert "the difference is not significant (Mann-Whitney p = 0.69)" in lines_of(tmp_path / "s")
    few = {"agent.gamma": list(SCORES), "seed": range(3)}
    write_sweep(tmp_path / "t", few, lambda v: {100: 100 * v["agent.gamma"] + v["seed"] / 10})
    report_of([tmp_path / "t"])
    # All pairs are won, and yet three seeds tell nothing beyond chance.
    assert "1.00 [0.50, 1.00]; the difference is not significant" in lines_of(tmp_path / "t")
    assert "ranks first" not in lines_of(tmp_path / "t")


def test_ties_and_different_environments_have_no_winner(tmp_path):
    swept = {"agent.gamma": [0.9, 0.98, 0.99], "seed": [0, 1]}
    write_sweep(tmp_path / "s", swept, lambda v: {100: 9.0 if v["agent.gamma"] < 0.99 else 8.0})
    report_of([tmp_path / "s"])
    said = "Of 3 settings, 2 share the highest final return of 9 [9, 9]: gamma=0.9; gamma=0.98."
    assert said in lines_of(tmp_path / "s")
    envs = {"env.id": ["CartPole-v1", "Acrobot-v1"], "seed": [0, 1]}
    write_sweep(tmp_path / "e", envs, lambda v: {100: 9.0 if "Cart" in v["env.id"] else -80.0})
    report_of([tmp_path / "e"])
    assert "different environments, whose returns cannot be compared" in lines_of(tmp_path / "e")


def test_a_best_setting_whose_runs_have_failed_is_told_so(tmp_path):
    def status(values) -> str:
        return "diverged" if values["agent.gamma"] == 0.9 and values["seed"] else "completed"

    write_sweep(
        tmp_path / "s",
        {"agent.gamma": [0.9, 0.98], "seed": range(4)},
        lambda values: {
            50: 9e9 if status(values) == "diverged" else 1.0,
            100: 200.0 if values["agent.gamma"] == 0.9 else 100.0,
        },
        status,
    )
    report_of([tmp_path / "s"])
    text = lines_of(tmp_path / "s")
    assert "The best of 2 settings is gamma=0.9, with a final return of 200 (one seed)" in text
    assert "3 of its 4 runs failed or have not ended, and are not counted." in text
    sources = read_sources([tmp_path / "s"])
    setting = make_settings(sources[0].runs, ["agent.gamma"], None)[0]
    assert make_curve(setting).returns.value.max() == 200  # What has diverged is not in it.


def test_sensitivities_resample_within_settings(tmp_path):
    swept = {"agent.gamma": [0.9], "agent.epsilon": [0.1, 0.2], "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda values: {100: 1_000 * values["agent.epsilon"]})
    settings = make_settings(read_sources([tmp_path / "s"])[0].runs, ["agent.epsilon"], None)
    found = marginal(settings)
    # Each setting is sure of itself; resampled together, the share of each would vary.
    assert (found.value, found.low, found.high) == (150, 150, 150)


def test_a_profile_is_the_share_of_runs_above_a_return():
    points, heights = profile(np.array([3.0, 1.0, 2.0, 2.0]))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        place = np.searchsorted(points, value, side="right") - 1
        found = 1.0 if place < 0 else heights[place]
        assert found == np.mean(np.array([3.0, 1.0, 2.0, 2.0]) > value)


def test_the_command_names_the_folder_of_configs(tmp_path):
    write_single(tmp_path / "r", {100: 5.0}, seed=3)
    hydra = {
        "overrides": {"task": ["seed=3"], "hydra": ["hydra.mode=RUN", "hydra.run.dir=r"]},
        "job": {"config_name": "other"},
        "runtime": {
            "config_sources": [
                {"path": "hydra.conf", "provider": "hydra"},
                {"path": "/my conf", "provider": "command-line"},
            ]
        },
    }
    (tmp_path / "r/.hydra/hydra.yaml").write_text(yaml.safe_dump({"hydra": hydra}))
    report_of([tmp_path / "r"])
    line = "python -m dqn_exp.train --config-dir '/my conf' --config-name other seed=3"
    assert f"```bash\n{line}\n```" in lines_of(tmp_path / "r")


def test_what_others_have_put_there_stays(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    (tmp_path / "c/plots").mkdir(parents=True)
    (tmp_path / "c/plots/thesis.png").write_text("mine")
    for _ in range(2):
        write_report([tmp_path / "s"], tmp_path / "c", compares=True)
        assert (tmp_path / "c/plots/thesis.png").read_text() == "mine"
    (tmp_path / "c/index.html").write_text("<h1>My page</h1>")
    with pytest.raises(ConfigError, match="is not a report of dqn_exp"):
        write_report([tmp_path / "s"], tmp_path / "c", compares=True)
    assert (tmp_path / "c/index.html").read_text() == "<h1>My page</h1>"


@pytest.mark.parametrize("value", ["a$\\b$", "_old", "x" * 80, "\u00e9\u4e2d"])
def test_values_of_any_letters_are_drawn(tmp_path, value):
    write_sweep(tmp_path / "s", {"device": [value, "b"], "seed": [0, 1]}, lambda v: {100: 5.0})
    report_of([tmp_path / "s"])
    assert value in lines_of(tmp_path / "s")


def test_damaged_files_are_named(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0, 1]}, lambda values: {100: 5.0})
    path = tmp_path / "s/0_seed=0/evaluations.csv"
    for rows in ("10,0,x,5.0,5\n", "10,0,3,5.0\n"):
        path.write_text(f"step,episode,seed,return,length\n{rows}")
        said = r"0_seed=0/evaluations\.csv: expected rows of 5 numbers"
        with pytest.raises(ConfigError, match=said):
            report_of([tmp_path / "s"])


def test_a_sweep_ends_with_a_report_unless_it_is_not_wanted(command, tmp_path):  # noqa: F811
    sweep = ("-m", "seed=1,2", "agent.gamma=0.9,0.99")
    ended = command(*sweep, "hydra.sweep.dir=s", "report=true")
    where = "The report is in s/report/index.html. View the runs with: tensorboard --logdir s"
    assert ended.status == 0 and ended.out.splitlines()[-1].endswith(where)
    assert {row["n"] for row in rows_of(tmp_path / "s")} == {"2"}
    returns = {row["agent.gamma"]: float(row["mean"]) for row in rows_of(tmp_path / "s")}
    for gamma, mean in returns.items():
        rows = [row for row in table_of(tmp_path / "s") if row["agent.gamma"] == gamma]
        assert mean == pytest.approx(np.mean([float(row["objective"]) for row in rows]))
    command(*sweep, "hydra.sweep.dir=t")  # With report=false.
    assert not (tmp_path / "t/report").exists()


def test_a_report_that_cannot_be_written_costs_the_sweep_nothing(command, tmp_path, monkeypatch):  # noqa: F811
    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr("dqn_exp.analysis.report.write_report", fail)
    ended = command("-m", "seed=1,2", "hydra.sweep.dir=s", "report=true")
    assert ended.status == 0 and "The report could not be written" in ended.out
    assert {row["status"] for row in table_of(tmp_path / "s")} == {"completed"}


def test_a_sweep_whose_runs_fail_and_one_that_is_resumed_have_their_reports(
    command, tmp_path, monkeypatch, capsys  # noqa: F811
):  # fmt: skip
    ended = command(
        "-m", "seed=1,2", "agent.learning_rate=1e-3,1e30", "hydra.sweep.dir=s", "report=true"
    )
    assert ended.status == 1 and "2 runs failed or diverged." in page_of(tmp_path / "s")
    shutil.rmtree(tmp_path / "s/report")
    done = subprocess.run(
        [sys.executable, "-m", "dqn_exp.resume", "s"],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 1 and "2 runs failed or diverged." in page_of(tmp_path / "s"), done


def test_values_of_a_search_are_drawn_on_an_axis_of_numbers(tmp_path):
    rates = [10 ** (-5 + place / 10) for place in range(30)]
    swept = {"agent.learning_rate": rates, "agent.gamma": [0.9]}
    write_sweep(
        tmp_path / "s", swept, lambda values: {100: -abs(values["agent.learning_rate"] - 1e-3)}
    )
    sources = read_sources([tmp_path / "s"])
    keys = ["agent.learning_rate", "agent.gamma"]
    settings = make_settings(sources[0].runs, keys, None)
    plots = {plot.name: plot for plot in make_plots(settings, keys, None)}
    assert set(plots) == {"curves", "sensitivity_learning-rate", "sensitivity_gamma", "profiles"}
    with drawn(plots["sensitivity_learning-rate"], LIGHT) as figure:
        (axes,) = figure.axes
        (dots,) = axes.collections
        found = dots.get_offsets()
        assert axes.get_xscale() == "log" and len(found) == 30
        best = found[np.argmax(found[:, 1]), 0]
        assert best == pytest.approx(1e-3, rel=0.01)
