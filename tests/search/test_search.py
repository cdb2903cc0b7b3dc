"""Searches, from the command to the files that they leave."""

import json
import re
import shutil
import subprocess
import sys

import numpy as np
import optuna
import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from dqn_exp.analysis.statistics import statistic_of
from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.core.errors import ConfigError, RunError
from dqn_exp.files.job_list import read_job_list
from dqn_exp.search.search import Search
from dqn_exp.training import preflight
from tests.command import files_below, run_apart, run_here, table_of

pytestmark = pytest.mark.xdist_group("search")

TINY = [
    *("-m", "experiment=smoke", "hydra/sweeper=search", "hydra.sweep.dir=s"),
    *("trainer.total_steps=1500", "trainer.total_episodes=null", "eval.every_steps=250"),
    *("eval.episodes=3", "checkpoint.every_steps=100", "env.max_episode_steps=60"),
    *("num_threads=1", "log.progress=false", "report=false"),
    *("hydra.sweeper.n_trials=6", "hydra.sweeper.seeds=3", "hydra.sweeper.finalists=0"),
    "hydra.sweeper.statistic=min",
    *("agent.learning_rate=tag(log,interval(1e-5,1e-2))", "agent.target_update_period=range(1,50)"),
]


def study_in(directory):
    backend = JournalFileBackend(str(directory / "study.journal"))
    return optuna.load_study(study_name="search", storage=JournalStorage(backend))


def trials_in(directory):
    return [
        (one.number, one.params, one.values, one.state.name, one.intermediate_values)
        for one in study_in(directory).trials
    ]


@pytest.fixture
def search(tmp_path, monkeypatch, capsys):
    """Searches in this process, in a folder of the test."""

    def run(*arguments):
        return run_here([*TINY, *arguments], tmp_path, monkeypatch, capsys)

    return run


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    folder = tmp_path_factory.mktemp("searched")
    ended = run_apart([*TINY, "hydra.sweeper.finalists=2", "hydra.sweeper.fresh_seeds=4"], folder)
    assert ended.status == 0, ended
    return folder, ended


def results_of(folder, number, seeds=3):
    rows = table_of(folder / "s")[seeds * number : seeds * (number + 1)]
    return [json.loads((folder / "s" / row["dir"] / "result.json").read_text()) for row in rows]


def test_the_value_of_a_trial_is_the_statistic_of_its_runs(searched):
    folder, _ = searched
    trials = study_in(folder / "s").trials
    assert len(trials) == 6
    completed = [one for one in trials if one.state.name == "COMPLETE"]
    assert completed
    for trial in completed:
        scores = [result["objective"] for result in results_of(folder, trial.number)]
        assert trial.value == statistic_of(np.array(scores), "min")


def test_a_pruned_trial_ends_early_and_its_runs_say_so(searched):
    folder, _ = searched
    pruned = [one for one in study_in(folder / "s").trials if one.state.name == "PRUNED"]
    assert pruned
    for trial in pruned:
        results = results_of(folder, trial.number)
        assert {result["status"] for result in results} <= {"pruned", "completed"}
        assert any(result["status"] == "pruned" and result["steps"] < 1500 for result in results)
        assert all(r["objective"] is None for r in results if r["status"] == "pruned")


def test_all_trials_have_the_same_seeds_and_the_values_of_the_study(searched):
    folder, _ = searched
    rows = table_of(folder / "s")
    assert [row["seed"] for row in rows] == ["0", "1", "2"] * 6
    for trial in study_in(folder / "s").trials:
        for row in rows[3 * trial.number : 3 * trial.number + 3]:
            assert {key: str(value) for key, value in trial.params.items()}.items() <= row.items()


def test_intermediate_values_are_those_of_the_evaluations(searched):
    folder, _ = searched
    rows = table_of(folder / "s")
    for trial in study_in(folder / "s").trials:
        assert trial.intermediate_values
        for step, value in trial.intermediate_values.items():
            means = []
            for row in rows[3 * trial.number : 3 * trial.number + 3]:
                lines = (folder / "s" / row["dir"] / "evaluations.csv").read_text().splitlines()
                parts = [line.split(",") for line in lines[1:]]
                means.append(np.mean([float(one[3]) for one in parts if one[0] == str(step)]))
            assert value == statistic_of(np.array(means), "min")


