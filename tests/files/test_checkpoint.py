import os
import pickle
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from dqn_exp.files.checkpoint import (
    FORMAT,
    NEWEST,
    PREVIOUS,
    Checkpoint,
    checkpoints_of,
    load_checkpoint,
    save_checkpoint,
)


class Malicious:
    """Unpickled without care, it runs a command."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def save(folder, state, **options) -> None:
    """Saves a checkpoint with a state, and a step among the counts."""
    parts = {"config": {}, "config_hash": "abc", "engine": "native", "counts": {}, "tables": {}}
    save_checkpoint(folder, Checkpoint(**parts, state=state), **options)


def names_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_comes_back_exactly(tmp_path):
    content = {
        "arrays": {"float": np.array([0.1, np.nan]), "whole": np.int64(2**62), "b": np.array(True)},
        "tensor": torch.arange(6.0)[::2],
        "plain": [1, 0.1, "text", None, {"deep": (1, 2)}],
    }
    save(tmp_path, content)
    found = load_checkpoint(tmp_path / NEWEST).state
    assert found["arrays"]["float"].dtype == torch.float64
    np.testing.assert_array_equal(found["arrays"]["float"], [0.1, np.nan])
    assert found["arrays"]["whole"] == 2**62 and found["arrays"]["b"].item() is True
    assert found["tensor"].tolist() == [0.0, 2.0, 4.0]
    assert found["plain"] == [1, 0.1, "text", None, {"deep": [1, 2]}]
    assert names_in(tmp_path) == [NEWEST]


def memory(name: str) -> int:
    """A line of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_neither_saving_nor_loading_takes_the_memory_of_the_content_again(tmp_path):
    size = 200_000_000
    content = torch.randint(256, (size,), dtype=torch.uint8)
    Path("/proc/self/clear_refs").write_text("5")  # Begins a new peak.
    before = memory("VmRSS")
    save(tmp_path, {"content": content})
    assert memory("VmHWM") - before < size / 4
    before = memory("RssAnon")
    loaded = load_checkpoint(tmp_path / NEWEST).state["content"]
    assert torch.equal(loaded, content) and memory("RssAnon") - before < size / 4


def test_the_one_before_is_kept_until_and_after_the_next_is_there(tmp_path):
    for step in range(3):
        save(tmp_path, {"step": step})
    newest, previous = checkpoints_of(tmp_path)
    assert [load_checkpoint(path).state["step"] for path in (newest, previous)] == [2, 1]
    save(tmp_path, {"step": 3}, keeps_previous=False)
    assert names_in(tmp_path) == [NEWEST] and load_checkpoint(newest).state["step"] == 3


def test_the_next_goes_to_the_disk_before_the_one_before_gives_way(tmp_path, monkeypatch):
    events = []
    replace, sync = Path.replace, os.fsync

    def told_replace(self, target):
        events.append(f"{self.name.split('.pt')[0]} -> {target.name}")
        return replace(self, target)

    def told_sync(descriptor):
        events.append("sync")
        sync(descriptor)

    save(tmp_path, {"step": 0})
    monkeypatch.setattr(Path, "replace", told_replace)
    monkeypatch.setattr(os, "fsync", told_sync)
    save(tmp_path, {"step": 1})
    assert events == [
        "sync", f"checkpoint -> {PREVIOUS}", f".checkpoint -> {NEWEST}", "sync"
    ]  # fmt: skip


def test_a_failed_save_leaves_both_as_they_were(tmp_path, monkeypatch):
    for step in range(2):
        save(tmp_path, {"step": step})
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, {"step": 2})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_a_single_changed_byte_is_noticed(tmp_path, place):
    save(tmp_path, {"state": torch.rand(3_000)})
    path = tmp_path / NEWEST
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="checkpoint"):
        load_checkpoint(path)


def test_what_is_missing_cut_or_foreign_is_refused(tmp_path):
    path = tmp_path / NEWEST
    with pytest.raises(ValueError, match="No such file"):
        load_checkpoint(path)
    save(tmp_path, {"state": torch.rand(300)})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="expected a checkpoint of dqn_exp"):
        load_checkpoint(path)
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="expected a checkpoint of dqn_exp"):
        load_checkpoint(path)
    torch.save({"format": FORMAT, "state": {}}, path)
    with pytest.raises(ValueError, match="expected a complete checkpoint, got state"):
        load_checkpoint(path)
    for foreign in ({"format": 99}, {"online": torch.ones(1)}, torch.ones(3)):
        torch.save(foreign, path)
        with pytest.raises(ValueError, match="expected a checkpoint of format 5"):
            load_checkpoint(path)


@pytest.mark.parametrize("kind", ["torch", "zip", "pickle"])
def test_a_malicious_file_is_refused_and_does_not_run(tmp_path, kind):
    path, mark = tmp_path / NEWEST, tmp_path / "it_ran"
    evil = Malicious(f"touch {mark}")
    if kind == "torch":
        torch.save({"format": FORMAT, "config": {}, "state": evil}, path)
    elif kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(evil))
            archive.writestr("archive/version", "3\n")
    else:
        path.write_bytes(pickle.dumps(evil))
    with pytest.raises(ValueError, match="expected a checkpoint of dqn_exp"):
        load_checkpoint(path)
    assert not mark.exists()
    if kind == "torch":  # The file would have done it.
        torch.load(path, weights_only=False)
        assert mark.exists()
