"""Files of an HTML page with plots, which replace those of an earlier page."""

import itertools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dqn_exp.analysis.plot_files import FORMATS
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.atomic_file import write_atomically
from dqn_exp.files.job_list import NAME

PAGE = "index.html"
PLOTS = "plots"

GENERATOR = '<meta name="generator" content="dqn_exp">'
"""Marks a page as a report of this package."""

CONTENT = (PLOTS, "report.md", "settings.csv", "tensorboard")
"""Files and folders beside a page."""

UNFINISHED = f"<!doctype html>\n{GENERATOR}\n<p>This report was not finished. Write it again.</p>\n"

ASSETS = ("report.css", "report.js", "plotly-basic.min.js")
"""Files that are part of a page; Plotly: https://github.com/plotly/plotly.js."""


def begin_page(directory: Path) -> set[str]:
    """Creates the directory of a page; returns the names of the plots of an earlier one.

    Raises:
        ConfigError: If the directory holds files that a report would overwrite, but no report.
    """
    page = directory / PAGE
    if not page.exists():
        taken = [name for name in CONTENT if (directory / name).exists()]
        if taken and not _is_ours(directory):
            problem = f"{directory} holds {', '.join(taken)}, but no report of dqn_exp"
            raise ConfigError([f"{problem}; choose another directory."])
        directory.mkdir(parents=True, exist_ok=True)
        write_text(page, UNFINISHED)
    content = page.read_text(encoding="utf-8")
    if GENERATOR not in content:
        raise ConfigError([f"{page} is not a report of dqn_exp; choose another directory."])
    (directory / PLOTS).mkdir(exist_ok=True)
    return set(re.findall(r'href="plots/([\w-]+)\.png"', content))


def _is_ours(directory: Path) -> bool:
    """Returns whether a directory is where the report of a sweep or a run lies by default."""
    signs = (directory.parent / name for name in (NAME, ".hydra"))
    return directory.name == "report" and any(sign.exists() for sign in signs)


def remove_plots(directory: Path, names: Iterable[str]) -> None:
    """Removes plots of an earlier page."""
    for name, suffix in itertools.product(names, FORMATS):
        (directory / PLOTS / f"{name}.{suffix}").unlink(missing_ok=True)


def render_page(directory: Path, template: str, **values: Any) -> Path:
    """Writes a page from a template and its values; returns its path."""
    environment = Environment(
        loader=PackageLoader("dqn_exp.analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates = Path(__file__).parent / "templates"
    # Not included as templates: a library has braces of its own.
    assets = {name: Markup((templates / name).read_text("utf-8")) for name in ASSETS}
    content = environment.get_template(template).render(values, assets=assets)
    write_text(directory / PAGE, content)
    return directory / PAGE


def write_text(path: Path, text: str) -> None:
    """Writes a file of a page, atomically."""
    write_atomically(path, text.encode())
