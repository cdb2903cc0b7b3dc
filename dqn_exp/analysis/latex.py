"""The table of settings in LaTeX."""

import re
from collections.abc import Sequence

from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.table import make_columns

SPECIAL = {
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def to_latex(groups: Sequence[Group]) -> str:
    """Returns a tabular per group, with the columns of the report."""
    return "\n".join(_tabular(group) for group in groups)


def _tabular(group: Group) -> str:
    columns = make_columns(group)
    kinds = "".join("l" if column.is_text else "r" for column in columns)
    rows = [[column.text(setting) for column in columns] for setting in group.settings]
    heading = f"% {group.label}\n" if group.label else ""
    lines = [_line([column.name for column in columns]), "\\hline\n", *map(_line, rows)]
    body = "".join(lines)
    return f"{heading}\\begin{{tabular}}{{{kinds}}}\n\\hline\n{body}\\hline\n\\end{{tabular}}\n"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(map(escape, cells)) + " \\\\\n"


def escape(text: str) -> str:
    """Returns a text with the letters escaped that LaTeX gives a meaning."""
    return re.sub(r"[&%$#_{}\\~^]", lambda found: SPECIAL[found[0]], text)
