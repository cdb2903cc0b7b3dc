"""The report as a page in Markdown."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def to_markdown_page(
    title: str, content: Mapping[str, Any], sections: Sequence[Mapping[str, Any]]
) -> str:
    """Returns the page.

    Args:
        title: of the report.
        content: of the whole report.
        sections: of its groups.
    """
    return "".join(_lines(title, content, sections))


def _lines(
    title: str, content: Mapping[str, Any], sections: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    yield f"# {title}\n\n{content['made']}\n"
    if content["confirmation"]:
        yield f"\nConfirmed with fresh seeds: [report]({content['confirmation']}).\n"
    for section in sections:
        yield from _section(section, content["table_note"])
    if content["troubles"]:
        yield "\n## Runs that have not completed\n\n"
    for one in content["troubles"]:
        log = f" [train.log]({one.log})" if one.log else ""
        yield f"- {one.name}: {one.status} {one.error}{log}\n"
    if content["commands"]:
        yield f"\n## How to reproduce\n\n{content['commands_note']}\n"
    yield from (f"\n```bash\n{command}\n```\n" for command in content["commands"])
    yield "\n## Run details\n\n"
    yield from (f"- {name}: {value}\n" for name, value in content["facts"])


def _section(section: Mapping[str, Any], table_note: str) -> Iterator[str]:
    if section["label"]:
        yield f"\n## {section['label']}\n"
    yield f"\n{section['verdict']}\n\n{section['subtitle']}\n"
    yield from (f"\n{note}\n" for note in section["notes"])
    yield f"\n## Settings\n\n{table_note}\n\n{section['markdown']}"
    if section["improvements"]:
        yield f"\n## Probability of improvement of {section['best']}\n\n"
    for label, value, interval, p_value in section["improvements"]:
        yield f"- over {label}: {value} [{interval}], p = {p_value}\n"
    for plot in section["plots"]:
        yield f"\n## {plot.title}\n\n![{plot.title}](plots/{plot.name}.png)\n\n{plot.caption}\n"
