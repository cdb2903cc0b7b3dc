"""A run that was interrupted or killed goes on, and ends as if nothing had happened."""

import json
import random
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.util.tensor_util import make_ndarray

from dqn_exp import resume
from dqn_exp.config.schema import Config
from dqn_exp.files.checkpoint import NEWEST, PREVIOUS, REFUSED
from tests import probes
from tests.command import Ended, files_below, run_here
from tests.conftest import make_config, results_of, train_in_folders
from tests.files.test_checkpoint import Malicious
from tests.sweep.test_sweeper import SHORT, check_complete, table_of
from tests.switches import COVERING
from tests.training.test_population import make_runs

probes.register()

SETTINGS = {
    "agent__learning_starts": 30,
    "agent__batch_size": 8,
    "buffer__capacity": 120,
    "checkpoint__every_steps": 37,
    "env__max_episode_steps": 25,
    "eval__every_steps": 90,
    "eval__episodes": 2,
    "log__every_steps": 40,
    "network__hidden_sizes": [12],
    "trainer__total_steps": 200,
}


def make_folders(folder: Path, count: int) -> list[Path]:
    folders = [folder / str(index) for index in range(count)]
    for one in folders:
        one.mkdir(parents=True)
    return folders


def stop_after(num_ticks: int):
    count = iter(range(10**9))
    return lambda: next(count) >= num_ticks


def copy_after(num_ticks: int, source: Path, target: Path):
    """Copies what is on disk after some ticks: what a run that is killed then leaves behind."""
    count = iter(range(10**9))

    def should_stop() -> bool:
        if next(count) == num_ticks:
            shutil.copytree(source, target)
        return False

    return should_stop


def check_resumed(configs: list[Config], folder: Path, seed: int, latest_kill: int = 190) -> None:
    """Runs that are interrupted, and others that are killed, end with the same bytes."""
    dice = random.Random(seed)
    peace = make_folders(folder / "peace", len(configs))
    killed = folder / "killed"
    should_stop = copy_after(dice.randint(1, latest_kill), folder / "peace", killed)
    expected = train_in_folders(configs, peace, should_stop)
    assert {result.status for result in expected} == {"completed"}
    interrupted = make_folders(folder / "interrupted", len(configs))
    for num_ticks in (dice.randint(1, 80), 1, dice.randint(1, 80), 10**6):
        results = train_in_folders(configs, interrupted, stop_after(num_ticks))
    train_in_folders(configs, [killed / one.name for one in peace])
    for row, (one, result) in enumerate(zip(expected, results, strict=True)):
        for other in (interrupted[row], killed / str(row)):
            assert results_of(other) == results_of(peace[row])
        assert (result.status, result.objective, result.steps, result.episodes, result.updates) == (
            one.status, one.objective, one.steps, one.episodes, one.updates
        )  # fmt: skip
        assert not (interrupted[row] / PREVIOUS).exists()


@pytest.mark.parametrize("switches", COVERING, ids=str)
def test_resumed_equals_uninterrupted_for_every_ingredient(tmp_path, switches):
    configs = [
        switches.config(**{**SETTINGS, "seed": seed, "agent__train_every": 1 + seed})
        for seed in range(3)
    ]
    check_resumed(configs, tmp_path, seed=zlib.crc32(str(switches).encode()))


@pytest.mark.parametrize("env_id", ["ProbeWalk-v0", "ProbeCounting-v0"])
@pytest.mark.parametrize("n_step", [1, 3])
def test_the_same_where_an_open_episode_is_brought_back_by_its_actions(tmp_path, env_id, n_step):
    configs = [
        make_config(**{**SETTINGS, "seed": seed}, env__id=env_id, agent__n_step=n_step)
        for seed in range(2)
    ]
    check_resumed(configs, tmp_path, seed=n_step)


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_the_same_for_runs_that_differ_in_everything_they_may(tmp_path, engine):
    runs = make_runs(7, checkpoint__every_steps=20, engine=engine)
    check_resumed(runs, tmp_path, seed=5, latest_kill=110)


