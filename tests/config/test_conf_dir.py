import shutil

import pytest

from dqn_exp.config import conf_dir as module
from dqn_exp.config.conf_dir import conf_dir


def test_the_files_inside_the_package_win_over_those_beside_it(tmp_path, monkeypatch):
    original = conf_dir()
    monkeypatch.setattr(module, "__file__", str(tmp_path / "dqn_exp/config/conf_dir.py"))
    with pytest.raises(FileNotFoundError, match="expected it in or beside"):
        conf_dir()
    for folder in (tmp_path / "conf", tmp_path / "dqn_exp/conf"):
        folder.mkdir(parents=True)
        shutil.copy(original / "config.yaml", folder)
        assert conf_dir() == folder
