"""Ids of environments, and the modules that register them."""

import re
import subprocess
import sys

import numpy as np
import pytest

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.make import make_vector_env
from dqn_exp.env.registry import find_spec

MODULES = {
    "registers": "import gymnasium, tests.odd_envs as odd\n"
    "gymnasium.register('Mine-v0', entry_point=odd.Corridor, max_episode_steps=5)\n",
    "registers_later": "import gymnasium, tests.odd_envs as odd\n"
    "def register_envs():\n"
    "    gymnasium.register('Space/Later-v0', entry_point=odd.Corridor, max_episode_steps=5)\n",
    "cannot_register": "def register_envs():\n    raise OSError('no licence')\n",
    "bad_name": "import os\nprint(missing)\n",
    "bad_syntax": "\n\ndef f(:\n",
    "old_gym": "import gym\n",
    "exits": "raise SystemExit(3)\n",
}


@pytest.fixture
def modules(tmp_path, monkeypatch):
    for name, text in MODULES.items():
        (tmp_path / f"odd_{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize("env_id", ["odd_registers:Mine-v0", "odd_registers_later:Space/Later-v0"])
def test_an_id_may_name_the_module_that_registers_it(modules, env_id):
    assert find_spec(env_id).max_episode_steps == 5
    environments = make_vector_env(EnvArguments(env_id), 2)
    assert environments.reset(np.arange(2), np.arange(2)).shape == (2, 3)


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("odd_registers:Other-v0", "no environment 'Other-v0' is registered by odd_registers."),
        ("odd_cannot_register:X-v0", "register_envs of odd_cannot_register raised OSError: no lic"),
        ("odd_bad_name:X-v0", "importing odd_bad_name raised NameError: name 'missing' is not def"),
        ("odd_bad_name:X-v0", "(odd_bad_name.py, line 2)."),
        ("odd_bad_syntax:X-v0", "importing odd_bad_syntax raised SyntaxError: "),
        ("odd_bad_syntax:X-v0", "(odd_bad_syntax.py, line 3)."),
        ("odd_old_gym:X-v0", "odd_old_gym imports gym, which is not installed (odd_old_gym.py, l"),
        ("odd_old_gym:X-v0", "Gymnasium is its successor"),
        ("odd_exits:X-v0", "importing odd_exits raised SystemExit: 3 (odd_exits.py, line 1)."),
        (
            "odd_nowhere:X-v0",
            "no module named 'odd_nowhere' was found in the current directory",
        ),
        ("./silent:X-v0", "expected a module before the colon, such as my_package.my_module, got"),
        ("CartPoel-v1", "no environment 'CartPoel-v1' is registered. Did you mean CartPole-v1"),
        ("cartpole-v1", "Did you mean CartPole-v1 or CartPole-v0?"),
        (
            "Unheard-v0",
            "If a module registers it, put its name in front: env.id=my_module:Unheard-v0",
        ),
        ("CartPole-v7", "Did you mean CartPole-v1 or CartPole-v0?"),
        ("not an id", "no environment 'not an id' is registered. If a module"),
    ],
)
def test_unknown_ids_and_bad_modules_are_one_line(modules, env_id, message):
    for _ in range(2):  # Also where the module was imported before.
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            find_spec(env_id)
        assert str(caught.value).startswith("env.id: ") and "\n" not in str(caught.value)


def test_what_is_near_is_found_in_every_namespace(modules):
    find_spec("odd_registers_later:Space/Later-v0")
    with pytest.raises(ValueError, match="Did you mean Space/Later-v0"):
        find_spec("Latter-v0")


@pytest.mark.parametrize(
    ("package", "env_id", "extra"),
    [("minatar", "minatar/breakout-v0", "minatar"), ("ale_py", "atari/pong-v5", "atari")],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(package, env_id, extra):
    # In a process of its own, since the package may have been imported here.
    script = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "from dqn_exp.env.arguments import EnvArguments\n"
        "from dqn_exp.env.trial import try_env\n"
        f"print(*try_env(EnvArguments({env_id!r}, None, {{}})).problems, sep='\\n')"
    )
    command = [sys.executable, "-c", script]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(
        rf"env\.id: \S+ needs a package that is not installed: .*{package}.*\. "
        rf"Install it with: pip install 'dqn-exp\[{extra}\]'\n",
        printed,
    )