def test_the_best_settings_are_confirmed_with_fresh_seeds(searched):
    folder, ended = searched
    confirmed = table_of(folder / "s/confirmation")
    assert {row["status"] for row in confirmed} == {"completed"}
    assert [row["seed"] for row in confirmed] == ["3", "4", "5", "6"] * 2
    completed = study_in(folder / "s").get_trials(states=[optuna.trial.TrialState.COMPLETE])
    ordered = sorted(completed, key=lambda one: one.value, reverse=True)
    # Among equals, any may be first.
    best = [json.dumps(one.params) for one in ordered if one.value >= ordered[1].value]
    for row in confirmed:
        params = {
            "agent.learning_rate": float(row["agent.learning_rate"]),
            "agent.target_update_period": int(row["agent.target_update_period"]),
        }
        assert json.dumps(params) in best
    heading = "Best settings, confirmed with fresh seeds, by the IQM of their final returns, with"
    assert heading in ended.out


def test_it_ends_with_its_best_trials(searched):
    _, ended = searched
    counts = re.search(r"6 trials: (\d) completed, (\d) pruned.", ended.out)
    assert counts and int(counts[1]) + int(counts[2]) == 6
    assert re.search(
        r"1\. trial \d: \d+\.\d \(min of 3 seeds\) with agent.learning_rate=", ended.out
    )


def test_more_trials_are_added_to_a_search_that_has_ended(searched, resumed, tmp_path):
    folder, _ = searched
    subprocess.run(["cp", "-r", str(folder / "s"), str(tmp_path)], check=True)
    before = trials_in(tmp_path / "s")
    shutil.rmtree(tmp_path / "s/confirmation")
    custom = "tests.training.test_custom"
    names = [f"{custom}:{name}" for name in ("Recorder", "Clumsy") * 2]  # Two lines of YAML.
    changes = (f"callbacks=[{','.join(names)}]", "report=no")
    ended = resumed("s", "hydra.sweeper.n_trials=8", "hydra.sweeper.finalists=0", *changes)
    assert ended.status == 0, ended
    after = trials_in(tmp_path / "s")
    assert after[:6] == before and len(after) == 8
    assert [job.config["callbacks"] for job in read_job_list(tmp_path / "s")[1]][-1] == names
    assert len(table_of(tmp_path / "s")) == 24
    again = resumed("s", "hydra.sweeper.finalists=0", "report=no")  # Of 6 trials, as before.
    assert again.status == 0 and len(trials_in(tmp_path / "s")) == 8, again


def test_a_trial_does_not_fail_for_memory_that_another_program_has_taken(
    search, tmp_path, monkeypatch
):
    begin = Search._begin

    def begin_later(self, *arguments):
        monkeypatch.setattr(preflight, "usable_memory", lambda device: 1.0)
        return begin(self, *arguments)

    monkeypatch.setattr(Search, "_begin", begin_later)
    ended = search("hydra.sweeper.n_trials=2", "hydra.sweeper.seeds=1")
    assert ended.status == 0, ended
    assert {trial.state.name for trial in study_in(tmp_path / "s").trials} <= {"COMPLETE", "PRUNED"}


def test_a_search_with_configs_of_its_own_goes_on_with_them(search, resumed, tmp_path):
    shutil.copytree(conf_dir(), tmp_path / "own")
    smoke = tmp_path / "own/experiment/smoke.yaml"
    smoke.write_text(smoke.read_text() + "seed: 0\nname: mine\n")
    few = ("hydra.sweeper.n_trials=1", "hydra.sweeper.seeds=1")
    ended = search("--config-path", str(tmp_path / "own"), *few)
    assert ended.status == 0, ended
    again = resumed("s", "hydra.sweeper.n_trials=2", "report=no")
    assert again.status == 0 and len(trials_in(tmp_path / "s")) == 2, again
    configs = [job.config for job in read_job_list(tmp_path / "s")[1]]
    assert [config["name"] for config in configs] == ["mine"] * 2


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (RunError("Run 3 failed."), 1, "Run 3 failed."),
        (KeyboardInterrupt(), 130, "Interrupted. Resume with: python -m dqn_exp.resume s"),
    ],
)
def test_a_confirmation_that_does_not_end_leaves_the_search_with_its_report(
    searched, resumed, tmp_path, monkeypatch, error, status, line
):
    def confirm(*arguments):
        raise error

    def write(*arguments):
        reported.append(arguments)
        return tmp_path / "page"

    reported = []
    monkeypatch.setattr("dqn_exp.search.sweeper.confirm_finalists", confirm)
    monkeypatch.setattr("dqn_exp.analysis.report.write_report", write)
    subprocess.run(["cp", "-r", str(searched[0] / "s"), str(tmp_path)], check=True)
    ended = resumed("s", "report=true")
    assert ended.status == status and ended.err.splitlines()[-1] == line, ended
    assert len(reported) == (status == 1)


