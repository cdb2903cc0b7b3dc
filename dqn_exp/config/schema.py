"""Typed schema of an experiment: every key with its range and meaning.

The groups `agent` and `network` are in `agent_schema.py`. Each field declares whether the runs of
one population may differ in it (`PerRun`), and whether it is without effect on results
(`NoEffect`). Grouping of jobs, the config hash and docs/configs.md follow from these declarations.
"""

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, Field, StrictBool

from dqn_exp.config.agent_schema import AgentConfig, ConvConfig, CustomNetworkConfig, MLPConfig
from dqn_exp.config.fields import (
    Count,
    ImportPath,
    Kwargs,
    NoEffect,
    NoEffectMark,
    Period,
    PerRun,
    PerRunMark,
    Positive,
    Return,
    Section,
    Seed,
    Share,
    has_mark,
    refuse_other_names,
    refuse_other_paths,
    sections_of,
)


class UniformConfig(Section):
    """A replay buffer with uniform sampling."""

    kind: Literal["uniform"] = Field(description="Selected by buffer=uniform.")
    capacity: PerRun[Count] = Field(
        description="Capacity in transitions; the oldest are overwritten."
    )


class PrioritizedConfig(Section):
    """A replay buffer with prioritized sampling."""

    kind: Literal["prioritized"] = Field(description="Selected by buffer=prioritized.")
    capacity: PerRun[Count] = Field(
        description="Capacity in transitions; the oldest are overwritten."
    )
    priority_exponent: PerRun[Share] = Field(
        description="Exponent of the priorities (alpha); 0 samples uniformly."
    )
    priority_epsilon: PerRun[Positive] = Field(
        description="Added to the absolute TD error (C51: KL divergence) before exponentiation."
    )
    importance_exponent: PerRun[Share] = Field(
        description="Exponent of the importance-sampling weights (beta) at step 0."
    )
    importance_exponent_end: PerRun[Share] = Field(
        description="Final exponent of the importance-sampling weights."
    )
    importance_exponent_decay_steps: PerRun[Period] = Field(
        description="Steps from importance_exponent to importance_exponent_end."
    )


class CustomBufferConfig(Section):
    """A replay buffer from your own module."""

    kind: Literal["custom"] = Field(description="Selected by buffer=custom.")
    capacity: PerRun[Count] = Field(
        description="Capacity in transitions; the oldest are overwritten."
    )
    target: ImportPath = Field(description="Import path of the class, as in my_module:MyBuffer.")
    kwargs: Kwargs = Field(description="Additional keyword arguments; null for none.")


BufferConfig = UniformConfig | PrioritizedConfig | CustomBufferConfig
NetworkConfig = MLPConfig | ConvConfig | CustomNetworkConfig


class EnvConfig(Section):
    """The environment."""

    id: str = Field(description="Id registered with Gymnasium, or module:Id.")
    game: str | None = Field(
        description="MinAtar or Atari game; env.id refers to it as ${env.game}."
    )
    max_episode_steps: Count | None = Field(
        description="Time limit of an episode; null for the registered one."
    )
    frame_stack: Annotated[Count, Field(le=64)] = Field(
        description="Number of frames stacked in an image observation, the newest last."
    )
    frame_padding: Literal["first", "zeros"] = Field(
        description="What fills a stack at the start of an episode: the first frame, or zeros."
    )
    kwargs: Annotated[dict[str, Any], AfterValidator(refuse_other_names)] | None = Field(
        description="Keyword arguments of the environment; null for none."
    )


class TrainerConfig(Section):
    """Budgets of a run, which ends at the first one that it reaches."""

    total_steps: PerRun[Period | None] = Field(description="Environment steps; null for no limit.")
    total_episodes: PerRun[Period | None] = Field(description="Episodes; null for no limit.")
    stop_at_return: PerRun[Return | None] = Field(
        description="Mean return of an evaluation at which the run stops early, as completed; null "
        "for none."
    )


class EvalConfig(Section):
    """Evaluations of the greedy policy; there is always one at the end of the run."""

    every_steps: PerRun[Period | None] = Field(
        description="Steps between two evaluations; null for the last one only."
    )
    episodes: Count = Field(description="Episodes per evaluation.")
    max_episode_steps: Count = Field(
        description="Time limit of an evaluation episode in an environment without one."
    )
    env_kwargs: Annotated[dict[str, Any], AfterValidator(refuse_other_names)] | None = Field(
        description="Keyword arguments that override env.kwargs in evaluations; null for none."
    )
    seed: PerRun[Seed] = Field(
        description="Seed from which the seeds of the evaluation episodes are derived."
    )


