"""A single run of the command."""

import json
import re

import pytest

from dqn_exp import watch
from dqn_exp.files import lock
from dqn_exp.files.lock import lock_directory
from tests import odd_envs  # noqa: F401  (Registers environments.)
from tests.command import files_below, table_of


def test_a_single_run_that_diverges_ends_with_status_1(command, tmp_path):
    ended = command("agent.learning_rate=1e30", "hydra.run.dir=r")
    assert ended.status == 1
    assert re.fullmatch(
        r"diverged: Loss or parameters not finite at step \d+\. See r/train\.log\.",
        ended.err.splitlines()[-1],
    )
    assert "Traceback" not in ended.err


def test_two_commands_never_mix_their_files(command, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.1)
    folder = tmp_path / "r"
    folder.mkdir()
    with lock_directory(folder, exclusive=True):
        ended = command("hydra.run.dir=r")
    assert ended.status == 2 and "r: another process trains in it." in ended.err
    assert list(folder.iterdir()) == []
    assert command("hydra.run.dir=r").status == 0
    before = files_below(tmp_path)
    assert command("hydra.run.dir=r", "agent.gamma=0.5").status == 2
    assert files_below(tmp_path) == before


def test_what_is_told_can_be_pasted_wherever_the_process_goes(command, tmp_path):
    ended = command('hydra.run.dir="a b"', "hydra.job.chdir=true")
    assert ended.status == 0
    assert "Results are in a b. View them with: tensorboard --logdir 'a b'" in ended.out


def test_a_failure_names_the_log_by_its_name(command, tmp_path):
    name = ("hydra.job.name=mine", "hydra.run.dir=r")
    ended = command("agent.learning_rate=1e30", *name)
    assert "See r/mine.log." in ended.err


def test_a_failed_episode_is_played_again(command, tmp_path, capsys):
    ended = command("env.id=OddNanReward-v0", "seed=3", "hydra.run.dir=r")
    line = ended.err.splitlines()[-1]
    found = re.fullmatch(
        r"failed: OddNanReward-v0: the reward is nan, at step 2 of (\w+ episode \d+) \(seed (\d+)\)"
        r"\. See r/train\.log\. Play it again with: python -m dqn_exp.watch r --failed",
        line,
    )
    assert ended.status == 1 and found, line
    with pytest.raises(SystemExit) as caught:
        watch.main(["r", "--failed"])
    out, err = capsys.readouterr()
    assert caught.value.code == 1 and "InterfaceError: the reward is nan" in err
    assert f"{found[1].capitalize()} (seed {found[2]}). OddNanReward-v0: the reward is nan." in out
    assert len(out.splitlines()) == 5  # A title, a blank, a header, and two steps.
    assert out.splitlines()[-1].split()[-2:] == ["nan", "failed"]
    assert "The environment fails again in this episode." in err


def test_the_other_runs_complete(command, tmp_path):
    """The first action of an episode ends the process where its seed is 0 or 1 modulo 8."""
    sweep = ("env.id=OddExits-v0", "seed=0,2,3", "eval.seed=5", "eval.episodes=1")
    ended = command("-m", *sweep, "trainer.total_episodes=2", "hydra.sweep.dir=s")
    assert ended.status == 1
    rows = table_of(tmp_path / "s")
    assert [row["status"] for row in rows] == ["failed", "completed", "failed"]


def test_a_sweep_without_job_logging_trains(command, tmp_path):
    ended = command("-m", "seed=1,2", "hydra/job_logging=disabled", "hydra.sweep.dir=s")
    assert ended.status == 0 and "2 of 2 runs completed." in ended.out


def test_a_log_in_a_folder_that_does_not_exist_is_refused(command, tmp_path):
    name = "hydra.job_logging.handlers.file.filename"
    ended = command(f"{name}={tmp_path}/none/x.log", "hydra.run.dir=r")
    line = f"{name}: expected a file in an existing folder, got {tmp_path}/none/x.log."
    assert ended.status == 2 and ended.err.strip() == line and not (tmp_path / "r").exists()


def test_an_environment_that_leaves_while_it_is_saved_ends_its_own_run_alone(command, tmp_path):
    sweep = ("env.id=OddStateExits-v0,OddCorridor-v0", "trainer.total_steps=40")
    ended = command("-m", *sweep, "hydra.sweep.dir=s")
    assert ended.status == 1
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["failed", "completed"]
    assert "state_dict of OddStateExits-v0 raised SystemExit: 0 (odd_envs.py" in ended.err


@pytest.mark.parametrize(("is_sweep", "name"), [(False, "mine"), (True, "2026/gammas")])
def test_a_name_is_that_of_the_directory(is_sweep, name, command, tmp_path):
    sweep = ("-m", "seed=1,2") if is_sweep else ()
    assert command(*sweep, f"name={name}").status == 0
    file = "sweep.csv" if is_sweep else "result.json"
    assert (tmp_path / "outputs" / name / file).exists()
    again = command(*sweep, f"name={name}")
    assert again.status == 2 and name in again.err


def test_a_name_stays_below_outputs(command, tmp_path):
    ended = command("name=../elsewhere")
    assert ended.status == 2 and not list(tmp_path.iterdir())
    assert ended.err == "name: expected a name such as gammas or 2026/gammas, got '../elsewhere'.\n"


def test_a_run_resumes_where_the_variables_of_its_command_are_not_set(
    command, resumed, tmp_path, monkeypatch
):
    monkeypatch.setenv("DQN_SEED", "3")
    own = ('seed="${oc.decode:${oc.env:DQN_SEED}}"', "agent.epsilon_start=${agent.epsilon}")
    own = (*own, "agent.epsilon_decay_steps=9", "trainer.total_steps=80", "hydra.run.dir=s")
    assert command(*own).status == 0
    page = (tmp_path / "s/.hydra/config.yaml").read_text()
    assert "seed: 3\n" in page and "epsilon_start: ${agent.epsilon}" in page
    monkeypatch.delenv("DQN_SEED")
    assert resumed("s", "trainer.total_steps=120").status == 0
    assert json.loads((tmp_path / "s/result.json").read_text())["steps"] == 120
