"""Updates of the whole family against a naive one for one run, written from the definitions."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from dqn_exp.agent.torch_engine import TorchEngine
from dqn_exp.core.random_streams import Stream, draw, to_normal
from dqn_exp.core.transition import Transition
from tests.agent.test_torch_engine import B, make_batch, make_engine
from tests.conftest import some_of

HIDDEN, ACTIONS, FEATURES = [12, 6], 2, 4
V_MIN, V_MAX, ATOMS, QUANTILES = -3.0, 4.0, 11, 5
RATE, UPDATES, PERIOD = 3e-3, 12, 5

VALUES: dict[str, tuple[tuple[str, ...], dict, int]] = {
    "scalar": ((), {}, 1),
    "categorical": (
        ("agent/value=categorical",),
        {
            "agent__value__v_min": V_MIN,
            "agent__value__v_max": V_MAX,
            "agent__value__num_atoms": ATOMS,
        },
        ATOMS,
    ),
    "quantile": (("agent/value=quantile",), {"agent__value__num_quantiles": QUANTILES}, QUANTILES),
}


class Naive:
    """One run: lists of layers, a loop over transitions, and torch's own Adam."""

    def __init__(self, engine: TorchEngine, run: int, value: str, **switches: bool) -> None:
        self.run, self.value, self.switches = run, value, switches
        self.num_outputs = VALUES[value][2]
        heads = (ACTIONS + switches["dueling"]) * self.num_outputs
        sizes = [FEATURES, *HIDDEN, heads]
        self.shapes = [
            shape
            for inputs, outputs in pairwise(sizes)
            for shape in ((inputs, outputs), (outputs,))
        ]
        kinds = 2 if switches["noisy"] else 1
        pieces = engine.agent.online[run].split([int(np.prod(s)) for s in self.shapes] * kinds)
        self.online = [
            piece.reshape(shape).clone().requires_grad_()
            for piece, shape in zip(pieces, self.shapes * kinds, strict=True)
        ]
        self.target = [parameter.detach().clone() for parameter in self.online]
        self.optimizer = torch.optim.Adam(self.online, lr=RATE)
        self.updates = 0

    def weights(self, parameters: list[torch.Tensor], stream: Stream) -> list[torch.Tensor]:
        if not self.switches["noisy"]:
            return parameters
        layers = self.shapes[::2]
        width = sum(sum(layer) for layer in layers)
        numbers = draw(self.run, stream, 0, 8 * width * (self.updates + 1))
        normals = torch.from_numpy(to_normal(numbers))[self.updates * width :][:width]
        factors = list(
            (normals.sign() * normals.abs().sqrt()).split(
                [size for layer in layers for size in layer]
            )
        )
        found, half = [], len(self.shapes)
        for number in range(0, half, 2):
            inputs, outputs = factors[number], factors[number + 1]
            noises = torch.outer(inputs, outputs), outputs
            for k, noise in enumerate(noises):
                found.append(parameters[number + k] + parameters[half + number + k] * noise)
        return found

    def forward(self, weights: list[torch.Tensor], observation: torch.Tensor) -> torch.Tensor:
        """Outputs `[A, K]` of one observation `[D]`."""
        hidden = observation
        for number in range(0, len(weights), 2):
            hidden = hidden @ weights[number] + weights[number + 1]
            if number < len(weights) - 2:
                hidden = hidden.relu()
        heads = hidden.reshape(-1, self.num_outputs)
        if self.switches["dueling"]:
            return heads[0] + heads[1:] - heads[1:].mean(0)
        return heads

    def mean(self, outputs: torch.Tensor) -> torch.Tensor:
        if self.value == "categorical":
            return (outputs.softmax(1) * torch.linspace(V_MIN, V_MAX, ATOMS)).sum(1)
        return outputs.mean(1)

    def loss(self, taken: torch.Tensor, reward: float, discount: float, after: torch.Tensor):
        """Of one transition; `taken` and `after` are outputs `[K]`."""
        if self.value == "scalar":
            return (taken[0] - reward - discount * after[0]) ** 2
        if self.value == "quantile":
            total = torch.zeros(())
            for i in range(QUANTILES):
                for j in range(QUANTILES):
                    error = reward + discount * after[j] - taken[i]
                    huber = 0.5 * error**2 if abs(error) <= 1 else abs(error) - 0.5
                    level = (i + 0.5) / QUANTILES
                    total = total + abs(level - float(error < 0)) * huber / QUANTILES
            return total
        support, wanted = torch.linspace(V_MIN, V_MAX, ATOMS), torch.zeros(ATOMS)
        for atom, probability in zip(support, after.softmax(0), strict=True):
            place = (reward + discount * atom).clamp(V_MIN, V_MAX) - V_MIN
            place = place / ((V_MAX - V_MIN) / (ATOMS - 1))
            lower = min(int(place), ATOMS - 2)
            wanted[lower] += probability * (1 - (place - lower))
            wanted[lower + 1] += probability * (place - lower)
        return -(wanted * taken.log_softmax(0)).sum()

    def learn(self, batch: Transition, weights: torch.Tensor) -> None:
        online = self.weights(self.online, Stream.NOISE_OF_LEARNING)
        with torch.no_grad():
            target = self.weights(self.target, Stream.NOISE_OF_TARGET)
            choosing = self.weights(self.online, Stream.NOISE_OF_CHOICE)
        total = torch.zeros(())
        for k in range(B):
            with torch.no_grad():
                outputs = self.forward(target, batch.next_observation[k])
                chooser = choosing if self.switches["double"] else target
                best = self.mean(self.forward(chooser, batch.next_observation[k])).argmax()
            taken = self.forward(online, batch.observation[k])[int(batch.action[k])]
            reward, discount = float(batch.rewards[k, 0]), float(batch.discount[k])
            total = total + weights[k] * self.loss(taken, reward, discount, outputs[best])
        self.optimizer.zero_grad()
        (total / B).backward()
        self.optimizer.step()
        self.updates += 1
        if self.updates % PERIOD == 0:
            self.target = [parameter.detach().clone() for parameter in self.online]