@pytest.mark.parametrize("buffer", ["uniform", "prioritized"])
@pytest.mark.parametrize("env_id", ["CartPole-v1", "MountainCar-v0"])
def test_the_same_in_compiled_code_with_all_that_it_knows(tmp_path, buffer, env_id):
    ingredients = {
        "agent__target": {"kind": "double"},
        "network__dueling": True,
        "agent__n_step": 3,
    }
    settings = {**SETTINGS, **ingredients, "network__activation": "tanh", "env__id": env_id}
    configs = [
        make_config(f"buffer={buffer}", **{**settings, "seed": seed}, engine="native")
        for seed in range(3)
    ]
    check_resumed(configs, tmp_path, seed=3)


def test_a_run_goes_on_with_the_engine_that_has_begun_it(command, resumed, tmp_path):
    """Also where engine=auto would choose the other now; unless it is asked for."""
    for name, overrides, expected in (("a", (), "torch"), ("b", ("engine=native",), "native")):
        begun = command(*SHORT, "trainer.total_steps=90", f"hydra.run.dir={name}", "engine=torch")
        assert begun.status == 0
        folder = tmp_path / name
        config = folder / ".hydra/config.yaml"
        config.write_text(config.read_text().replace("engine: torch", "engine: auto"))
        result = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps({**result, "status": "interrupted"}))
        assert resumed(name, *overrides).status == 0
        assert f"Engine {expected}" in (folder / "train.log").read_text().splitlines()[-3]


def test_the_same_with_normalized_observations_rmsprop_and_schedules(tmp_path):
    configs = [
        make_config(
            "agent/optimizer=rmsprop",
            **{**SETTINGS, "seed": seed},
            agent__normalize_observations=True,
            agent__epsilon_start=1.0,
            agent__epsilon_decay_steps=150,
            agent__learning_rate_end=1e-4,
            agent__learning_rate_decay_steps=150,
            agent__target_update_period=None,
            agent__target_update_tau=0.05,
            agent__max_grad_norm=0.5,
        )
        for seed in range(2)
    ]
    check_resumed(configs, tmp_path, seed=9)


def test_an_environment_that_tells_its_state_is_brought_back_by_it(tmp_path):
    limited = {**SETTINGS, "env__max_episode_steps": 9, "eval__every_steps": None}
    config = make_config(**limited, env__id="ProbeTelling-v0")
    peace, folder = make_folders(tmp_path, 2)
    train_in_folders([config], [peace])
    episodes = (peace / "episodes.csv").read_text()
    assert ",9,0\n" in episodes and ",1\n" in episodes  # Some are cut by the limit, some end.
    before = probes.Telling.num_restored
    for num_ticks in (101, 4, 4, 4, 10**6):
        (result,) = train_in_folders([config], [folder], stop_after(num_ticks))
    assert probes.Telling.num_restored == before + 4 and result.status == "completed"
    assert (folder / "episodes.csv").read_text() == episodes


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (RuntimeError("it is broken"), "RuntimeError: it is broken"),
        ({"cells": {1, 2}}, "TypeError: state for a checkpoint: expected mappings, .* got a set"),
    ],
)
def test_an_environment_that_cannot_tell_its_state_fails_its_run_alone(
    tmp_path, monkeypatch, told, message
):
    def state_dict(self):
        if self.count < 4:  # Which of the runs it is when they are saved, their seeds decide.
            return {}
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr(probes.Telling, "state_dict", state_dict)
    runs = [{**SETTINGS, "seed": seed, "env__id": "ProbeTelling-v0"} for seed in range(4)]
    configs = [make_config(**run, trainer__total_episodes=6) for run in runs]
    results = train_in_folders(configs, make_folders(tmp_path, 4))
    statuses = {result.status for result in results}
    assert statuses == {"completed", "failed"}
    assert all(re.match(message, one.error) for one in results if one.status == "failed")


