import json
import logging

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dqn_exp.files.result import Result
from dqn_exp.files.run_log import LogFile, log_of_run, run_logs
from dqn_exp.files.run_record import RunRecord, add_episodes


def make_record(folder, has_events: bool = True) -> RunRecord:
    config = {"engine": "native", "log": {"tensorboard": has_events}}
    return RunRecord(folder, Result("running", seed=3, config_hash="abc"), config)


def load_events(folder) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_a_run_says_how_it_stands_from_the_first_moment(tmp_path):
    record = make_record(tmp_path)
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "running"
    assert (tmp_path / "episodes.csv").read_text() == "step,episode,return,length,terminated\n"
    assert (tmp_path / "evaluations.csv").read_text() == "step,episode,seed,return,length\n"
    record.finish("failed", "It broke.")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "failed" and result["error"] == "It broke."
    assert result["seed"] == 3 and result["config_hash"] == "abc" and result["objective"] is None


def test_no_event_file_is_made_without_tensorboard(tmp_path):
    record = make_record(tmp_path, has_events=False)
    record.add_page("seed: 3\n", {})
    record.add_hparams("all", {"seed": 3}, [])
    record.add_scalars(1, {"train/loss": 1.0})
    record.finish("completed")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "episodes.csv", "evaluations.csv", "result.json"
    ]  # fmt: skip


def test_tensorboard_reads_the_scalars_the_config_and_the_steps(tmp_path):
    record = make_record(tmp_path)
    hparams = {"seed": 3, "agent.loss": "mse", "agent.dueling": True}
    record.add_page("seed: 3\n", {})
    record.add_hparams("all", hparams, ["eval/return_mean"])
    record.add_scalars(10, {"train/loss": 1.5, "episode/return": float("nan")})
    record.add_scalars(20, {"train/loss": 0.5, "episode/return": 9.0})
    record.finish("completed")
    events = load_events(tmp_path)
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(10, 1.5), (20, 0.5)]
    assert [(e.step, e.value) for e in events.Scalars("episode/return")] == [(20, 9.0)]
    (text,) = events.Tensors("config")
    assert b"seed: 3" in text.tensor_proto.string_val[0]
    assert len(list(tmp_path.glob("events.*"))) == 1


def test_an_evaluation_gives_the_objective(tmp_path):
    record = make_record(tmp_path)
    record.add_evaluation(10, np.array([5, 7]), np.array([1.0, 3.0]), np.array([1, 3]))
    record.add_evaluation(20, np.array([5, 7]), np.array([2.0, 6.0]), np.array([2, 6]))
    record.finish("completed")
    result = json.loads((tmp_path / "result.json").read_text())
    assert (result["objective"], result["eval_return_mean"], result["eval_return_std"]) == (4, 4, 2)
    lines = (tmp_path / "evaluations.csv").read_text().splitlines()
    assert lines[1:] == ["10,0,5,1.0,1", "10,1,7,3.0,3", "20,0,5,2.0,2", "20,1,7,6.0,6"]


def test_episodes_of_many_runs_go_to_their_own_files(tmp_path):
    records = []
    for run in range(2):
        (tmp_path / str(run)).mkdir()
        records.append(make_record(tmp_path / str(run)))
    add_episodes(records, np.array([9, 8]), [[0, 4], [9.0, 8.0], [9, 8], [1, 0]])
    for record in records:
        record.flush()
    assert (tmp_path / "0/episodes.csv").read_text().splitlines()[1] == "9,0,9.0,9,1"
    assert (tmp_path / "1/episodes.csv").read_text().splitlines()[1] == "8,4,8.0,8,0"


def test_what_a_run_says_goes_to_its_own_log_and_the_rest_to_all(tmp_path, capsys):
    formatter = logging.Formatter("%(levelname)s %(message)s")
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    logging.getLogger("dqn_exp.run").setLevel(logging.INFO)
    with run_logs() as logs:
        logs.add(tmp_path / "first", [LogFile(first, formatter, logging.INFO)])
        logs.add(tmp_path / "second", [LogFile(second, formatter, logging.WARNING)])
        log_of_run(tmp_path / "first", "one says %d", 1)
        log_of_run(tmp_path / "second", "another says nothing that is shown")
        logging.getLogger("anything").warning("to all")
        logs.remove(tmp_path / "first")
        logging.getLogger("anything").warning("to the rest")
    logging.getLogger("anything").warning("to none")
    assert first.read_text() == "INFO one says 1\nWARNING to all\n"
    assert second.read_text() == "WARNING to all\nWARNING to the rest\n"
