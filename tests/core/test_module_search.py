import sys

from dqn_exp.core.module_search import search_in_sources


def test_modules_are_searched_where_the_run_searched_them(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "of_the_user.py").write_text("FOUND = True\n")
    sources = [
        {"provider": "main", "path": "/nowhere"},
        {"provider": "command-line", "path": str(tmp_path)},
    ]
    search_in_sources(sources)
    search_in_sources(sources)
    assert sys.path[-1] == str(tmp_path) and sys.path.count(str(tmp_path)) == 1
    import of_the_user

    assert of_the_user.FOUND
