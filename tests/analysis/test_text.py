"""What a report says about its runs."""

import json

import pytest
import yaml
from markupsafe import escape

from dqn_exp.analysis.comparable import make_groups
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.analysis.text import command_of, commands
from dqn_exp.files.job_list import JobEntry, begin_job_list
from tests.conftest import config_values
from tests.sweep_files import (
    SWEPT,
    lines_of,
    page_of,
    report_of,
    returns_of,
    rows_of,
    write_run,
    write_single,
    write_sweep,
)

pytestmark = pytest.mark.usefixtures("without_plots")


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


def test_one_seed_a_setting_gives_no_interval(tmp_path):
    one = {"agent.gamma": [0.9, 0.98, 0.99]}
    write_sweep(tmp_path / "s", one, lambda values: {100: 5.0, 200: 10 * values["agent.gamma"]})
    report_of([tmp_path / "s"])
    page = page_of(tmp_path / "s")
    assert "Each setting has a single seed, so there are no intervals" in page
    assert "95% interval<" not in page and "best?" not in page and "is the best in" not in page
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
    assert f"<pre>{escape(line)}</pre>" in page_of(tmp_path / "r")


def test_the_command_of_a_setting_has_only_keys_that_it_has(tmp_path):
    entries = []
    for number, name in enumerate(("uniform", "prioritized")):
        texts = {"buffer": name, "seed": "0", "agent.max_grad_norm": ""}
        config = config_values(f"buffer={name}", env__kwargs={"a": 1})
        entries.append(JobEntry(number, name, name, [], texts, {}, config))
        write_run(tmp_path / name, {100: 1.0})
    task = [
        *("buffer=uniform,prioritized", "buffer.priority_exponent=choice(0.5)"),
        *("agent.gamma=0.9", "experiment=smoke", "env.kwargs={a:1}"),
    ]
    begin_job_list(
        tmp_path, {"overrides": {"task": task, "hydra": ["hydra.verbose=true"]}}, entries
    )
    sources = read_sources([tmp_path])
    (group,) = make_groups(sources)
    commands = {one.values["buffer"]: command_of(one, sources) for one in group.settings}
    begin = "python -m dqn_exp.train"
    end = "agent.gamma=0.9 experiment=smoke 'env.kwargs={a:1}' hydra.verbose=true"
    assert commands == {
        "uniform": f"{begin} {end} buffer=uniform seed=0",
        "prioritized": f"{begin} buffer.priority_exponent=0.5 {end} buffer=prioritized seed=0",
    }


def test_the_commands_of_a_confirmation_repeat_it(tmp_path):
    swept = {"agent.gamma": [0.9, 0.98], "seed": [5, 6, 7]}
    write_sweep(tmp_path / "s/confirmation", swept, lambda values: {100: values["agent.gamma"]})
    path = tmp_path / "s/confirmation/jobs.jsonl"
    first, *rest = path.read_text().splitlines()
    head = json.loads(first)
    # As it is copied from the search.
    head["hydra"]["overrides"]["task"] = ["experiment=search_cartpole"]
    head["hydra"]["runtime"] = {"choices": {"hydra/sweeper": "search"}}
    path.write_text("\n".join([json.dumps(head), *rest]) + "\n")
    (source,) = read_sources([tmp_path / "s/confirmation"])
    (command,) = commands([source])
    assert command.endswith("/s --top 2 --seeds 3")
    assert command.startswith("python -m dqn_exp.confirm ")
    (group,) = make_groups([source])
    for setting in group.settings:
        gamma = setting.values["agent.gamma"]
        assert command_of(setting, [source]) == (
            "python -m dqn_exp.train -m experiment=search_cartpole hydra/launcher=x "
            f"hydra/sweeper=population agent.gamma={gamma} seed=5,6,7"
        )
