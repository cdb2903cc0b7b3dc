"""Results of runs and sweeps as tables, pictures and a report."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqn_exp.analysis.aggregates import make_curve
from dqn_exp.analysis.comparable import Group, make_groups
from dqn_exp.analysis.key_plots import make_marginals
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.plots import make_plots
from dqn_exp.analysis.report import write_report
from dqn_exp.analysis.run_reader import log_keys_of, read_sources
from dqn_exp.analysis.run_tables import read_tables
from dqn_exp.analysis.setting_table import mapping_at, to_frame, typed_values
from dqn_exp.analysis.summary import best_lines
from dqn_exp.analysis.text import written_keys
from dqn_exp.api.exporting import FORMS, write_export
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.job_list import CONFIRMATION

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


class Results:
    """Results of runs, read from their directories; tables are pandas DataFrames.

    Attributes:
        directory: absolute.
    """

    def __init__(self, directory: str | Path, *more: str | Path) -> None:
        """Opens the directory of a run, a sweep or a search.

        Args:
            directory: of the results.
            more: directories whose runs are added, as further seeds or settings.

        Raises:
            ConfigError: If a directory is not that of a run or a sweep.
        """
        self.directory = Path(directory).absolute()
        self._directories = [self.directory, *(Path(one).absolute() for one in more)]
        self._sources = read_sources(self._directories)

    @property
    def runs(self) -> "pd.DataFrame":
        """A row per run: its directory, its config by dotted key, and its result."""
        return self._tables["runs"]

    @property
    def episodes(self) -> "pd.DataFrame":
        """A row per finished training episode; `run` is the index of the table of runs."""
        return self._tables["episodes"]

    @property
    def evaluations(self) -> "pd.DataFrame":
        """A row per episode of an evaluation; `run` is the index of the table of runs."""
        return self._tables["evaluations"]

    @cached_property
    def settings(self) -> "pd.DataFrame":
        """A row per setting, the best one first: its values, rank, IQM, interval and so on.

        Settings of different environments, budgets or evaluations, which cannot be compared, have a
        `group` and ranks of their own.
        """
        return to_frame(self._groups)

    @property
    def best(self) -> dict[str, Any]:
        """Values of the swept keys of the best setting; empty without a completed run.

        Of several groups that cannot be compared, it is that of the first.
        """
        group = next((group for group in self._groups if group.scored), None)
        if group is None:
            return {}
        run = group.scored[0].runs[0]
        source = next(one for one in self._sources if one.name == run.source)
        keys = dict.fromkeys([*run.swept, *group.keys])
        values = typed_values(group.scored[0], [key for key in keys if key != "seed"])
        written = written_keys(source)
        return {
            written.get(key, key): mapping_at(key, run.config) or value
            if isinstance(value, str) and value.startswith("{")
            else value
            for key, value in values.items()
            if value != ""  # A setting lacks the keys of options that only others have.
        }

    @property
    def confirmation(self) -> "Results":
        """Results of the best settings with fresh seeds.

        Raises:
            ConfigError: If they were not confirmed.
        """
        return Results(self.directory / CONFIRMATION)

    def plot(self, name: str = "curves") -> "Figure":
        """Returns a plot from the report, as a Matplotlib figure.

        Args:
            name: of the picture, such as `settings`, `curves`, `profiles` or `sensitivity_gamma`.

        Raises:
            ConfigError: If there is no such plot, with the available names, or no completed run.
        """
        group = next((group for group in self._groups if group.scored), None)
        if group is None:
            raise ConfigError(["plot: expected a completed run, got none."])
        curves = [make_curve(setting) for setting in group.scored]
        logs = log_keys_of(self._sources)
        plots = make_plots(group, curves, make_marginals(group), logs)
        found = {plot.name: plot for plot in plots}
        if name not in found:
            raise ConfigError([f"name: expected one of {', '.join(found)}, got {name!r}."])
        with drawn(found[name], LIGHT) as figure:
            return figure

    def report(self, output: str | Path | None = None, *, rank_by: str = "iqm") -> Path:
        """Writes the report; returns its page.

        Args:
            output: directory of the report; None for report/ in the directory of the results.
            rank_by: iqm, area, steps or min.
        """
        folder = Path(output) if output is not None else self.directory / "report"
        return write_report(self._directories, folder, rank_by=rank_by)

    def export(self, form: str = "csv", output: str | Path | None = None) -> list[str]:
        """Writes the results as files of another program; returns hints for the next command.

        Args:
            form: csv, parquet, latex, wandb or mlflow.
            output: new or empty directory; None for export/ and the form in that of the results.

        Raises:
            ConfigError: If the output is not empty, or the form is unknown.
            MissingExtraError: If a package of the form is not installed.
        """
        if form not in FORMS:
            raise ConfigError([f"form: expected one of {', '.join(FORMS)}, got {form!r}."])
        folder = self.directory / "export" / form if output is None else Path(output)
        return write_export(self._sources, self._all_tables, form, folder)

    def __repr__(self) -> str:
        """Returns the directory and the best settings."""
        lines = [f"Results of {self.directory}", *best_lines(*self._directories)]
        return "\n".join(lines)

    @cached_property
    def _tables(self) -> "dict[str, pd.DataFrame]":
        return read_tables(self._directories)

    def _all_tables(self) -> "dict[str, pd.DataFrame]":
        return {"settings": self.settings, **self._tables}

    @cached_property
    def _groups(self) -> list[Group]:
        return make_groups(self._sources)
