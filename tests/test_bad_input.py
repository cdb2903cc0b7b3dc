"""Bad input: one line a problem, status 2, nothing trained, no file or folder left or changed."""

import pytest

from tests.command import files_below, run_apart, run_here

# The arguments, and what the one line must say.
BAD = [
    # Keys and groups that do not exist.
    (["agent.gama=0.9"], "agent.gama: unknown key. Did you mean agent.gamma?"),
    (["+agent.gama=0.9"], "agent.gama: unknown key. Did you mean agent.gamma?"),
    (["++agent.gama=0.9"], "agent.gama: unknown key. Did you mean agent.gamma?"),
    (["gamma=0.9"], "gamma: unknown key. Did you mean agent.gamma?"),
    (["agnet.gamma=0.9"], "agnet.gamma: unknown key. Did you mean agent.gamma?"),
    (["agent=dnq"], "agent=dnq: expected dqn. Variants of it are options of agent/target,"),
    (["env=cartpol"], "env=cartpol: expected one of acrobot, atari, cartpole_v0"),
    (["agnet=dqn"], "agnet: unknown key. Did you mean agent?"),
    (["experiment=bok"], "experiment=bok: expected one of ablation, acrobot, atari_der, atari_dqn, book, book_sweep,"),
    (["experiment=bok"], "smoke. Did you mean book?"),
    (["buffer.alpha=0.5"], "buffer.alpha: unknown key. Did you mean buffer.priority_exponent?"),
    (["~agent.gamma"], "~agent.gamma: agent.gamma is required and cannot be deleted. Remove this override."),
    (["~agent.gama"], "agent.gama: unknown key. Did you mean agent.gamma?"),
    (["--config-dir=extra", "experiment=typo"], "agent.learning_rte: unknown key. Did you mean agent.learning_rate?"),
    (["--config-dir=extra", "agent=twice"], "twice.yaml:2: found duplicate key gamma"),
    (["--config-dir=nowhere"], "nowhere: the directory does not exist."),
    (["without=doubel"], "without=doubel: expected one of distribution, double, dueling"),
    (["agent/value=categoricl"], "agent/value=categoricl: expected one of categorical, quantile, scalar, scalar_huber."),
    (["buffer.priority_exponent=0.5"], "buffer.priority_exponent: unknown key. It belongs to buffer=prioritized."),
    (["agent.value=categorical"], "Select it with agent/value=categorical."),
    (["value=categorical"], "value: unknown key. Did you mean agent/value=categorical or agent/value=quantile or"),
    (["agent.value.num_atoms=21"], "agent.value.num_atoms: unknown key. It belongs to agent/value=categorical."),
    # Values of the wrong kind.
    (["agent.gamma=high"], "agent.gamma: expected a number, got 'high'."),
    (["buffer.capacity=1.5"], "buffer.capacity: expected an integer, got 1.5."),
    (["agent.batch_size=null"], "agent.batch_size: expected an integer, got null."),
    (["network.hidden_sizes=128"], "network.hidden_sizes: expected a list, got 128. A list with one value: network.hidden_sizes=[128]"),
    (["agent=3"], "agent=3: expected the name of an option, as in network=mlp, got 3."),
    # Values out of range.
    (["agent.gamma=1.01"], "agent.gamma: expected at most 1, got 1.01."),
    (["agent.learning_rate=nan"], "agent.learning_rate: expected a finite number, got nan."),
    (["network.hidden_sizes=[64,-1]"], "network.hidden_sizes.1: expected at least 1, got -1."),
    # Contradictions.
    (["agent.batch_size=2000", "buffer.capacity=1000"], "agent.batch_size: expected at most buffer.capacity, which is 1000, got 2000."),
    (["agent.target_update_tau=0.01"], "agent.target_update_tau: expected one of the two, got 10 and 0.01."),
    (["trainer.total_steps=null"], "the run would never end."),
    (["agent/target=munchausen", "agent.n_step=3"], "agent/target=munchausen: expected agent.n_step=1, got 3: every step"),
    (["agent/target=munchausen", "agent/value=quantile"], "agent/target=munchausen: expected agent/value=scalar, got quantile"),
    (["agent.target=double"], "agent.target: expected a group of keys, got 'double'. Select it with agent/target=double."),
    (["agent/value=categorical", "agent.loss=huber"], "agent.loss: expected cross_entropy with agent/value=categorical, got huber."),
    (["-m", "agent/target=munchausen", "agent.n_step=1,3"], "agent/target=munchausen: expected agent.n_step=1, got 3"),
    (["experiment=book_sweep"], "add -m to run it."),
    (["seed=1,2"], "seed=1,2: several values; add -m to sweep over them."),
    # VectorEnv.
    (["env.id=CartPoel-v1"], "env.id: no environment 'CartPoel-v1' is registered. Did you mean CartPole-v1"),
    (["env.id=Pendulum-v1"], "env.id: expected discrete actions, which DQN needs; Pendulum-v1 has Box(-2.0, 2.0, (1,)"),
    (["+env.kwargs.gravity=3"], "env.kwargs: CartPole-v0 cannot be made with {'gravity': 3}"),
    (["env.kwargs={gravity: 3}"], "env.kwargs: CartPole-v0 cannot be made with {'gravity': 3}"),
    (["env.id=FrozenLake-v1", "env.kwargs={map_name: 9x9}"], "env.kwargs: making FrozenLake-v1 with {'map_name': '9x9'} raised KeyError: '9x9' (frozen_lake.py"),
    (["env.id=no_such_module:Some-v0"], "env.id: no module named 'no_such_module' was found in the current"),
    (["env=cartpole_v1", "env.game=pong"], "env.game: expected null, since env.id=CartPole-v1 is no game, got 'pong'."),
    (["env=cartpole_v1", "env.frame_padding=zeros"], "env.frame_padding: expected first, got zeros: the observations of CartPole-v1 are vectors."),
    (["env=minatar", "env.game=pong"], "env.game: expected one of asterix, breakout, freeway, seaquest, space_invaders, got 'pong'."),
    (["env=atari", "env.game=brekout", "network=nature"], "got 'brekout'. Did you mean breakout"),
    (["env=minatar", "env.game=null"], "env.game: expected one of asterix, breakout, freeway, seaquest, space_invaders, got null."),
    (["+game=pong"], "game: unknown key. Did you mean env.game?"),
    (["env=minatar", "env.game=Space Invader"], "got 'Space Invader'. Did you mean space_invaders?"),
    (["env=minatar", "env.id=minatar/brekout-v1"], "env.id: expected one of asterix, breakout, freeway, seaquest, space_invaders, got 'brekout'. Did you mean breakout?"),
    (["env=minatar", "env.id=minatar/pong-v7"], "env.id: no environment 'minatar/pong-v7' is registered. Expected such as minatar/asterix-v0."),
    (["env=minatar", "env.kwargs.sticky_action_prob=2"], "sticky_action_prob: expected a number from 0 to 1, got 2"),
    (["env=minatar", "env.kwargs.sticky_actions=0.1"], "Did you mean env.kwargs.sticky_action_prob?"),
    (["env.game=breakout"], "is no game, got 'breakout'. Add env=minatar or env=atari."),
    (["network=nature"], "network: expected mlp, got convolutions: the observations of CartPole-v0 are vectors."),
    (["env=minatar", "buffer.capacity=9_000_000"], "buffer.capacity: expected at most 8_000_000 with images, got 9000000."),
    (["env=cartpole_v1", "eval.env_kwargs={foo: 1}"], "eval.env_kwargs: CartPole-v1 cannot be made with {'foo': 1}"),
    (["env=atari", "env.kwargs.episodic_life=true"], "eval.env_kwargs: expected whole games in evaluations, got episodic_life=true. Add \"eval.env_kwargs={episodic_life: false}\"."),
    (["env=minatar", "eval.env_kwargs={game: freeway}"], "eval.env_kwargs: game cannot be changed here: env.id=minatar/breakout-v1 decides."),
    (["env=minatar", "+env.kwargs.has_minimal_actions=false"], "env.kwargs: has_minimal_actions cannot be changed here"),
    (["env=atari", "+env.kwargs.game=boxing"], "env.kwargs: game cannot be changed here: env.id=atari/pong-v5 decides."),
    (["env=minatar", "env.kwargs={sticky_actions: 0.1}"], "env.kwargs.sticky_actions: unknown key. Did you mean env.kwargs.sticky_action_prob?"),
    (["env=minatar", "+env.kwargs.foo=1"], "its arguments are sticky_action_prob, difficulty_ramping."),
    (["env=atari", "env.kwargs={noop_max: -3}"], "noop_max: expected an integer of at least 0, got -3"),
    (["env=atari", "env.kwargs={frame_skip: 2.5}"], "frame_skip: expected an integer of at least 1, got 2.5"),
    (["network=conv", "network.convolutions=16"], "network.convolutions: expected a list, got 16. Each convolution is [filters, kernel size, stride], as in [[16,3,1]]."),
    (["env=minatar", "network=conv", "network.convolutions=[[16,3]]"], "network.convolutions.0: expected a list with a length of at least 3, got [16, 3]. Each convolution is [filters, kernel size, stride], as in [[16,3,1]]."),
    # The machine and its directories.
    (["device=cuda:99"], "device: expected a device of this machine, which is cpu, since this build of PyTorch has no CUDA, got 'cuda:99'"),
    (["device=cuda:128"], "device: expected a device of this machine, which is cpu, since this build of PyTorch has no CUDA, got 'cuda:128'"),
    (["device=meta"], "device: expected a device of this machine, which is cpu, since this build of PyTorch has no CUDA, got 'meta'"),
    (["hydra.run.dir=" + "x" * 300], "hydra.run.dir: expected names of at most 255 bytes"),
    (["device=gpu"], "device: expected a device of this machine, which is cpu, since this build of PyTorch has no CUDA, got 'gpu'"),
    (["hydra.run.dir=a_file/run"], "hydra.run.dir: "),
    (["hydra.run.dir=old_run"], "hydra.run.dir: "),
    (["seed=range(3)"], "seed=range(3): several values; add -m to sweep over them."),
    (["hydra.run.dir=" + "/".join(["y" * 90] * 50)], "hydra.run.dir: expected a path of at most 4000"),
    (["hydra.run.dir=old_sweep/new"], "which holds a sweep. Choose a directory outside it."),
    (["hydra.output_subdir=null"], "hydra.output_subdir: expected .hydra, from which runs resume, got null."),
    (["buffer.capacity=1_000_000_000"], "buffer.capacity: the run needs about 41.0 GiB of memory, but only"),
    (["seed=0..3"], "seed: expected an integer, got '0..3'. To sweep over integers: -m 'seed=range(0,4)'"),
    (["seed=[0,1]"], "seed: expected an integer, got [0, 1]. To sweep over values: -m seed=0,1"),
    (["agent.gamma='0.9'"], "Write it without quotes, agent.gamma=0.9; for an environment variable, 'agent.gamma=\"${oc.decode:"),
    (["seed=${oc.env:NOT_SET}"], "seed: the environment variable NOT_SET is not set. Set it, or give a default: 'seed=\"${oc.decode:${oc.env:NOT_SET,DEFAULT}}\"'"),
    (["agent.gamma=${nothing}"], "agent.gamma: ${nothing} refers to the key nothing, which does not exist."),
    (["env=CartPole-v1"], "Any environment is selected by its id: env.id=CartPole-v1"),
    (["env.kwargs.gravity=3"], "env.kwargs.gravity: unknown key. A new key of a mapping needs a +: +env.kwargs.gravity=VALUE"),
    (["~agent.epsilon_start"], "~agent.epsilon_start: agent.epsilon_start is already null. Remove this override."),
    (["+experiment=book"], "+experiment=book: the group experiment has an option already, which this"),
    (["+agent.gamma=0.9"], "+agent.gamma: the key already exists. Leave out the +"),
    (["--agent.gamma=0.9"], "overrides have no dashes: agent.gamma=0.9"),
    # Sweeps: all jobs are checked before the first one trains.
    (["-m", "agent.gamma=0.9,1.5,0.8"], "agent.gamma: expected at most 1, got 1.5. (job 1: agent.gamma=1.5)"),
    (["-m", "seed=1,2,3", "agent.epsilon=2"], "agent.epsilon: expected at most 1, got 2. (in 3 jobs, the first of which is job 0:"),
    (["-m", "agent.gama=0.9,0.8"], "agent.gama: unknown key. Did you mean agent.gamma?"),
    (["-m", "+agent.gama=0.9,0.8"], "agent.gama: unknown key. Did you mean agent.gamma?"),
    (["-m", "env=cartpole_v0,cartpol"], "env=cartpol: expected one of"),
    (["-m", "seed=1,2", "hydra.sweep.dir=occupied"], "hydra.sweep.dir: expected an empty or a new directory"),
    (["-m", "seed=1,2", "hydra.sweep.dir=a_file/sweep"], "hydra.sweep.dir: "),
    (["-m", "seed=1,2", "hydra.sweep.subdir=same"], "hydra.sweep.subdir: expected a directory for each job"),
    (["-m", "seed=range(0)"], "seed: expected values, got none from seed=range(0)"),
    (["-m", "seed=1,2", "hydra.sweeper.max_batch_size=a"], "max_batch_size: expected an integer of at least 1, got a."),
    (["-m", "seed=1,2", "hydra.sweeper.max_batch_size=0"], "hydra.sweeper.max_batch_size: expected an integer of at least 1, got 0."),
    (["-m", "seed=1,2", "hydra.launcher.max_population_size=0"], "hydra.launcher.max_population_size: expected at least 1"),
    (["-m", "agent.gamma=interval(0,1)"], "agent.gamma: expected values, got agent.gamma=interval(0,1), which only a search samples. Add hydra/sweeper=search, or write"),
    (["-m", "seed=1,2", "hydra.launcher.num_workers=2"], "such as hydra/launcher=population_processes, have further keys."),
    (["-m", "seed=1,2", "hydra.sweeper.mode=zp"], "hydra.sweeper.mode: expected one of product, zip, got zp."),
    (["-m", "agent.gamma=0.9,0.8", "agent.epsilon=0.1,0.2,0.3", "hydra.sweeper.mode=zip"], "hydra.sweeper.mode=zip: expected as many values of each key, got 2 of agent.gamma, 3 of agent.epsilon."),
    (["-m", "seed=1,2", "hydra.sweeper.settings=none.csv"], "hydra.sweeper.settings: none.csv cannot be read: [Errno 2] No such file"),
    (["-m", "seed=1,2", "hydra.sweeper.settings=a_file"], "hydra.sweeper.settings: a_file cannot be read: expected a list of mappings"),
    (["trainer.stop_at_return=100", "eval.every_steps=null"], "trainer.stop_at_return: expected eval.every_steps, at which"),
    (["-m", "seed=1,2", "hydra.job.chdir=true"], "hydra.job.chdir: expected false"),
    (["-m", "hydra/launcher=populatoin"], "hydra/launcher=populatoin: expected one of basic, population, population_processes, population_ray, population_slurm."),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    extra = tmp_path / "extra"
    (extra / "experiment").mkdir(parents=True)
    (extra / "agent").mkdir()
    typo = "# @package _global_\nagent:\n  learning_rte: 0.1\n"
    (extra / "experiment" / "typo.yaml").write_text(typo)
    (extra / "agent" / "twice.yaml").write_text("gamma: 0.9\ngamma: 0.8\n")
    (tmp_path / "a_file").write_text("kept\n")
    (tmp_path / "old_run").mkdir()
    (tmp_path / "old_run" / "result.json").write_text("{}\n")
    (tmp_path / "occupied").mkdir()
    (tmp_path / "old_sweep").mkdir()
    (tmp_path / "old_sweep" / "jobs.jsonl").touch()
    (tmp_path / "occupied" / "multirun.yaml").write_text("seed: 7\n")
    return tmp_path


def check(ended, message: str, before: dict[str, bytes], folder) -> None:
    assert message in ended.err, ended
    assert ended.status == 2
    assert "Traceback" not in ended.err + ended.out
    assert files_below(folder) == before


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=[" ".join(bad[0]) for bad in BAD])
def test_bad_input_is_told_and_leaves_nothing(arguments, message, folder, monkeypatch, capsys):
    before = files_below(folder)
    ended = run_here(arguments, folder, monkeypatch, capsys)
    check(ended, message, before, folder)
    assert len(ended.err.strip().splitlines()) == 1, ended.err