def test_a_run_tells_where_it_stands_from_the_moment_it_goes_on(tmp_path):
    config = make_config(**{**SETTINGS, "checkpoint__every_steps": None})
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder], stop_after(100))
    first = json.loads((folder / "result.json").read_text())
    assert first["status"] == "interrupted" and first["steps"] == 100
    seen = []

    def should_stop() -> bool:
        seen.append(json.loads((folder / "result.json").read_text()))
        return False

    (folder / ".checkpoint.pt.99").write_bytes(b"left behind by a process that was killed")
    train_in_folders([config], [folder], should_stop)
    for name in ("steps", "episodes", "updates", "eval_return_mean"):
        assert seen[0][name] == first[name]
    assert seen[0]["status"] == "running" and not (folder / ".checkpoint.pt.99").exists()


def test_the_table_of_hyperparameters_hears_of_an_end_once(tmp_path):
    config = make_config(**SETTINGS)
    (folder,) = make_folders(tmp_path, 1)
    for num_ticks, is_told in ((60, False), (10**6, True)):
        train_in_folders([config], [folder], stop_after(num_ticks))
        newest = max(folder.glob("events.*"))
        assert (b"session_end_info" in newest.read_bytes()) == is_told


def test_where_neither_works_a_new_episode_begins_and_the_log_says_so(tmp_path, caplog):
    config = make_config(**SETTINGS, env__id="ProbeFickle-v0", agent__n_step=3)
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder], stop_after(103))
    episodes = (folder / "episodes.csv").read_text()
    with caplog.at_level("INFO"):
        (result,) = train_in_folders([config], [folder])
    assert "The current episode is lost, and a new one begins: repeating its" in caplog.text
    assert "not a function of seed and actions, and has no state_dict" in caplog.text
    assert result.status == "completed" and result.steps == 200
    later = (folder / "episodes.csv").read_text()
    assert later.startswith(episodes)
    # The first episode to end afterwards is the new one: it began at step 103.
    step, number, _, length, _ = later[len(episodes) :].splitlines()[0].split(",")
    assert int(step) - int(length) == 103 and int(number) == episodes.count("\n") - 1


def test_a_run_that_was_killed_after_its_last_checkpoint_just_ends(tmp_path):
    config = make_config(**SETTINGS)
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder])
    before, result = results_of(folder), json.loads((folder / "result.json").read_text())
    told = {**result, "status": "running", "objective": None, "eval_return_mean": None}
    (folder / "result.json").write_text(json.dumps(told))
    train_in_folders([config], [folder])
    after = json.loads((folder / "result.json").read_text())
    assert results_of(folder) == before
    assert {**after, "seconds": 0} == {**result, "seconds": 0}


def test_seconds_add_up(tmp_path):
    config = make_config(**SETTINGS)
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder], stop_after(100))
    told = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**told, "seconds": 1_000.0}))
    (result,) = train_in_folders([config], [folder])
    assert 1_000 < result.seconds < 1_100


def test_tensorboard_shows_one_curve_without_gaps_or_repetitions(tmp_path):
    config = make_config(**{**SETTINGS, "log__every_steps": 10})
    curves = {}
    for name, stops in {"peace": (), "resumed": (75, 1, 50)}.items():
        (folder,) = make_folders(tmp_path / name, 1)
        for num_ticks in stops:
            train_in_folders([config], [folder], stop_after(num_ticks))
        if stops:  # Killed after step 126 + 30, saved at 148: what came after is superseded.
            crash = copy_after(30, folder, tmp_path / "resumed" / "1")
            train_in_folders([config], [folder], crash)
            shutil.rmtree(folder)
            folder = (tmp_path / "resumed" / "1").rename(folder)
            (newest,) = sorted(folder.glob("events.*"))[-1:]
            content = newest.read_bytes()
            newest.write_bytes(content + content[:20])  # A record that was being written.
        train_in_folders([config], [folder])
        multiplexer = plugin_event_multiplexer.EventMultiplexer()
        multiplexer.AddRunsFromDirectory(str(tmp_path / name))
        multiplexer.Reload()
        assert list(multiplexer.Runs()) == ["0"]
        curves[name] = {
            tag: [
                (event.step, float(make_ndarray(event.tensor_proto)))
                for event in multiplexer.Tensors("0", tag)
            ]
            for tag in multiplexer.Runs()["0"]["tensors"]
            if not tag.startswith(("perf/", "config", "_hparams_", "custom_scalars"))
        }
        assert [step for step, _ in curves[name]["train/epsilon"]] == [*range(10, 201, 10)]
        assert len(multiplexer.Tensors("0", "config")) == 1
    assert repr(curves["peace"]) == repr(curves["resumed"])
    assert {"episode/return", "eval/return_mean", "train/loss"} <= curves["peace"].keys()


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    def run(*arguments: str) -> Ended:
        return run_here([*SHORT, *arguments], tmp_path, monkeypatch, capsys)

    return run


