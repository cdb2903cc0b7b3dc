"""Results of runs as tables of pandas."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn_exp.analysis.run_reader import RunFiles, read_sources, whole_lines
from dqn_exp.core.extras import import_extra
from dqn_exp.files.csv_table import TABLES

if TYPE_CHECKING:
    import pandas as pd


def read_tables(directories: Sequence[Path]) -> dict[str, "pd.DataFrame"]:
    """Returns a table of runs, and one of all rows of each CSV table, by name.

    Raises:
        ConfigError: If a directory is not that of a run or a sweep.
        ImportError: If pandas is not installed.
    """
    pandas = import_extra("pandas", "notebook")
    sources = read_sources(directories)
    runs = [run for source in sources for run in source.runs]
    names = [run.name if len(sources) == 1 else f"{run.source}/{run.name}" for run in runs]
    tables = {}
    for table, columns in TABLES.items():
        lines = [whole_lines(run.directory / f"{table}.csv") for run in runs]
        text = io.StringIO("".join(line for part in lines for line in part))
        # Seeds of episodes have more digits than a float can hold.
        kinds = {name: "float64" if name == "return" else "int64" for name in columns}
        frame = pandas.read_csv(text, names=list(columns), dtype=kinds)
        frame.insert(0, "run", [n for n, part in zip(names, lines, strict=True) for _ in part])
        tables[table] = frame
    index = pandas.Index(names, name="run")
    return {"runs": pandas.DataFrame([_row(run) for run in runs], index=index), **tables}


def _row(run: RunFiles) -> dict[str, Any]:
    result = {} if run.result is None else vars(run.result)
    dropped = ("seed", "versions", "engine")  # The first and the last are in the config.
    return {
        "directory": str(run.directory),
        **run.config,
        **{key: value for key, value in result.items() if key not in dropped},
        "status": run.status,
    }
