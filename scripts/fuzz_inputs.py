"""Feeds generated bad inputs to the training command, and checks how it refuses them.

Each input has at least one mistake: keys, values, types, groups, syntax, files and directories, and
environments that misbehave. The command must end with status 2 and one line per problem, without a
traceback, within 5 seconds, and must leave all files as they were.

    python scripts/fuzz_inputs.py                       # 1,000 inputs, two at a time
    python scripts/fuzz_inputs.py --count 50 --seed 7
    python scripts/fuzz_inputs.py --only 123            # shows one input and its output
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from dqn_exp.config.messages import known_keys

SHORT = ("trainer.total_steps=200", "eval.every_steps=null", "log.progress=false")
SECONDS = 5.0

KEYS = sorted(key for key, option in known_keys().items() if "." in key and not option)
NUMBERS = (
    *("agent.gamma", "agent.epsilon", "agent.learning_rate", "agent.batch_size"),
    *("agent.learning_starts", "agent.train_every", "agent.gradient_steps", "agent.n_step"),
    *("agent.target_update_period", "buffer.capacity", "seed", "eval.seed", "eval.episodes"),
    *("eval.max_episode_steps", "trainer.total_episodes", "log.every_steps", "num_threads"),
    "env.max_episode_steps",
)
JUNK = (
    *("abc", "-1", "-0.5", "1e40", "nan", "inf", "true", "[1,2]", "{a: 1}", "'3'", "0.1.2"),
    *("-inf", "0..5", "1e400", "99999999999999999999999"),
)
GROUPS = ("agent", "network", "buffer", "env", "experiment", "without", "agent/target",
          "agent/value", "agent/optimizer", "hydra/launcher", "hydra/sweeper")  # fmt: skip
SYNTAX = (
    *("agent.gamma", "agent.gamma:0.9", "agent.gamma==0.9", "agent.gamma=[0.9", "agent.gamma=(1"),
    *("agent.gamma=0.9,", 'env.kwargs={"gravity": 3}', "env.kwargs={gravity=3}", "seed=a=b"),
    *("agent.gamma='0.9", 'agent.gamma="0.9', "hydra.run.dir=a/x=1", "+agent.gamma=0.9"),
    *("+experiment=book", "~agent.epsilon_start", "~agent.nothing", "--agent.gamma=1", "--colour"),
    *("agent.gamma=${nothing}", "seed=${oc.env:NOT_SET_AT_ALL}", "seed=${oc.env:HOME}"),
    *("agent.gamma=0.9,0.99", "seed=range(3)", "env.kwargs.gravity=3", "seed=choice()", "=1"),
    *("agent.gamma=0.9;seed=1", "@=3", "a b c", "seed=range(0,3", "${seed}=1"),
)
CONTRADICTIONS = (
    ("agent.batch_size=500", "buffer.capacity=100"),
    ("agent.learning_starts=20_000",),
    ("agent.target_update_tau=0.1",),
    ("agent.target_update_period=null",),
    ("agent.epsilon_start=1.0",),
    ("agent.epsilon_decay=exponential",),
    ("agent/value=categorical", "agent.value.v_min=5", "agent.value.v_max=1"),
    ("agent/value=categorical", "agent.loss=mse"),
    ("agent/target=munchausen", "agent.n_step=3"),
    ("agent/target=munchausen", "agent/value=quantile"),
    ("trainer.total_steps=null",),
    ("log.video=true", "log.tensorboard=false"),
    ("engine=native", "device=cuda"),
    ("device=gpu",),
    ("device=cuda:9",),
    ("buffer.capacity=2_000_000_000",),
    ("network.hidden_sizes=[65536,65536,65536]",),
    ("agent.learning_rate_end=1e-5",),
)
ENVIRONMENTS = {
    "reset": "return self.observe()",
    "step4": "return self.observe(), 0.0, False, {}",
    "step6": "return self.observe(), 0.0, False, False, {}, 1",
    "no_step": "return None",
    "reward_none": "return self.observe(), None, False, False, {}",
    "reward_text": "return self.observe(), 'much', False, False, {}",
    "reward_nan": "return self.observe(), float('nan'), False, False, {}",
    "reward_many": "return self.observe(), np.zeros(NUMBER + 2), False, False, {}",
    "flag": "return self.observe(), 0.0, 'yes', False, {}",
    "raises": "raise RuntimeError('number NUMBER')",
    "exits": "raise SystemExit(NUMBER)",
    "observe_nan": "return np.full(4, np.nan)",
    "observe_short": "return np.zeros(NUMBER % 4)",
    "observe_long": "return np.zeros(5 + NUMBER)",
    "observe_text": "return 'NUMBER'",
    "observe_none": "return None",
    "observe_dict": "return {'a': NUMBER}",
    "init": "raise OSError('no simulator on port NUMBER')",
    "continuous": "self.action_space = spaces.Box(-1, 1, (NUMBER % 3 + 1,))",
    "text": "self.observation_space = spaces.Text(NUMBER + 1)",
    "sequence": "self.observation_space = spaces.Sequence(spaces.Discrete(2))",
    "no_space": "del self.observation_space",
    "empty": "self.observation_space = spaces.Box(0, 1, (0,))",
}
"""What misbehaves, and the body of its method."""

MODULE = """\
import gymnasium
import numpy as np
from gymnasium import spaces


