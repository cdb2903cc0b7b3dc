"""The files of a report."""

import json
import re
import shutil

import pytest
from PIL import Image

from dqn_exp.analysis.page_files import begin_page
from dqn_exp.analysis.report import write_report
from dqn_exp.core.errors import ConfigError
from tests.sweep_files import SWEPT, lines_of, page_of, report_of, returns_of, write_sweep


def test_all_pictures_are_there_and_in_the_page(tmp_path, all_formats):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    page = report_of([tmp_path / "s"]).read_text()
    names = ["curves", "heat_map_gamma_epsilon", "profiles"]
    names += ["sensitivity_epsilon", "sensitivity_gamma", "settings"]
    found = sorted(path.name for path in (tmp_path / "s/report/plots").iterdir())
    assert found == sorted(f"{name}.{form}" for name in names for form in ("pdf", "png", "svg"))
    # The browser draws the others.
    assert page.count("data:image/svg+xml;base64,") == 2 * 2
    own = re.sub(r"(?s)<script>.*?</script>", "", page)
    links = re.findall(r'(?:href|src|srcset)="([^"]+)"', own)
    assert len(links) > 3 * len(names)
    assert all(link.startswith(("data:", "plots/", "../")) for link in links)
    assert "http" not in re.sub(r"data:[^\"]+", "", own)
    assert len(page) < 5e6
    assert b"/FontFile2" in (tmp_path / "s/report/plots/curves.pdf").read_bytes()
    with Image.open(tmp_path / "s/report/plots/curves.png") as image:
        assert image.info["dpi"][0] == pytest.approx(300, abs=1)
    before = {p.name: p.read_bytes() for p in (tmp_path / "s/report/plots").iterdir()}
    report_of([tmp_path / "s"])
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "s/report/plots").iterdir()}


def test_pictures_of_an_earlier_report_are_taken_away(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    report_of([tmp_path / "s"])
    for path in (tmp_path / "s").glob("*epsilon=0.[12]*"):
        shutil.rmtree(path)
    (tmp_path / "s/report/plots/notes.txt").write_text("mine")
    jobs = (tmp_path / "s/jobs.jsonl").read_text().splitlines()
    kept = [line for line in jobs[1:] if json.loads(line)["swept"]["agent.epsilon"] == "0.05"]
    jobs[1:] = kept
    (tmp_path / "s/jobs.jsonl").write_text("\n".join(jobs) + "\n")
    report_of([tmp_path / "s"])
    found = {path.name for path in (tmp_path / "s/report/plots").iterdir()}
    assert "notes.txt" in found and "curves.svg" in found
    assert not any("epsilon" in name for name in found)


def test_what_users_name_their_values_is_text_and_nothing_else(tmp_path):
    values = {"env.id": ["<script>alert(1)</script>", "a|b"], "seed": [0, 1]}
    write_sweep(tmp_path / "s", values, lambda values: {100: 5.0})
    report_of([tmp_path / "s"])
    assert "<script>alert" not in page_of(tmp_path / "s")
    assert "&lt;script&gt;alert" in page_of(tmp_path / "s")
    assert "\\u003cscript\\u003ealert" in page_of(tmp_path / "s")  # In the data of the charts.
    assert "a|b" in lines_of(tmp_path / "s")


def test_what_others_have_put_there_stays(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0, 1]}, lambda values: {100: 5.0})
    write_report([tmp_path / "s"], tmp_path / "c", compares=True)
    (tmp_path / "c/plots/thesis.png").write_text("mine")
    for _ in range(2):
        write_report([tmp_path / "s"], tmp_path / "c", compares=True)
        assert (tmp_path / "c/plots/thesis.png").read_text() == "mine"
    (tmp_path / "c/index.html").write_text("<h1>My page</h1>")
    with pytest.raises(ConfigError, match="is not a report of dqn_exp"):
        write_report([tmp_path / "s"], tmp_path / "c", compares=True)
    assert (tmp_path / "c/index.html").read_text() == "<h1>My page</h1>"


@pytest.mark.parametrize("name", ["settings.csv", "report.md", "plots/a.png", "tensorboard/a"])
def test_a_directory_with_files_of_others_is_refused(tmp_path, name):
    write_sweep(tmp_path / "s", {"seed": [0]}, lambda values: {100: 5.0})
    path = tmp_path / "paper" / name
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    problem = f"paper holds {name.split('/')[0]}, but no report of dqn_exp; choose another"
    with pytest.raises(ConfigError, match=problem):
        write_report([tmp_path / "s"], tmp_path / "paper")
    found = [one for one in (tmp_path / "paper").rglob("*") if one.is_file()]
    assert found == [path] and path.read_text() == "mine"


def test_a_report_that_was_not_finished_is_written_again(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0]}, lambda values: {100: 5.0})
    (tmp_path / "s/report/plots").mkdir(parents=True)  # As earlier versions left it.
    begin_page(tmp_path / "s/report")
    assert "not finished" in (tmp_path / "s/report/index.html").read_text()
    (tmp_path / "s/report/settings.csv").write_text("of a report that was killed")
    page = report_of([tmp_path / "s"])
    assert "not finished" not in page.read_text()
