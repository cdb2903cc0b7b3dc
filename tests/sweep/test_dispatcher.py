"""Populations whose runs end in different ways."""

from tests import tracing
from tests.command import table_of


def test_a_run_that_diverges_is_told_and_the_others_complete(command, tmp_path):
    tracing.EVENTS.clear()
    callback = "+hydra.callbacks.trace._target_=tests.tracing.Trace"
    sweep = ("-m", "agent.learning_rate=1e-3,1e30,2e-3", "hydra.sweep.dir=s", callback)
    ended = command(*sweep)
    assert ended.status == 1
    lines = ended.err.strip().splitlines()
    assert (
        lines[0].startswith("Run 1 (agent.learning_rate=1e+30)")
        and "diverged: Loss or parameters not finite" in lines[0]
    )
    assert lines[0].endswith("See s/1_learning_rate=1e+30/train.log.")
    assert lines[1].endswith("python -m dqn_exp.resume s --retry-failed")
    assert lines[2].endswith("tensorboard --logdir s") and len(lines) == 3
    assert "2 of 3 runs completed." in ended.out and "Traceback" not in ended.err
    rows = table_of(tmp_path / "s")
    assert [row["status"] for row in rows] == ["completed", "diverged", "completed"]
    assert rows[1]["objective"] == ""
    assert tracing.EVENTS[:3] == [("start", 0), ("start", 1), ("start", 2)]
    assert [event[:3] for event in tracing.EVENTS[3:6]] == [
        ("end", 0, "COMPLETED"), ("end", 1, "FAILED"), ("end", 2, "COMPLETED")
    ]  # fmt: skip
    assert tracing.EVENTS[3][3] == float(rows[0]["objective"])
    assert tracing.EVENTS[6:] == [("multirun end",)]


def test_a_population_that_fails_does_not_stop_the_next(command, tmp_path):
    from tests import probes

    probes.register()
    sweep = ("-m", "env.id=ProbeCounting-v0", "env.max_episode_steps=8", "hydra.sweep.dir=s")
    ended = command(*sweep, "+env.kwargs.is_broken_at=8,null", "seed=1,2", "engine=torch")
    assert ended.status == 1
    rows = table_of(tmp_path / "s")
    assert [row["status"] for row in rows] == ["failed", "failed", "completed", "completed"]
    assert (
        "ProbeCounting-v0 raised RuntimeError: the environment is broken (probes.py, line"
        in ended.err
    )
    for row in rows[:2]:
        log = (tmp_path / "s" / row["dir"] / "train.log").read_text()
        assert "Traceback" in log and "the environment is broken" in log