class LogConfig(Section):
    """Progress and TensorBoard."""

    every_steps: NoEffect[PerRun[Period]] = Field(
        description="Steps between two points in TensorBoard."
    )
    progress: NoEffect[StrictBool] = Field(description="Whether progress is shown.")
    tensorboard: NoEffect[PerRun[StrictBool]] = Field(
        description="Whether an event file is written."
    )
    metrics: NoEffect[list[ImportPath]] = Field(
        description="Import paths of further metrics, as in [my_module:my_metric]."
    )
    video: NoEffect[PerRun[StrictBool]] = Field(
        description="Whether an episode of the final policy is added to TensorBoard's images."
    )


class CheckpointConfig(Section):
    """Checkpoints of the complete state; the last one is always at the end of the run."""

    every_steps: NoEffect[PerRun[Period | None]] = Field(
        description="Steps between two checkpoints, or more if saving would take over 2% of the "
        "training time; null for the last one only."
    )


class Config(Section):
    """Top-level keys."""

    seed: PerRun[Seed] = Field(description="Seed of all random numbers of the run.")
    device: NoEffect[str] = Field(description="Torch device, such as cpu or cuda.")
    engine: NoEffect[Literal["auto", "native", "torch"]] = Field(
        description="Engine that acts and learns; auto selects native if it supports the agent, "
        "except for very large layers, inputs and outputs."
    )
    num_threads: NoEffect[Count | None] = Field(
        description="Maximum number of threads; null for one per core."
    )
    name: NoEffect[PerRun[Annotated[str, AfterValidator(refuse_other_paths)] | None]] = Field(
        description="Directory of the run or sweep, below outputs/; null for the date and time."
    )
    report: NoEffect[PerRun[StrictBool]] = Field(
        description="Whether a report is written at the end of a sweep."
    )
    callbacks: NoEffect[list[ImportPath]] = Field(
        description="Import paths of callbacks, as in [my_module:MyCallback]."
    )
    agent: AgentConfig
    network: Annotated[NetworkConfig, Field(discriminator="kind")]
    buffer: Annotated[BufferConfig, Field(discriminator="kind")]
    env: EnvConfig
    trainer: TrainerConfig
    eval: EvalConfig
    log: LogConfig
    checkpoint: CheckpointConfig

    def structure(self) -> str:
        """Returns, as JSON, the values that must be equal for runs to share a population."""
        leaves = _leaves(self)
        return _to_json({leaf.key: leaf.value for leaf in leaves if not leaf.is_per_run})

    def hash(self) -> str:
        """Returns a hash of all values that change results."""
        return hashlib.sha256(_to_json(self.hyperparameters()).encode()).hexdigest()[:16]

    def hyperparameters(self) -> dict[str, Any]:
        """Returns the values that change results, by dotted key."""
        return {leaf.key: leaf.value for leaf in _leaves(self) if leaf.has_effect}


class Leaf(NamedTuple):
    """A key of a config, with its value and its declarations."""

    key: str
    value: Any
    is_per_run: bool
    has_effect: bool


def changes_results(key: str) -> bool:
    """Returns whether a dotted key changes results; groups and unknown keys do."""
    return key not in keys_without_effect()


@cache
def keys_without_effect() -> tuple[str, ...]:
    """Returns the dotted keys that do not change results."""
    return tuple(_keys_without_effect(Config, ""))


def _keys_without_effect(section: type[Section], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        for option in sections_of(field.annotation):
            yield from _keys_without_effect(option, f"{prefix}{name}.")
        if has_mark(field.metadata, NoEffectMark):
            yield prefix + name


def _leaves(section: Section, prefix: str = "") -> Iterator[Leaf]:
    for name, field in type(section).model_fields.items():
        key, value, marks = prefix + name, getattr(section, name), field.metadata
        if isinstance(value, Section):
            yield from _leaves(value, f"{key}.")
        else:
            is_per_run = has_mark(marks, PerRunMark)
            yield Leaf(key, value, is_per_run, not has_mark(marks, NoEffectMark))


def _to_json(values: Any) -> str:
    return json.dumps(values, sort_keys=True, default=str)