class Env(gymnasium.Env):
    def __init__(self):
        self.observation_space = spaces.Box(-1.0, 1.0, (4,))
        self.action_space = spaces.Discrete(2)
        {init}

    def reset(self, *, seed=None, options=None):
        {reset}

    def step(self, action):
        {step}

    def observe(self):
        {observe}


gymnasium.register("Bad-v0", entry_point=Env, max_episode_steps={limit})
"""
GOOD = {
    "init": "pass",
    "reset": "return self.observe(), {}",
    "step": "return self.observe(), 0.0, False, False, {}",
    "observe": "return np.zeros(4, dtype=np.float32)",
}


class Case(NamedTuple):
    """A bad input.

    Attributes:
        kind: of the mistake.
        arguments: of the command.
        files: contents by name, in the folder of the command.
    """

    kind: str
    arguments: Sequence[str]
    files: dict[str, str]


def bad_key(dice: random.Random) -> Case:
    """A key with a letter too many, too few, or changed."""
    while True:
        letters = list(dice.choice(KEYS))
        place = dice.randrange(len(letters))
        letters[place : place + dice.randrange(2)] = dice.choice("abcxyz_.")
        key = "".join(letters)
        if key not in known_keys() and ".." not in key and key.strip(".") == key:
            return Case("key", [f"{key}={dice.choice((1, 0.5, 'true', 'abc'))}"], {})


def bad_value(dice: random.Random) -> Case:
    """A value that no number key accepts."""
    return Case("value", [f"{dice.choice(NUMBERS)}={dice.choice(JUNK)}"], {})


def bad_type(dice: random.Random) -> Case:
    """A number where a word, a list or a switch is expected."""
    keys = ("engine", "agent.loss", "network.hidden_sizes", "network.dueling", "report",
            "log.video", "agent.epsilon_decay", "network.activation", "device", "env.kwargs",
            "agent.normalize_observations")  # fmt: skip
    return Case("type", [f"{dice.choice(keys)}={dice.choice((3, -0.5, 'abc'))}"], {})


def bad_group(dice: random.Random) -> Case:
    """An option that does not exist."""
    return Case(
        "group", [f"{dice.choice(GROUPS)}={dice.choice(('fancy', 'dqnn', 'CartPole-v1'))}"], {}
    )


def bad_syntax(dice: random.Random) -> Case:
    """An override that Hydra cannot parse or apply."""
    return Case("syntax", [dice.choice(SYNTAX)], {})


def contradiction(dice: random.Random) -> Case:
    """Values that are valid alone, but not together or on this machine."""
    return Case("contradiction", dice.choice(CONTRADICTIONS), {})


def bad_id(dice: random.Random) -> Case:
    """An id that is not registered, or a module that cannot be imported."""
    module = dice.choice(("missing", "broken", "names", "leaves", "old", "../up", "7x"))
    files = {
        "broken.py": "def f(:\n",
        "names.py": "\nprint(unknown)\n",
        "leaves.py": "import sys\nsys.exit(3)\n",
        "old.py": "import gym\n",
    }
    ids = (f"{module}:Bad-v0", "CartPoel-v1", "cartpole", "ALE/Nothing-v9", "-v1", "a b", "''")
    return Case("id", [f"env.id={dice.choice(ids)}"], files)


def bad_environment(dice: random.Random) -> Case:
    """An environment that breaks Gymnasium's interface."""
    name, number = dice.choice(sorted(ENVIRONMENTS)), dice.randrange(1, 50)
    parts = dict(GOOD)
    place = next((part for part in ("reset", "observe") if name.startswith(part)), "step")
    if name in ("init", "continuous", "text", "sequence", "no_space", "empty"):
        place = "init"
    parts[place] = ENVIRONMENTS[name].replace("NUMBER", str(number))
    text = MODULE.format(**parts, limit=dice.choice((20, None, 500)))
    return Case(f"environment {name}", ["env.id=bad_env:Bad-v0"], {"bad_env.py": text})


def bad_arguments(dice: random.Random) -> Case:
    """Keyword arguments that an environment does not take."""
    return Case("kwargs", [f"env.kwargs={{colour{dice.randrange(99)}: 1}}"], {})


