import contextlib
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dqn_exp.config.schema import Config
from scripts.make_config_docs import PAGE, to_page

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_the_page_of_keys_is_that_of_the_schema():
    assert PAGE.read_text() == to_page(), "Run python scripts/make_config_docs.py."


def keys_of(section, prefix: str = "") -> set[str]:
    found = set()
    for name, field in section.model_fields.items():
        inner = re.findall(r"(\w+Config)\b", str(field.annotation))
        if not inner:
            found.add(prefix + name)
    return found


def test_every_key_of_the_schema_is_on_the_page():
    page = PAGE.read_text()
    for name, field in Config.model_fields.items():
        for section in (field.annotation, *getattr(field.annotation, "__args__", ())):
            for key in keys_of(section, f"{name}.") if hasattr(section, "model_fields") else ():
                assert key.endswith(".kind") or f"| `{key}` |" in page, key
    for key in keys_of(Config):
        assert f"| `{key}` |" in page, key


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text)
    assert targets or page.name != "README.md"
    for target in targets:
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), target
        headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {one.lower().replace(" ", "-") for one in headings}, target


@pytest.mark.parametrize("tags", [True, False], ids=["logged", "documented"])
def test_the_page_of_tags_tells_of_all_tags_and_no_others(tags, tmp_path):
    from tests.conftest import make_config, train_in_folders
    from tests.files.test_run_record import load_events

    config = make_config(
        trainer__total_steps=600, log__every_steps=100, eval__every_steps=300, eval__episodes=2
    )
    train_in_folders([config], [tmp_path])
    logged = set(load_events(tmp_path).Tags()["scalars"])
    text = (ROOT / "docs/tags.md").read_text()
    documented = set(re.findall(r"`((?:episode|eval|perf|buffer|spread|train|value)/\w+)`", text))
    assert logged <= documented if tags else documented - logged <= {"value/start_"}


@pytest.mark.parametrize("page", ["README.md", "docs/python.md"])
def test_the_examples_of_python_run_as_they_stand(page, tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    said, names = io.StringIO(), {}
    with contextlib.redirect_stdout(said):
        for block in blocks:
            exec(block, names)
    assert "agent.gamma" in said.getvalue()
    if page == "docs/python.md":
        assert "agent.gama: unknown key. Did you mean agent.gamma?" in said.getvalue()
        assert (tmp_path / "curves.pdf").exists() and names["page"].exists()
        assert len(names["result"].confirmation.settings) == 1


def test_a_script_that_uses_all_of_it_passes_strict_type_checking(tmp_path):
    text = (ROOT / "docs/python.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "script.py").write_text("\n".join(blocks))
    # With the configuration of the project, which is strict, and what it has cached.
    command = [sys.executable, "-m", "mypy", str(tmp_path / "script.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
