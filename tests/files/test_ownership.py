import pytest

from dqn_exp.files.ownership import (
    OwnershipError,
    check_ownership,
    grant_ownership,
    new_token,
    revoke_ownership,
)


def test_only_the_last_owner_may_write(tmp_path):
    first, second = new_token(), new_token()
    assert first != second
    grant_ownership(tmp_path, first)
    check_ownership(tmp_path, first)
    grant_ownership(tmp_path, second)
    check_ownership(tmp_path, second)
    with pytest.raises(OwnershipError, match="was given to another worker"):
        check_ownership(tmp_path, first)
    revoke_ownership(tmp_path)
    revoke_ownership(tmp_path)
    with pytest.raises(OwnershipError):
        check_ownership(tmp_path, second)


def test_the_process_of_the_command_needs_no_token(tmp_path):
    check_ownership(tmp_path, None)