def test_a_confirmation_has_the_changes_of_the_resumed_search(searched, resumed, tmp_path):
    subprocess.run(["cp", "-r", str(searched[0] / "s"), str(tmp_path)], check=True)
    shutil.rmtree(tmp_path / "s/confirmation")
    few = ("hydra.sweeper.finalists=1", "hydra.sweeper.fresh_seeds=2")
    ended = resumed("s", *few, "hydra.launcher.max_population_size=1", "log.every_steps=77")
    assert ended.status == 0 and "Training 2 runs as 2 populations." in ended.out, ended
    for page in (tmp_path / "s/confirmation").glob("*/.hydra/config.yaml"):
        assert "every_steps: 77" in page.read_text()


def test_a_confirmation_that_cannot_begin_leaves_the_search_complete(
    searched, resumed, tmp_path, monkeypatch
):
    def refuse(*arguments):
        raise ConfigError(["hydra.launcher: there is no sbatch."])

    subprocess.run(["cp", "-r", str(searched[0] / "s"), str(tmp_path)], check=True)
    shutil.rmtree(tmp_path / "s/confirmation")
    monkeypatch.setattr("dqn_exp.search.finalists.confirm", refuse)
    ended = resumed("s", "report=no")
    line = "The confirmation cannot begin: hydra.launcher: there is no sbatch."
    assert ended.status == 1 and ended.err.splitlines()[-1] == line, ended


def test_a_search_depends_on_nothing_but_its_seed(searched, search, tmp_path):
    folder, _ = searched
    ended = search()
    assert ended.status == 0, ended
    assert trials_in(tmp_path / "s") == trials_in(folder / "s")


def test_a_trial_that_diverges_is_a_failed_one(search, tmp_path):
    bad = "agent.learning_rate=choice(1e-3,1e30)"
    ended = search(bad, "hydra.sweeper.sampler=random")
    assert ended.status == 0, ended
    states = {
        one.params["agent.learning_rate"]: one.state.name for one in study_in(tmp_path / "s").trials
    }
    assert states["1e+30"] == "FAIL" and states["0.001"] != "FAIL"
    assert {row["status"] for row in table_of(tmp_path / "s")} >= {"diverged"}


def test_a_sampler_whose_package_is_missing_is_refused(search, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    ended = search("hydra.sweeper.sampler=cmaes")
    assert ended.status != 0 and not files_below(tmp_path)
    assert "pip install 'dqn-exp[search]'" in ended.err and "Traceback" not in ended.err


def test_a_search_without_a_completed_trial_has_failed(search):
    ended = search("agent.learning_rate=1e30", "hydra.sweeper.n_trials=1")
    assert ended.status == 1 and "No trial has completed." in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["agent.gamma=interval(0.5,1.5)"], r"got 1.5. \(agent.learning.*agent.gamma=1.5 seed=0\)"),
        (["agent.gama=interval(0,1)"], "agent.gama: unknown key"),
        (["hydra.sweeper.seeds=0"], "hydra.sweeper.seeds: .* got 0."),
        (["hydra.sweeper.trials=3"], "trials"),
        (["seed=range(3)"], "seed: .* set hydra.sweeper.seeds instead."),
        (["trainer.total_steps=null", "trainer.total_episodes=5"], "trainer.total_steps: expected"),
        (["eval.every_steps=null"], "eval.every_steps: .* or hydra.sweeper.pruner=none."),
        (["eval.episodes=range(1,3)"], "eval.episodes: expected one value"),
        (["hydra/launcher=basic"], "hydra/launcher: a search needs"),
    ],
)
def test_bad_input_is_refused_before_anything_is_created(arguments, message, search, tmp_path):
    ended = search(*arguments)
    assert ended.status == 2 and re.search(message, ended.err), ended
    told = [line for line in ended.err.splitlines() if "the last value is used" not in line]
    assert len(told) == 1
    assert not files_below(tmp_path)


