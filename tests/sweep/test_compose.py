"""Composition and checks of the jobs of a sweep."""

from tests.command import table_of


def test_a_problem_of_several_jobs_is_one_line(command, tmp_path):
    ended = command("-m", "seed=1,2,3", "agent.gamma=0.9,1.5", "hydra.sweep.dir=s")
    assert ended.status == 2 and not (tmp_path / "s").exists()
    (line,) = ended.err.splitlines()
    assert line.startswith("agent.gamma: expected at most 1, got 1.5.")
    assert line.endswith("(in 3 jobs, the first of which is job 1: seed=1 agent.gamma=1.5)")


def test_every_problem_of_every_job_is_told(command, tmp_path):
    ended = command("-m", "agent.gamma=1.5,0.9", "agent.batch_size=0,8", "hydra.sweep.dir=s")
    assert ended.status == 2 and not (tmp_path / "s").exists()
    keys = {line.partition(":")[0] for line in ended.err.splitlines()}
    assert keys == {"agent.gamma", "agent.batch_size"}


def test_jobs_need_directories_of_their_own(command, tmp_path):
    ended = command("-m", "seed=1,2", "hydra.sweep.dir=s", "hydra.sweep.subdir=same")
    assert ended.status == 2 and "hydra.sweep.subdir: expected a directory for each" in ended.err
    assert not (tmp_path / "s").exists()


def test_a_process_has_one_working_directory(command, tmp_path):
    ended = command("-m", "seed=1,2", "hydra.sweep.dir=s", "hydra.job.chdir=true")
    assert ended.status == 2 and "hydra.job.chdir: expected false" in ended.err


def test_values_with_commas_and_interpolations_are_composed_per_job(command, tmp_path):
    ended = command(
        "-m",
        "seed=1,2",
        "eval.seed=${seed}",
        "network.hidden_sizes=[4,3]",
        "engine=torch",
        "hydra.sweep.dir=s",
    )
    assert ended.status == 0, ended
    assert [row["seed"] for row in table_of(tmp_path / "s")] == ["1", "2"]


def test_runs_lie_where_resuming_finds_their_sweep(command, tmp_path):
    ended = command("-m", "seed=1,2", "hydra.sweep.subdir=a/b/c/${hydra.job.num}")
    line = "hydra.sweep.subdir: expected at most 3 levels of folders, got 4: a/b/c/0."
    assert ended.status == 2 and line in ended.err


def test_names_in_mappings_of_an_environment_are_strings(command):
    for options in ((), ("-m",)):
        ended = command(*options, "env.id=OddPlain-v0", "+env.kwargs.options={1: 2}")
        assert ended.status == 2 and "env.kwargs: expected names as keys of a mapping" in ended.err
