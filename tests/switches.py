"""The ingredients as switches, and their combinations."""

from itertools import combinations, product
from typing import Any, NamedTuple

from dqn_exp.config.schema import Config
from tests.conftest import make_config

LEVELS: dict[str, tuple[str, ...]] = {
    "value": ("scalar", "categorical", "quantile"),
    "target": ("greedy", "double", "munchausen"),
    "dueling": ("", "dueling"),
    "noisy": ("", "noisy"),
    "n_step": ("1", "3"),
    "buffer": ("uniform", "prioritized"),
}


class Switches(NamedTuple):
    """One level of each ingredient."""

    value: str
    target: str
    dueling: str
    noisy: str
    n_step: str
    buffer: str

    def __str__(self) -> str:
        return "-".join(filter(None, self))

    def config(self, **overrides: Any) -> Config:
        """The config with these switches, fit for the returns of the probes."""
        own = {
            "agent__n_step": int(self.n_step),
            "network__dueling": bool(self.dueling),
            "network__noisy": bool(self.noisy),
        }
        if self in COMPILED:
            own["engine"] = "native"
        if self.value == "categorical":
            own |= {"agent__value__v_min": -2.0, "agent__value__v_max": 2.0}
        options = (
            f"agent/value={self.value}",
            f"agent/target={self.target}",
            f"buffer={self.buffer}",
        )
        return make_config(*options, **{**own, **overrides})

    def pairs(self) -> set[tuple[tuple[str, str], ...]]:
        """All pairs of levels that are on here."""
        return set(combinations(self._asdict().items(), 2))


def has_meaning(switches: Switches) -> bool:
    """Munchausen stands alone against n-step returns and distributions."""
    return switches.target != "munchausen" or (
        switches.value == "scalar" and switches.n_step == "1"
    )


ALL = [s for s in (Switches(*levels) for levels in product(*LEVELS.values())) if has_meaning(s)]

POSSIBLE_PAIRS = set().union(*(switches.pairs() for switches in ALL))


PLAIN = Switches("scalar", "greedy", "", "", "1", "uniform")
RAINBOW = Switches("categorical", "double", "dueling", "noisy", "3", "prioritized")


def covering() -> list[Switches]:
    """A few combinations in which every possible pair of levels occurs."""
    chosen = [PLAIN, RAINBOW]
    missing = POSSIBLE_PAIRS - PLAIN.pairs() - RAINBOW.pairs()
    while missing:
        best = max(ALL, key=lambda switches: len(switches.pairs() & missing))
        chosen.append(best)
        missing -= best.pairs()
    return chosen


COVERING = covering()

COMPILED = (PLAIN, RAINBOW)
"""Combinations that compiled code trains; each other one would take seconds to compile."""