@pytest.fixture
def resumed(tmp_path, monkeypatch, capsys):
    def run(*arguments: str) -> Ended:
        monkeypatch.chdir(tmp_path)
        status = 0
        try:
            resume.main(arguments)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        return Ended(status, *capsys.readouterr())

    return run


def interrupt(run: Path, **changes: object) -> None:
    """Makes what a completed run has left look as if it had been killed before it was told."""
    result = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**result, "status": "running", **changes}))


def empty(run: Path) -> None:
    """Takes from a run all but what it has before it begins."""
    for path in run.iterdir():
        if path.name != ".hydra":
            path.unlink()


def test_a_sweep_goes_on_where_it_was(command, resumed, tmp_path):
    assert command("-m", "seed=1,2,3,4", "hydra.sweep.dir=s").status == 0
    shutil.copytree(tmp_path / "s", tmp_path / "peace")
    completed, saved, begun, pending = (
        tmp_path / "s" / row["dir"] for row in table_of(tmp_path / "s")
    )
    interrupt(saved)
    empty(begun)
    shutil.rmtree(pending)
    untouched = files_below(completed)
    dry = resumed("s", "--dry-run")
    assert dry.status == 0 and dry.out.splitlines() == [
        "skip   s/0_seed=1: completed",
        "resume s/1_seed=2, from step 160",
        "begin  s/2_seed=3",
        "begin  s/3_seed=4",
        "3 of 4 runs would be trained.",
    ]
    ended = resumed("s")
    assert ended.status == 0, ended
    assert "Training 3 of 4 runs." in ended.out and "4 of 4 runs completed." in ended.out
    assert files_below(completed) == untouched
    assert (tmp_path / "s/sweep.csv").read_bytes() == (tmp_path / "peace/sweep.csv").read_bytes()
    for row in table_of(tmp_path / "peace"):
        assert results_of(tmp_path / "s" / row["dir"]) == results_of(
            tmp_path / "peace" / row["dir"]
        )
    for name in ("config.yaml", "overrides.yaml"):
        theirs = tmp_path / "peace" / pending.name / ".hydra" / name
        assert (pending / ".hydra" / name).read_bytes() == theirs.read_bytes()
    again = resumed("s")
    assert again.status == 0 and "Training 0 of 4 runs." in again.out


def test_a_run_is_recognised_by_its_config_whatever_its_directory_is_called(
    command, resumed, tmp_path
):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    (tmp_path / "s/0_seed=1").rename(tmp_path / "s/swapped")
    (tmp_path / "s/1_seed=2").rename(tmp_path / "s/0_seed=1")
    (tmp_path / "s").rename(tmp_path / "moved")
    one = resumed("moved/swapped", "--dry-run")
    assert one.out.splitlines()[0] == "skip   moved/swapped: completed", one
    ended = resumed("moved")
    assert "Training 0 of 2 runs." in ended.out, ended
    assert [row["dir"] for row in table_of(tmp_path / "moved")] == ["swapped", "0_seed=1"]