def test_a_search_that_was_moved_goes_on_in_its_directory(searched, tmp_path, monkeypatch, resumed):
    folder, _ = searched
    shutil.copytree(folder / "s", tmp_path / "moved")
    before = files_below(folder)
    ended = resumed("moved", "hydra.sweeper.n_trials=7")
    assert ended.status == 0, ended
    assert files_below(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["moved"]
    assert len(table_of(tmp_path / "moved")) == 21
    # Its confirmation was complete, and stays so.
    assert "8 of 8 runs completed." in ended.out
    assert "Not confirmed again: " in ended.out and "moved/confirmation" in ended.out
    assert "8 of 8 runs completed." in resumed("moved/confirmation").out
    assert "Not confirmed" not in resumed("moved", "hydra.sweeper.finalists=2").out
    for change in ("finalists=1", "fresh_seeds=3"):
        assert "Not confirmed again: " in resumed("moved", f"hydra.sweeper.{change}").out
    run = table_of(tmp_path / "moved")[0]["dir"]
    refused = resumed(f"moved/{run}")
    assert refused.status == 2 and "a run of a search; resume the search" in refused.err


def test_values_that_exclude_each_other_are_a_failed_trial(search, tmp_path):
    exclusive = ("agent/target=greedy,munchausen", "agent.n_step=1,3", "engine=torch")
    few = ("trainer.total_steps=500", "hydra.sweeper.sampler=random", "hydra.sweeper.seeds=1")
    ended = search(*exclusive, *few)
    assert ended.status == 0, ended
    for trial in study_in(tmp_path / "s").trials:
        is_bad = (
            trial.params["agent/target"] == "munchausen" and trial.params["agent.n_step"] == "3"
        )
        assert (trial.state.name == "FAIL") == is_bad
    assert re.search(r"Trial \d has failed: .*munchausen", ended.out)


def test_a_dry_run_tells_what_would_be_done(searched, resumed):
    folder, _ = searched
    before = files_below(folder)
    ended = resumed(str(folder / "s"), "--dry-run", "hydra.sweeper.n_trials=9")
    assert ended.status == 0 and files_below(folder) == before
    counts, further = ended.out.splitlines()
    assert counts.startswith("6 trials: ") and further == "Up to 3 further trials would begin."


def test_a_resumed_search_keeps_what_its_trials_depend_on(searched, resumed):
    folder, _ = searched
    before = files_below(folder)
    for arguments, message in (
        (["hydra.sweeper.seeds=4"], "hydra.sweeper.seeds: would change the trials"),
        (["agent.gamma=0.5"], "agent.gamma: would change the results"),
        (["trainer.total_steps=9000"], "expected one of hydra/launcher, hydra.launcher.*, device"),
        (["num_threads=-1"], "num_threads: expected at least"),
        (["--retry-failed"], "--retry-failed: a search does not repeat trials"),
    ):
        for options in ([], ["--dry-run"]):
            ended = resumed(str(folder / "s"), *arguments, *options)
            assert ended.status == 2 and message in ended.err, ended
            assert "trainer.total_steps, trainer.total_episodes" not in ended.err
            if "expected one of" in ended.err:
                assert "hydra.sweeper.n_trials, hydra.sweeper.timeout" in ended.err
    assert files_below(folder) == before


def test_workers_take_trials_and_prune_them(tmp_path):
    workers = ("hydra/launcher=population_processes", "hydra.launcher.num_workers=2")
    ended = run_apart([*TINY, *workers], tmp_path)
    assert ended.status == 0, ended
    trials = study_in(tmp_path / "s").trials
    assert [one.number for one in trials] == list(range(6))
    assert {one.state.name for one in trials} == {"COMPLETE", "PRUNED"}
    for trial in trials:
        statuses = {result["status"] for result in results_of(tmp_path, trial.number)}
        assert ("pruned" in statuses) == (trial.state.name == "PRUNED")
        if trial.state.name == "COMPLETE":
            scores = [result["objective"] for result in results_of(tmp_path, trial.number)]
            assert trial.value == statistic_of(np.array(scores), "min")


@pytest.mark.parametrize(
    "pruner",
    [
        pytest.param(one, marks=pytest.mark.slow)
        for one in ("hyperband", "median", "none", "wilcoxon")
    ],
)
def test_every_pruner_works(pruner, search, tmp_path):
    ended = search(f"hydra.sweeper.pruner={pruner}", "hydra.sweeper.n_trials=4")
    assert ended.status == 0, ended
    states = [one.state.name for one in study_in(tmp_path / "s").trials]
    assert len(states) == 4 and set(states) <= {"COMPLETE", "PRUNED"}
    if pruner == "none":
        assert set(states) == {"COMPLETE"}


@pytest.mark.slow
def test_a_search_that_is_killed_ten_times_ends_like_one_left_alone(tmp_path):
    longer = [
        *TINY,
        "trainer.total_steps=9000",
        "eval.every_steps=1500",
        "hydra.sweeper.n_trials=12",
    ]
    assert run_apart([*longer, "hydra.sweep.dir=alone"], tmp_path).status == 0
    rng, num_kills = np.random.default_rng(), 0
    command = [sys.executable, "-m", "dqn_exp.train", *longer]
    while True:
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL)
        try:
            process.wait(rng.uniform(3, 6) if num_kills < 10 else 120)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            num_kills += 1
        if (tmp_path / "s/jobs.jsonl").exists():
            command = [sys.executable, "-m", "dqn_exp.resume", "s"]
    assert process.returncode == 0 and num_kills >= 3
    assert trials_in(tmp_path / "s") == trials_in(tmp_path / "alone")
