"""Exports of results as tables, and as offline runs of trackers."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn_exp.analysis.comparable import make_groups
from dqn_exp.analysis.latex import to_latex
from dqn_exp.analysis.run_reader import RunFiles, Source, read_episode_returns
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.extras import import_extra
from dqn_exp.files.tags import Tag

if TYPE_CHECKING:
    import pandas as pd

PROJECT = "dqn_exp"

MOST_IN_BATCH = 1_000
"""Metrics that MLflow takes at once."""


STATUSES = {
    **{"completed": "FINISHED", "pending": "SCHEDULED", "running": "RUNNING"},
    **{"pruned": "KILLED", "interrupted": "KILLED"},
}
"""MLflow's statuses of runs by ours."""

Tables = Callable[[], "dict[str, pd.DataFrame]"]


def write_export(sources: Sequence[Source], tables: Tables, form: str, output: Path) -> list[str]:
    """Writes results in the given form; returns hints for the next command.

    Args:
        sources: runs and sweeps.
        tables: returns the tables of the results by name.
        form: one of `FORMS`.
        output: a new or empty directory.

    Raises:
        ConfigError: If the output is not empty.
        MissingExtraError: If a package of the form is not installed.
    """
    if output.exists() and any(output.iterdir()):
        raise ConfigError([f"--output: expected a new or empty directory, got {output}."])
    write = FORMS[form]
    for module, extra in NEEDS[form].items():
        import_extra(module, extra)
    output.mkdir(parents=True, exist_ok=True)
    return write(sources, tables, output)


def _write_csv(sources: Sequence[Source], tables: Tables, output: Path) -> list[str]:
    for name, table in tables().items():
        table.to_csv(output / f"{name}.csv", index=name == "runs")
    return []


def _write_parquet(sources: Sequence[Source], tables: Tables, output: Path) -> list[str]:
    for name, table in tables().items():
        columns = [key for key in table.columns if table[key].dtype == object]
        # Columns of a config may mix numbers, texts and lists.
        plain = table.astype(dict.fromkeys(columns, "str"))
        plain.to_parquet(output / f"{name}.parquet", index=name == "runs")
    return []


def _write_latex(sources: Sequence[Source], tables: Tables, output: Path) -> list[str]:
    groups = make_groups(sources)
    (output / "settings.tex").write_text(to_latex(groups), encoding="utf-8")
    return []


def _write_wandb(sources: Sequence[Source], tables: Tables, output: Path) -> list[str]:
    wandb = import_extra("wandb", "wandb")
    settings = wandb.Settings(mode="offline", silent=True, console="off", disable_git=True)
    for run in _runs(sources):
        with wandb.init(
            project=PROJECT,
            name=run.name,
            group=_group_of(run),
            config=run.config,
            dir=str(output),
            settings=settings,
        ) as tracked:
            for step, values in _history(run):
                tracked.log(values, step=step)
            tracked.summary.update(_summary(run))
    return [f"Upload them with: wandb sync {output}/wandb/offline-run-*"]


def _write_mlflow(sources: Sequence[Source], tables: Tables, output: Path) -> list[str]:
    mlflow = import_extra("mlflow", "mlflow")
    store = f"sqlite:///{output.absolute()}/mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=store)
    experiment = client.create_experiment(
        PROJECT, artifact_location=(output.absolute() / "files").as_uri()
    )
    for run in _runs(sources):
        tracked = client.create_run(experiment, run_name=run.name, tags={"group": _group_of(run)})
        number, now = tracked.info.run_id, int(time.time() * 1_000)
        history = [*_history(run), (0, _summary(run))]
        metrics = [
            mlflow.entities.Metric(name, value, now, step)
            for step, values in history
            for name, value in values.items()
        ]
        params = [mlflow.entities.Param(key, str(value)) for key, value in run.config.items()]
        client.log_batch(number, params=params)
        for first in range(0, len(metrics), MOST_IN_BATCH):
            client.log_batch(number, metrics[first : first + MOST_IN_BATCH])
        client.set_terminated(number, STATUSES.get(run.status, "FAILED"))
    return [f"View them with: mlflow ui --backend-store-uri {store}"]


FORMS: dict[str, Callable[[Sequence[Source], Tables, Path], list[str]]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "latex": _write_latex,
    "wandb": _write_wandb,
    "mlflow": _write_mlflow,
}
"""Writers by the names of their formats."""

NEEDS = {
    "csv": {"pandas": "notebook"},
    "parquet": {"pandas": "parquet", "pyarrow": "parquet"},
    "latex": {},
    "wandb": {"wandb": "wandb"},
    "mlflow": {"mlflow": "mlflow"},
}
"""Packages of each form, with the extras that install them."""


def _runs(sources: Sequence[Source]) -> list[RunFiles]:
    return [run for source in sources for run in source.runs]


def _group_of(run: RunFiles) -> str:
    """Returns the values that the runs of a setting share."""
    return ", ".join(f"{key}={value}" for key, value in run.swept.items() if key != "seed")


def _history(run: RunFiles) -> Iterator[tuple[int, dict[str, float]]]:
    """Yields the steps of a run with the returns of training and evaluation there, in order."""
    found: dict[int, dict[str, float]] = {}
    for name, rows in (
        (Tag.EPISODE_RETURN, read_episode_returns(run.directory)),
        (Tag.EVAL_RETURN_MEAN, run.evaluations),
    ):
        for step, value in rows.tolist():
            found.setdefault(int(step), {})[name] = value
    yield from sorted(found.items())


def _summary(run: RunFiles) -> dict[str, Any]:
    if run.result is None:
        return {}
    names = ("objective", "best_return_mean", "steps", "episodes", "updates", "seconds")
    values = {name: getattr(run.result, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}