def test_failed_and_diverged_runs_are_left_unless_they_are_to_be_tried_again(
    command, resumed, tmp_path
):
    command("-m", "agent.learning_rate=1e-3,1e30", "hydra.sweep.dir=s")
    left = resumed("s")
    assert left.status == 1
    assert left.err.startswith("Run 1 (agent.learning_rate=1e+30) diverged: Loss or")
    assert "python -m dqn_exp.resume s --retry-failed" in left.err
    dry = resumed("s", "--retry-failed", "--dry-run")
    assert "retry  s/1_learning_rate=1e+30, from step 0 (diverged:" in dry.out
    again = resumed("s", "--retry-failed")
    assert again.status == 1 and "Training 1 of 2 runs." in again.out
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["completed", "diverged"]
    log = (tmp_path / "s/1_learning_rate=1e+30/train.log").read_text()
    assert log.count("Diverged after") == 2


def test_a_single_run_and_one_run_of_a_sweep_go_on(command, resumed, tmp_path):
    command("seed=7", "hydra.run.dir=r")
    before = results_of(tmp_path / "r")
    interrupt(tmp_path / "r")
    ended = resumed("r")
    assert ended.status == 0 and results_of(tmp_path / "r") == before, ended
    assert "Results are in r. View them with: tensorboard --logdir r" in ended.out
    check_complete(tmp_path / "r")
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    for run in (tmp_path / "s").glob("*_*"):
        interrupt(run)
    assert resumed("s/1_seed=2").status == 0
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["interrupted", "completed"]


def test_the_log_goes_on_in_the_same_file(command, resumed, tmp_path):
    command("seed=7", "hydra.run.dir=r")
    interrupt(tmp_path / "r")
    resumed("r")
    log = (tmp_path / "r/train.log").read_text()
    assert "Resumes from the checkpoint at step 160." in log
    assert log.count("Completed after 160 steps") == 2


def test_starting_the_same_again_says_how_to_go_on(command, tmp_path):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    command("seed=1", "hydra.run.dir=r")
    before = files_below(tmp_path)
    for arguments, where in (
        (("-m", "seed=1,2", "hydra.sweep.dir=s"), "s"),
        (("seed=1", "hydra.run.dir=r"), "r"),
        (("-m", "seed=1,2", "hydra.sweep.dir=s", "hydra/sweeper=basic"), "s"),
    ):
        ended = command(*arguments)
        assert ended.status == 2 and f"python -m dqn_exp.resume {where}" in ended.err
        if "hydra/sweeper=basic" not in arguments:  # Hydra's own sweeper writes first.
            assert files_below(tmp_path) == before


def other_config(run: Path) -> None:
    shutil.copy(run.parent / "1_seed=2" / "result.json", run / "result.json")
    shutil.rmtree(run.parent / "1_seed=2")


def foreign_checkpoint(run: Path) -> None:
    shutil.copy(run.parent / "1_seed=2" / NEWEST, run / NEWEST)


