import pytest

from dqn_exp.analysis import page


@pytest.fixture
def without_plots(monkeypatch):
    """Leaves out the plots, for tests of the text of reports."""
    monkeypatch.setattr(page, "make_plots", lambda *_: [])
