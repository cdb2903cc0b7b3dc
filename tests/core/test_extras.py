import pytest

from dqn_exp.core.extras import import_extra


def test_a_module_that_is_there_is_returned():
    assert import_extra("json", "video").dumps([1]) == "[1]"


def test_a_missing_module_is_an_error_with_the_command_that_installs_it():
    with pytest.raises(ImportError, match=r"no_such.*Install it with: pip install 'dqn-exp\[ray\]"):
        import_extra("no_such_module", "ray")
