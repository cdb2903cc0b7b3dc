import pytest

from dqn_exp.analysis import page, plot_files


@pytest.fixture(autouse=True)
def one_format(request, monkeypatch):
    """Writes pictures in one format only, which is faster, where a test is not about them."""
    if "all_formats" not in request.fixturenames:
        monkeypatch.setattr(plot_files, "FORMATS", ("svg",))


@pytest.fixture
def without_plots(monkeypatch):
    """Leaves out the plots, for tests of the text of reports."""
    monkeypatch.setattr(page, "make_plots", lambda *_: [])


@pytest.fixture
def all_formats() -> None:
    """Writes pictures in all formats."""