def malicious_checkpoint(run: Path) -> None:
    import torch

    torch.save({"format": 3, "state": Malicious(f"touch {run.parent}/it_ran")}, run / NEWEST)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / NEWEST).write_bytes(b"no"), "expected a checkpoint of dqn_exp"),
        (malicious_checkpoint, "got a file with other objects, none of which was created"),
        (lambda run: (run / NEWEST).unlink(), "result.json reports 160 steps, but there is none"),
        (foreign_checkpoint, "it belongs to a run with another config"),
        (other_config, "result.json: expected the config_hash"),
        (lambda run: (run / "episodes.csv").unlink(), "episodes.csv: expected a file of at least"),
        (lambda run: (run / "evaluations.csv").write_text("step\n"), "rows are missing"),
        (lambda run: (run / "result.json").write_text("{"), "expected the result of a run"),
        (
            lambda run: (run / "episodes.csv").write_bytes(
                b"9" + (run / "episodes.csv").read_bytes()[1:]
            ),
            "differ from those of the last checkpoint",
        ),
        (
            lambda run: (run.parent / "jobs.jsonl").write_text("{}\n"),
            "expected the jobs of a sweep",
        ),
    ],
)
def test_a_directory_whose_files_do_not_fit_is_refused_with_the_reason(
    command, resumed, tmp_path, damage, message
):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    run = tmp_path / "s/0_seed=1"
    interrupt(run)
    damage(run)
    before = files_below(tmp_path)
    ended = resumed("s")
    assert ended.status == 2 and message in ended.err and "Traceback" not in ended.err, ended
    assert files_below(tmp_path) == before and not (tmp_path / "s/it_ran").exists()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, command, resumed):
    arguments = ("seed=1", "checkpoint.every_steps=50", "trainer.total_steps=240")
    command(*arguments, "hydra.run.dir=peace")
    config = make_config()
    assert config.checkpoint.every_steps == 1_000  # As shipped.
    command(*arguments, "hydra.run.dir=r", "checkpoint.every_steps=null")
    shutil.rmtree(tmp_path / "r")
    run = tmp_path / "r"
    from dqn_exp.training import trainer

    tick, ticks = trainer.Trainer.tick, []

    def ticking(self) -> None:
        tick(self)
        ticks.append(1)
        if len(ticks) == 130:
            self._save(range(len(self._records)))  # Whatever time there is.
        if len(ticks) == 170:
            self._save(range(len(self._records)))
            self._should_stop = lambda: True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.Trainer, "tick", ticking)
        assert command(*arguments, "hydra.run.dir=r").status == 130
    (run / NEWEST).write_bytes((run / NEWEST).read_bytes()[:-50])
    dry = resumed("r", "--dry-run")
    assert re.search(r"resume r, from step 170 \(.*checkpoint.pt: expected a checkpoint", dry.out)
    ended = resumed("r")
    assert ended.status == 0 and results_of(run) == results_of(tmp_path / "peace"), ended
    assert "A checkpoint is not used." in (run / "train.log").read_text()
    assert (run / REFUSED).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "expected the directory of a run or of a sweep"),
        (["s", "agent.gamma=0.5"], "agent.gamma: would change the results"),
        (["s", "hydra/launcher=ray"], "hydra/launcher=ray: expected one of population,"),
        (["s", "hydra.launcher.num_wrokers=3"], "hydra.launcher.num_wrokers: expected one of"),
        (["s", "hydra.launcher.max_population_size=0"], "expected at least 1, got 0"),
        (["s", "log.progres=true"], "log.progres: unknown key."),
        (["s", "device=cuda:99"], "device: expected a device of this machine"),
        (["s/unknown"], "it lists no run in unknown"),
    ],
)
def test_bad_input_is_told_in_a_line_and_nothing_changes(
    command, resumed, tmp_path, arguments, message
):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    interrupt(tmp_path / "s/0_seed=1")
    before = files_below(tmp_path)
    ended = resumed(*arguments)
    assert ended.status == 2 and message in ended.err, ended
    assert files_below(tmp_path) == before


def test_what_does_not_change_results_may_be_other_than_before(command, resumed, tmp_path):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    shutil.copytree(tmp_path / "s", tmp_path / "peace")
    for run in (tmp_path / "s").glob("*_*"):
        empty(run)
    ended = resumed("s", "log.tensorboard=false", "hydra.launcher.max_population_size=1")
    assert ended.status == 0 and "Training 2 runs as 2 populations." in ended.out, ended
    for run in (tmp_path / "s").glob("*_*"):
        assert not list(run.glob("events.*"))
        for name in ("episodes.csv", "evaluations.csv"):
            assert (run / name).read_bytes() == (tmp_path / "peace" / run.name / name).read_bytes()


def test_kills_at_random_moments_change_no_byte():
    script = Path(__file__).parent.parent.parent / "scripts" / "kill_and_resume.py"
    options = ["--kills", "4", "--steps", "700", "--longest", "6"]
    sweep = ["seed=0,1", "agent.n_step=1,3"]
    done = subprocess.run(
        [sys.executable, script, *options, *sweep],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 kills" in done.stdout.splitlines()[-1]
