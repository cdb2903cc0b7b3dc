import pytest
import yaml

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.core.errors import ConfigError
from dqn_exp.sweep import launcher_options
from dqn_exp.sweep.executor import InProcessExecutor
from dqn_exp.sweep.launcher_options import to_options
from tests.sweep.executors import defaults_of

LAUNCHERS = sorted((conf_dir() / "hydra/launcher").glob("*.yaml"))


def values_of(path) -> dict:
    values = yaml.safe_load(path.read_text())
    if "defaults" in values:
        values = {**yaml.safe_load((path.parent / "population.yaml").read_text()), **values}
    return {key: value for key, value in values.items() if key not in ("_target_", "defaults")}


@pytest.mark.parametrize("path", LAUNCHERS, ids=lambda path: path.stem)
def test_the_defaults_of_each_launcher_are_valid(path, monkeypatch):
    monkeypatch.setattr(launcher_options.shutil, "which", lambda name: "/bin/sbatch")
    monkeypatch.setattr(launcher_options.importlib.util, "find_spec", lambda name: object())
    values = values_of(path)
    assert to_options(values).model_dump() == values


def test_launchers_of_hydra_train_in_the_process(tmp_path):
    assert isinstance(to_options({}).make_executor("cpu", tmp_path), InProcessExecutor)


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ({"executor": "x"}, "hydra.launcher.executor: expected one of in_process"),
        ({"max_population_size": 0}, "hydra.launcher.max_population_size: expected at least 1"),
        ({"max_resubmissions": "2"}, "hydra.launcher.max_resubmissions: expected an integer"),
        ({"num_workers": 2}, "hydra.launcher.num_workers: unknown key of this launcher."),
        ({"executor": "processes"}, "hydra.launcher.num_workers: missing;"),
    ],
)
def test_each_mistake_has_a_line_with_its_key(values, line):
    with pytest.raises(ConfigError) as caught:
        to_options(values)
    assert any(problem.startswith(line) for problem in caught.value.problems), caught.value


def test_a_missing_library_is_said_with_its_command(monkeypatch):
    monkeypatch.setattr(launcher_options.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'dqn-exp\[processes\]'"):
        to_options({"executor": "processes", "num_workers": 2})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"executor": "processes", "num_workers": 0}, "num_workers: expected at least 1, got 0"),
        ({"executor": "processes", "max_resubmissions": -1}, "expected at least 0, got -1"),
        (
            {"executor": "proceses"},
            "expected one of in_process, processes, slurm, ray, got proceses",
        ),
        ({"executor": "slurm", "cluster": "slurm"}, "there is no sbatch. Set it to local"),
    ],
)
def test_options_of_the_launcher_are_checked(settings, message, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=message):
        to_options({**defaults_of(settings["executor"]), **settings})


@pytest.mark.parametrize(
    ("kind", "module"), [("processes", "loky"), ("slurm", "submitit"), ("ray", "ray")]
)
def test_an_extra_that_is_not_installed_is_named(monkeypatch, kind, module):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=rf"{module}, .* pip install 'dqn-exp\[{kind}\]'"):
        to_options(defaults_of(kind))