def bad_file(dice: random.Random) -> Case:
    """A recipe, an option or a folder that cannot be used."""
    recipe = ("--config-dir", "mine", "experiment=x")
    cases = (
        Case("yaml", recipe, {"mine/experiment/x.yaml": "# @package _global_\nagent: {gamma: [\n"}),
        Case("package", recipe, {"mine/experiment/x.yaml": "agent: {gamma: 0.9}\n"}),
        Case("recipe key", recipe, {"mine/experiment/x.yaml": "# @package _global_\nagnt: 3\n"}),
        Case("recipe value", recipe,
             {"mine/experiment/x.yaml": "# @package _global_\nagent: {gamma: 7}\n"}),
        Case("option kind", ("--config-dir", "mine", "buffer=x"),
             {"mine/buffer/x.yaml": "kind: fancy\ncapacity: 100\n"}),
        Case("config dir", ("--config-dir", "nowhere"), {}),
        Case("config name", ("--config-name", "nothing"), {}),
        Case("run dir is a file", ("hydra.run.dir=taken/run",), {"taken": "text"}),
        Case("run dir holds a run", ("hydra.run.dir=old",), {"old/result.json": "{}"}),
        Case("run dir holds a sweep", ("hydra.run.dir=old",), {"old/jobs.jsonl": ""}),
        Case("run dir in a sweep", ("hydra.run.dir=old/new",), {"old/jobs.jsonl": ""}),
        Case("run dir too long", ("hydra.run.dir=" + "a" * dice.randrange(300, 5_000),), {}),
        Case("run dir not writable", ("hydra.run.dir=/proc/x/y",), {}),
        Case("subdirectory", ("hydra.output_subdir=null",), {}),
    )  # fmt: skip
    return dice.choice(cases)


KINDS: tuple[tuple[Callable[[random.Random], Case], int], ...] = (
    (bad_key, 15), (bad_value, 20), (bad_type, 5), (bad_group, 5), (bad_syntax, 15),
    (contradiction, 8), (bad_id, 8), (bad_environment, 16), (bad_arguments, 2), (bad_file, 10),
)  # fmt: skip
"""Generators of bad inputs, with their weights."""


def make_case(seed: int, index: int) -> Case:
    """Returns a bad input; three in ten are sweeps."""
    dice = random.Random(f"{seed}/{index}")
    (generate,) = dice.choices([one for one, _ in KINDS], [weight for _, weight in KINDS])
    case = generate(dice)
    is_single = any(one.startswith("hydra.run.dir") for one in case.arguments) or any(
        one in case.arguments for one in ("agent.gamma=0.9,0.99", "seed=range(3)")
    )
    if is_single or dice.random() < 0.7:
        return case
    swept = "agent.train_every=1,2"
    return case._replace(kind=f"{case.kind} in a sweep", arguments=["-m", swept, *case.arguments])


def state_of(folder: Path) -> dict[str, bytes]:
    """Returns the contents of all files below a folder, without compiled Python."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def check(case: Case, code: str | None) -> tuple[list[str], str]:
    """Runs a case; returns what is wrong with its end, and its output."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in case.files.items():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(text)
        other = {"PYTHONPATH": code} if code else {}
        before, began = state_of(folder), time.perf_counter()
        ended = subprocess.run(
            [sys.executable, "-m", "dqn_exp.train", *SHORT, *case.arguments],
            cwd=folder, capture_output=True, text=True, timeout=120,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **other},
        )  # fmt: skip
        seconds = time.perf_counter() - began
        output = (ended.stdout + ended.stderr).strip()
        wrong = []
        if ended.returncode != 2:
            wrong.append(f"status {ended.returncode}")
        if "Traceback" in output:
            wrong.append("a traceback")
        if state_of(folder) != before:
            wrong.append("files were left or changed")
        if seconds > SECONDS:
            wrong.append(f"{seconds:.1f} s")
        lines = [line for line in output.splitlines() if "is given 2 times" not in line]
        if not 1 <= len(lines) <= 4 or any("hydra.cc" in line for line in lines):
            wrong.append(f"{len(lines)} lines")
        return wrong, output


def main() -> None:
    """Runs all cases, and exits with status 1 if any is not refused properly."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="index of the only input")
    parser.add_argument("--code", help="folder of another version of the package")
    options = parser.parse_args()
    indices = range(options.count) if options.only is None else [options.only]
    cases = [make_case(options.seed, index) for index in indices]
    failed: Counter[str] = Counter()
    with ThreadPoolExecutor(options.jobs) as pool:
        checks = pool.map(lambda case: check(case, options.code), cases)
        progress = tqdm(zip(indices, cases, checks, strict=True), total=len(cases), disable=None)
        for index, case, (wrong, output) in progress:
            if wrong:
                failed[case.kind.removesuffix(" in a sweep")] += 1
            if wrong or options.only is not None:
                shown = " ".join(case.arguments)[:200]
                print(f"{index} {case.kind}: {', '.join(wrong)}\n  {shown}\n  {output[-600:]}")
    print(
        f"{failed.total()} of {len(cases)} inputs were not refused as they should: {dict(failed)}"
    )
    raise SystemExit(1 if failed else 0)


if __name__ == "__main__":
    main()
