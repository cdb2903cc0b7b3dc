"""A run that was interrupted or killed goes on, and ends as if nothing had happened."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from tests.command import files_below, table_of
from tests.conftest import results_of
from tests.resuming import (
    empty,
    interrupt,
)


def test_a_run_goes_on_with_the_engine_that_has_begun_it(command, resumed, tmp_path):
    """Also where engine=auto would choose the other now; unless it is asked for."""
    for name, overrides, expected in (("a", (), "torch"), ("b", ("engine=native",), "native")):
        begun = command("trainer.total_steps=90", f"hydra.run.dir={name}", "engine=torch")
        assert begun.status == 0
        folder = tmp_path / name
        config = folder / ".hydra/config.yaml"
        config.write_text(config.read_text().replace("engine: torch", "engine: auto"))
        result = json.loads((folder / "result.json").read_text())
        (folder / "result.json").write_text(json.dumps({**result, "status": "interrupted"}))
        before = len((folder / "train.log").read_text())
        assert resumed(name, *overrides).status == 0
        assert f"Engine {expected}" in (folder / "train.log").read_text()[before:]


def test_a_sweep_goes_on_where_it_was(command, resumed, tmp_path):
    assert command("-m", "seed=1,2,3,4", "hydra.sweep.dir=s").status == 0
    shutil.copytree(tmp_path / "s", tmp_path / "peace")
    completed, saved, begun, pending = (
        tmp_path / "s" / row["dir"] for row in table_of(tmp_path / "s")
    )
    interrupt(saved)
    empty(begun)
    shutil.rmtree(pending)
    untouched = files_below(completed)
    dry = resumed("s", "--dry-run")
    assert dry.status == 0 and dry.out.splitlines() == [
        "skip   s/0_seed=1: completed",
        "resume s/1_seed=2, from step 160",
        "begin  s/2_seed=3",
        "begin  s/3_seed=4",
        "3 of 4 runs would be trained.",
    ]
    ended = resumed("s")
    assert ended.status == 0, ended
    assert "Training 3 of 4 runs." in ended.out and "4 of 4 runs completed." in ended.out
    assert files_below(completed) == untouched
    assert (tmp_path / "s/sweep.csv").read_bytes() == (tmp_path / "peace/sweep.csv").read_bytes()
    for row in table_of(tmp_path / "peace"):
        assert results_of(tmp_path / "s" / row["dir"]) == results_of(
            tmp_path / "peace" / row["dir"]
        )
    for name in ("config.yaml", "overrides.yaml"):
        theirs = tmp_path / "peace" / pending.name / ".hydra" / name
        assert (pending / ".hydra" / name).read_bytes() == theirs.read_bytes()
    again = resumed("s")
    assert again.status == 0 and "Training 0 of 4 runs." in again.out


def test_kills_at_random_moments_change_no_byte():
    script = Path(__file__).parent.parent.parent / "scripts" / "kill_and_resume.py"
    options = ["--kills", "1", "--steps", "400", "--longest", "3"]
    sweep = ["seed=0,1", "agent.n_step=1,3"]
    done = subprocess.run(
        [sys.executable, script, *options, *sweep],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kills" in done.stdout.splitlines()[-1]