def test_every_problem_has_a_line(folder, monkeypatch, capsys):
    before = files_below(folder)
    arguments = ["agent.gamma=2", "+agent.gama=1", "seed=-3", "trainer.total_steps=1.5"]
    ended = run_here(arguments, folder, monkeypatch, capsys)
    check(ended, "agent.gama: unknown key", before, folder)
    assert len(ended.err.splitlines()) == 4


def test_every_unknown_key_has_a_line(folder, monkeypatch, capsys):
    before = files_below(folder)
    known = ["agent.gamma=0.9", "hydra.job.name=a", "agent/value=quantile"]
    arguments = ["agent.gama=2", *known, "bufer.capacity=3", "agent.gama=1"]
    ended = run_here(arguments, folder, monkeypatch, capsys)
    check(ended, "agent.gama: unknown key. Did you mean agent.gamma?\nbufer", before, folder)
    assert len(ended.err.splitlines()) == 3 and "agent.gama is given 2 times" in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["agent.gama=0.9"], "agent.gama: unknown key. Did you mean agent.gamma?"),
        (["-m", "agent.gamma=2,0.9"], "agent.gamma: expected at most 1, got 2. (job 0:"),
        pytest.param(
            ["env.id=FrozenLake-v1", "env.kwargs={map_name: 9x9}"],
            "env.kwargs: making FrozenLake-v1 with",
            marks=pytest.mark.slow,
        ),
        pytest.param(["hydra.run.dir=/proc/none/run"], "/proc/none", marks=pytest.mark.slow),
    ],
)
def test_the_same_from_outside(arguments, message, folder):
    before = files_below(folder)
    ended = run_apart(arguments, folder)
    check(ended, message, before, folder)
    assert len(ended.err.splitlines()) == 1 and ended.out == ""
