"""The page of a single run."""

import pytest

from dqn_exp.analysis.report import write_report
from dqn_exp.config.validation import to_config
from dqn_exp.files.event_reader import read_scalars
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.progress import NoProgress
from tests.conftest import config_values, ignore_results
from tests.sweep_files import write_single

SMALL = {
    "agent__learning_starts": 20,
    "agent__batch_size": 8,
    "engine": "torch",
    "eval__every_steps": 50,
    "log__every_steps": 50,
    "log__tensorboard": True,
    "network__hidden_sizes": [8],
    "trainer__total_steps": 200,
    "trainer__total_episodes": None,
}


def test_the_page_is_about_the_run_not_about_settings(tmp_path):
    write_single(tmp_path / "r", {}, **SMALL)
    (tmp_path / "r/result.json").unlink()
    config = to_config(config_values(**SMALL))
    train_population([Run(config, tmp_path / "r", {})], ignore_results, lambda: False, NoProgress())
    scalars = read_scalars(tmp_path / "r")
    assert scalars["train/loss"][:, 0].tolist() == [50, 100, 150, 200]
    page = write_report([tmp_path / "r"], tmp_path / "r/report").read_text()
    own = page[: page.index("plotly")]
    assert "The run completed after 200 steps. Its last evaluation, at step 200, has" in own
    assert "setting" not in own[own.index("<h1>") :] and "IQM" not in own[own.index("<h1>") :]
    found = {path.stem for path in (tmp_path / "r/report/plots").iterdir()}
    assert found == {"returns", "loss", "values"}
    assert '<a href="../train.log">' in own and "python -m dqn_exp.train agent" in own


def test_a_run_that_has_shown_nothing_has_a_page_all_the_same(tmp_path):
    write_single(tmp_path / "r", {})
    page = write_report([tmp_path / "r"], tmp_path / "r/report").read_text()
    assert "It has not been evaluated." in page
    assert read_scalars(tmp_path / "r") == {}


@pytest.mark.parametrize("name", ["index.html"])
def test_a_page_of_others_stays(tmp_path, name):
    write_single(tmp_path / "r", {100: 5.0})
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / name).write_text("mine")
    with pytest.raises(Exception, match="is not a report of dqn_exp"):
        write_report([tmp_path / "r"], tmp_path / "mine")
