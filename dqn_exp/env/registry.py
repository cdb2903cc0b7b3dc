"""Lookup of environments by id: imports of their modules, and messages for unknown ids."""

import difflib
import importlib
import re
import traceback
from functools import cache
from pathlib import Path
from types import ModuleType

import gymnasium
from gymnasium.envs.registration import EnvSpec

from dqn_exp.core.errors import describe_error
from dqn_exp.core.extras import MissingExtraError

PACKAGE = str(Path(__file__).parent.parent)
OWN_MODULES = {"atari": "dqn_exp.env.atari", "minatar": "dqn_exp.env.minatar"}
"""Modules of this package that register environments, by namespace of their ids."""

MOST_NAMED = 12
"""Games that a message lists."""

ATARI = re.compile(r"ALE/(\w+)-v5")

OWN_ID = re.compile(rf"({'|'.join(OWN_MODULES)})/(.*)-v(\d+)")
"""Ids of the environments of this package: namespace, game and version."""

MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def find_spec(env_id: str) -> EnvSpec:
    """Returns the specification that is registered under an id.

    Args:
        env_id: such as CartPole-v1, or my_module:MyEnv-v0, whose module registers the environment
            when it is imported, or in its function `register_envs`; or my_module:MyEnv, a class or
            a function that returns the environment. ALE/Pong-v5 is atari/pong-v5.

    Raises:
        ValueError: If there is none, with the key.
    """
    module, _, name = env_id.rpartition(":")
    if not module and (atari := ATARI.fullmatch(name)):
        name = f"atari/{_game_of(atari[1])}-v5"
    module = module or OWN_MODULES.get(name.partition("/")[0], "")
    if module:
        _register(module, name)
    if module and name not in gymnasium.registry and callable(getattr(_import(module), name, None)):
        return EnvSpec(name, entry_point=getattr(_import(module), name))
    try:
        return gymnasium.spec(name)
    except gymnasium.error.Error as error:
        raise ValueError(_unknown(name, module)) from error


def short_name(env_id: str) -> str:
    """Returns an id without its module."""
    return env_id.rpartition(":")[2]


def _game_of(title: str) -> str:
    """Returns the game that ale-py registers with a title, such as SpaceInvaders."""
    _register_envs(OWN_MODULES["atari"])
    games = [found[2] for key in gymnasium.registry if (found := OWN_ID.fullmatch(key))]
    by_title = {game.title().replace("_", ""): game for game in games}
    return by_title.get(title) or re.sub("(?<!^)(?=[A-Z])", "_", title).lower()


def _register(module: str, name: str) -> None:
    _import(module)
    if name not in gymnasium.registry:
        _register_envs(module)


@cache
def _register_envs(module: str) -> None:
    imported = _import(module)
    if hasattr(imported, "register_envs"):
        try:
            imported.register_envs()
        except MissingExtraError as error:
            raise ValueError(f"env.id: {needs_package(module, error)}") from error
        except (Exception, SystemExit) as error:  # Foreign code may raise any error.
            raise ValueError(f"env.id: register_envs of {module} raised {place(error)}.") from error


@cache
def _import(module: str) -> ModuleType:
    if not MODULE.fullmatch(module):
        raise ValueError(
            f"env.id: expected a module before the colon, such as my_package.my_module, "
            f"got {module!r}."
        )
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:  # A module may raise any error.
        raise ValueError(f"env.id: {_import_problem(module, error)}") from error


def _import_problem(module: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        if module == error.name or module.startswith(f"{error.name}."):
            return (
                f"no module named {error.name!r} was found in the current directory, in "
                "--config-dir or among the installed packages."
            )
        hint = " Gymnasium is its successor: import gymnasium." if error.name == "gym" else ""
        return f"{module} imports {error.name}, which is not installed ({_where(error)}).{hint}"
    return f"importing {module} raised {place(error)}."


def needs_package(name: str, error: Exception) -> str:
    """Returns what to say of an environment whose package is missing."""
    text = " ".join(str(error).split())
    return f"{name} needs a package that is not installed: {text}"


def place(error: BaseException) -> str:
    """Returns the type, message and place of an error that foreign code raised, in one line."""
    # The message of a syntax error has the place as well.
    text = describe_error(error)
    if isinstance(error, SyntaxError):
        text = f"{type(error).__name__}: {error.msg}"
    return f"{text.strip().splitlines()[0].rstrip('.')} ({_where(error)})"


def _where(error: BaseException) -> str:
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    # Of the environment itself rather than of a wrapper around it.
    inner = ("/gymnasium/", "/numpy/", PACKAGE, "<")
    own = [f for f in frames if not any(one in Path(f.filename).as_posix() for one in inner)]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}"


def _unknown(name: str, module: str) -> str:
    if not name:
        return "env.id: expected an id, such as CartPole-v1 or my_module:MyEnv-v0, got none."
    if problem := _unknown_game(name):
        return problem
    where = f" by {module}" if module else ""
    near = _near(name)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    if not module and not near:
        shown = name if _is_id(name) else "MyEnv-v0"
        hint = f" If a module registers it, put its name in front: env.id=my_module:{shown}"
    return f"env.id: no environment {name!r} is registered{where}.{hint}"


def _unknown_game(name: str) -> str:
    """Returns what to say of an id such as minatar/brekout-v1 of this package; "" for others."""
    found = OWN_ID.fullmatch(name)
    if found is None:
        return ""
    space, game, version = found.groups()
    ids = sorted(key for key in gymnasium.registry if key.startswith(f"{space}/"))
    games = [known[2] for key in ids if (known := OWN_ID.fullmatch(key)) and known[3] == version]
    if not games:
        return f"env.id: no environment {name!r} is registered. Expected such as {ids[0]}."
    expected = f"one of {', '.join(games)}" if len(games) <= MOST_NAMED else "a game of ale-py"
    plain = re.sub(r"[\W_]+", "_", game.lower())
    near = difflib.get_close_matches(plain, games, n=3, cutoff=0.7)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"env.game: expected {expected}, got {game!r}.{hint}"


def _near(name: str) -> list[str]:
    """Returns at most three registered ids that resemble a name, whatever their namespaces."""
    known = [key for key in gymnasium.registry if not key.startswith("phys2d/")]
    by_lower = {key.rpartition("/")[2].lower(): key for key in sorted(known)}
    wanted = name.rpartition("/")[2].lower()
    # Versions are alike in all ids, so only names are compared.
    names = {_without_version(key) for key in by_lower}
    close = difflib.get_close_matches(_without_version(wanted), names, n=3, cutoff=0.7)
    near = difflib.get_close_matches(wanted, by_lower, n=30, cutoff=0.5)
    near = [key for key in near if _without_version(key) in close][:3]
    same = [key for key in near if _without_version(key) == _without_version(wanted)]
    return [by_lower[key] for key in same or near]


def _without_version(name: str) -> str:
    return re.sub(r"-v\d+$", "", name)


def _is_id(name: str) -> bool:
    return re.fullmatch(r"([\w:-]+/)?[\w:.-]+-v\d+", name) is not None