@pytest.mark.parametrize(
    ("noisy", "normalizes"),
    some_of([(False, False), (True, True)], [False, True], [False, True]),
)
@pytest.mark.parametrize(("double", "dueling"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("value", VALUES)
def test_updates_are_those_of_the_definitions(tmp_path, value, double, dueling, noisy, normalizes):
    options, settings, _ = VALUES[value]
    engine = make_engine(
        tmp_path,
        2,
        *options,
        **settings,
        network__hidden_sizes=HIDDEN,
        network__dueling=dueling,
        network__noisy=noisy,
        agent__target={"kind": "double" if double else "greedy"},
        agent__normalize_observations=normalizes,
        agent__target_update_period=PERIOD,
    )
    naive = [
        Naive(engine, run, value, double=double, dueling=dueling, noisy=noisy) for run in range(2)
    ]
    observed = np.random.default_rng(0).normal(2.0, 3.0, (30, 2, FEATURES)).astype(np.float32)
    for observations in observed:
        engine.normalization.observe(observations)
    generator, rates = torch.Generator().manual_seed(0), np.full(2, RATE)
    for _ in range(UPDATES):
        batch, weights = make_batch(2, generator), torch.rand(2, B, generator=generator)
        engine.learn_from(batch, weights, rates, np.array([True, True]))
        for run in range(2):
            own = Transition(*(field[run] for field in batch))
            if normalizes:
                mean = torch.from_numpy(observed[:, run].mean(0))
                deviation = torch.from_numpy(observed[:, run].std(0))
                own = own._replace(
                    observation=(own.observation - mean) / deviation,
                    next_observation=(own.next_observation - mean) / deviation,
                )
            naive[run].learn(own, weights[run])
    for run in range(2):
        expected = torch.cat([parameter.detach().flatten() for parameter in naive[run].online])
        difference = (engine.agent.online[run] - expected).norm() / expected.norm()
        assert difference < 1e-4


def test_acting_and_evaluation_see_normalized_observations(tmp_path):
    """The same policy for observations at another scale, once that scale has been observed."""
    plain, scaled = (
        make_engine(tmp_path / name, 1, agent__normalize_observations=True, agent__epsilon=0.0)
        for name in ("a", "b")
    )
    for engine in (plain, scaled):
        engine.agent.online.normal_(generator=torch.Generator().manual_seed(1))
    generator = np.random.default_rng(0)
    for _ in range(100):
        observations = generator.normal(size=(1, FEATURES)).astype(np.float32)
        plain.normalization.observe(observations)
        scaled.normalization.observe(1_000 * observations + 500)
    seen = generator.normal(size=(1, 300, FEATURES)).astype(np.float32)
    runs = np.array([0])
    with plain.policy(runs) as policy, scaled.policy(runs) as scaled_policy:
        expected = policy(seen)
        found = scaled_policy(1_000 * seen + 500)
    assert (found == expected).mean() > 0.98
    assert 0.05 < expected.mean() < 0.95
    acted = [
        [
            engine.act(scale * seen[:, k] + shift, np.array([k]))[0]
            for engine, scale, shift in ((plain, 1, 0), (scaled, 1_000, 500))
        ]
        for k in range(300)
    ]
    assert np.mean([first == second for first, second in acted]) > 0.98


def test_noise_differs_from_role_to_role(tmp_path):
    engine = make_engine(tmp_path, 1, network__noisy=True, agent__target={"kind": "double"})
    engine.agent.target.copy_(engine.agent.online)
    for name in engine._roles.parts:
        weights = getattr(engine._roles, name)
        weights.draw(np.array([3]))
    roles = (engine._acting, engine._online, engine._target_views, engine._choosing)
    rows = [tuple(torch.cat([view.flatten() for view in views]).tolist()) for views in roles]
    assert len(set(rows)) == 4
