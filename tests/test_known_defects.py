"""Defects that other frameworks have had, each by a test that would have found it."""

import numpy as np
import pytest
import torch

from dqn_exp.core.transition import Transition
from tests import probes
from tests.agent.test_torch_engine import B, learn_from, make_batch, make_engine
from tests.conftest import make_config
from tests.files.test_run_record import load_events
from tests.stepping import tick
from tests.training.test_population import make_bare_trainer
from tests.training.test_trainer import COUNTING, LIMIT

probes.register()

LOSSES = {
    "mse": (("agent/value=scalar",), {"agent__loss": "mse"}),
    "huber": (("agent/value=scalar",), {"agent__loss": "huber", "agent__huber_delta": 0.4}),
    "cross_entropy": (("agent/value=categorical",), {"agent__value__v_min": -3.0}),
    "quantile_huber": (("agent/value=quantile",), {}),
}

each_loss = pytest.mark.parametrize("loss", LOSSES)


@pytest.mark.parametrize("n_step", [1, 2, 3, 6])
@pytest.mark.parametrize("buffer", ["uniform", "prioritized"])
@pytest.mark.parametrize("bootstraps", [True, False])
def test_targets_never_cross_an_end_nor_start_from_a_reset(tmp_path, n_step, buffer, bootstraps):
    """Every step of every finished episode is stored once, with the end of its own episode.

    The probe names its episode in each observation, so an observation of the next episode, in
    `next_observation` or in between, could not be taken for one of this.
    """
    gamma = 0.9
    config = make_config(
        f"buffer={buffer}",
        **COUNTING,
        agent__n_step=n_step,
        agent__gamma=gamma,
        agent__bootstrap_truncated=bootstraps,
    )
    trainer = make_bare_trainer([config], tmp_path)
    for _ in range(600):
        tick(trainer)
    buffer_ = trainer._engine.buffer
    transitions = buffer_.read(np.arange(buffer_.sizes[0])[None])
    stored = [[field[0, k].numpy() for field in transitions] for k in range(buffer_.sizes[0])]
    ends = {"terminated": 0, "truncated": 0, "tail": 0}
    position = 0
    while position < len(stored):
        name, count, last, _ = stored[position][0].tolist()
        assert count == 0, "an episode begins with its first step"
        length = int(min(last, LIMIT))
        episode = stored[position : position + length]
        for begin, transition in enumerate(episode):
            observation, _, rewards, discount, after = transition
            reached = min(begin + n_step, length)
            assert observation.tolist()[:3] == [name, begin, last]
            assert after.tolist()[:3] == [name, reached, last]
            expected = [k + 1 if k < reached else 0 for k in range(begin, begin + n_step)]
            assert rewards.tolist() == expected
            has_no_future = reached == last or (reached == LIMIT and not bootstraps)
            wanted = 0.0 if has_no_future else gamma ** (reached - begin)
            assert discount == pytest.approx(wanted, rel=1e-6)
            ends["tail"] += reached - begin < n_step
        ends["terminated" if length == last else "truncated"] += len(episode) == length
        position += length
    assert ends["terminated"] > 20 and ends["truncated"] > 5
    assert ends["tail"] > (20 if n_step > 1 else -1)


@each_loss
def test_importance_weights_count_in_every_loss(tmp_path, loss):
    """A transition of weight 0 has no influence, and twice the weight is twice the loss."""
    options, settings = LOSSES[loss]
    first, second, doubled = (
        make_engine(tmp_path / name, 1, *options, **settings) for name in ("a", "b", "c")
    )
    batch = make_batch(1, torch.Generator().manual_seed(0))
    weights = torch.rand(1, B, generator=torch.Generator().manual_seed(1))
    weights[0, :5] = 0.0
    changed = batch._replace(rewards=batch.rewards.clone())
    changed.rewards[0, :5] += 1.5
    arguments = (np.array([1e-2]), np.array([True]))
    first.learn_from(batch, weights, *arguments)
    second.learn_from(changed, weights, *arguments)
    assert torch.equal(first.agent.online, second.agent.online)
    assert first.diagnostics(slice(None)).loss == second.diagnostics(slice(None)).loss
    doubled.learn_from(batch, 2 * weights, *arguments)
    assert doubled.diagnostics(slice(None)).loss == pytest.approx(
        2 * first.diagnostics(slice(None)).loss, rel=1e-6
    )
    assert doubled.diagnostics(slice(None)).grad_norm == pytest.approx(
        2 * first.diagnostics(slice(None)).grad_norm, rel=1e-4
    )
    weights[0, :5] = 1.0
    third, fourth = (make_engine(tmp_path / name, 1, *options, **settings) for name in ("d", "e"))
    third.learn_from(batch, weights, *arguments)
    fourth.learn_from(changed, weights, *arguments)
    assert not torch.equal(third.agent.online, fourth.agent.online)


def naive_loss(loss: str, engine, batch: Transition) -> float:
    """The mean of the configured loss, from the definitions, before the first update."""
    with torch.no_grad():
        outputs = engine.network.forward(engine._acting, batch.observation)[0]
        after = engine.network.forward(engine._target_views, batch.next_observation)[0]
    taken = outputs[torch.arange(B), batch.action[0].long()].double()
    reward, discount = batch.rewards[0].double(), batch.discount[0, :, None].double()
    if loss == "cross_entropy":
        support = torch.linspace(-3, 100, 51, dtype=torch.double)
        probabilities = after.double().softmax(2)
        best = (probabilities * support).sum(2).argmax(1)
        own = probabilities[torch.arange(B), best]
        places = ((reward + discount * support).clamp(-3, 100) + 3) / (103 / 50)
        # The share of an atom falls off linearly to its neighbors.
        shares = (1 - (places[:, :, None] - torch.arange(51)).abs()).clamp(0, 1)
        wanted = (own[:, :, None] * shares).sum(1)
        return float(-(wanted * taken.log_softmax(1)).sum(1).mean())
    best = after.double().mean(2).argmax(1)
    targets = reward + discount * after[torch.arange(B), best].double()
    if loss == "mse":
        return float((taken - targets).square().mean())
    if loss == "huber":
        return float(torch.nn.functional.huber_loss(taken, targets, delta=0.4))
    levels = (torch.arange(32) + 0.5) / 32
    errors = targets[:, None] - taken[:, :, None]
    huber = torch.nn.functional.huber_loss(errors, torch.zeros_like(errors), reduction="none")
    return float(((levels[:, None] - (errors < 0).double()).abs() * huber).mean(2).sum(1).mean())


@each_loss
def test_the_tag_of_the_loss_tells_the_loss_that_is_configured(tmp_path, loss):
    options, settings = LOSSES[loss]
    engine = make_engine(tmp_path, 1, *options, **settings)
    batch = make_batch(1, torch.Generator().manual_seed(0))
    expected = naive_loss(loss, engine, batch)
    learn_from(engine, batch, True)
    assert engine.diagnostics(slice(None)).loss[0] == pytest.approx(expected, rel=1e-4)
    assert make_config(*options, **settings).hyperparameters()["agent.loss"] == loss


@pytest.mark.parametrize("decay", ["linear", "exponential"])
def test_a_schedule_of_epsilon_or_the_learning_rate_is_not_constant(train, decay):
    config = make_config(
        "experiment=smoke",
        trainer__total_steps=400,
        eval__every_steps=None,
        log__every_steps=50,
        agent__epsilon=0.1,
        agent__epsilon_start=1.0,
        agent__epsilon_decay_steps=300,
        agent__epsilon_decay=decay,
        agent__learning_rate=1e-2,
        agent__learning_rate_end=1e-3,
        agent__learning_rate_decay_steps=200,
        agent__learning_rate_decay=decay,
    )
    (folder,) = train([config], "run")
    events = load_events(folder)
    for tag, start, end, steps in (
        ("train/epsilon", 1.0, 0.1, 300),
        ("train/learning_rate", 1e-2, 1e-3, 200),
    ):
        for scalar in events.Scalars(tag):
            share = min(scalar.step / steps, 1.0)
            linear, exponential = start + (end - start) * share, start * (end / start) ** share
            expected = linear if decay == "linear" else exponential
            assert scalar.value == pytest.approx(expected, rel=1e-6), (tag, scalar.step)
        assert len({scalar.value for scalar in events.Scalars(tag)}) >= 4


def test_the_schedule_of_the_learning_rate_is_what_the_optimizer_gets(tmp_path):
    """Two engines on the same batches: half the rate is half the step of RMSProp."""
    steps = {}
    for end in (1e-3, 5e-4):
        config = make_config(
            "agent/optimizer=rmsprop",
            agent__learning_rate=1e-3,
            agent__learning_rate_end=end,
            agent__learning_rate_decay_steps=100,
            agent__learning_starts=10,
            agent__batch_size=8,
        )
        trainer = make_bare_trainer([config], tmp_path / str(end))
        engine = trainer._engine
        for _ in range(9):
            tick(trainer)
        before = engine.agent.online.clone()
        engine.learn(np.array([True]), np.array([100]))
        steps[end] = engine.agent.online - before
    torch.testing.assert_close(steps[1e-3], 2 * steps[5e-4], rtol=1e-2, atol=1e-7)


def test_observations_and_rewards_are_stored_as_they_were(tmp_path):
    """Normalized and clipped on reading only, so what is stored is true at any later time."""
    plain, changed = (
        make_bare_trainer(
            [make_config(**COUNTING, agent__normalize_observations=on, agent__reward_clip=clip)],
            tmp_path / str(on),
        )
        for on, clip in ((False, None), (True, 0.5))
    )
    for trainer in (plain, changed):
        for _ in range(100):
            tick(trainer)
    assert torch.equal(plain._engine.buffer.storage, changed._engine.buffer.storage)
    assert plain._engine.buffer.storage.max() > 100


def test_evaluation_leaves_the_normalization_as_it_is(tmp_path):
    config = make_config(**COUNTING, agent__normalize_observations=True)
    trainer = make_bare_trainer([config], tmp_path)
    for _ in range(50):
        tick(trainer)
    normalization = trainer._engine.normalization
    before = normalization.state_dict(0)
    assert before["counts"] == 50
    trainer._evaluate(np.array([0]))
    after = normalization.state_dict(0)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_evaluation_and_the_checkpoint_are_without_noise(tmp_path):
    """The greedy policy is that of the means, whatever noise the run acts with."""
    config = make_config(network__noisy=True, network__noisy_sigma=30.0, agent__epsilon=0.0)
    trainer = make_bare_trainer([config], tmp_path)
    engine = trainer._engine
    observations = np.random.default_rng(0).normal(size=(1, 200, 4)).astype(np.float32)
    with engine.policy(np.array([0])) as policy:
        greedy = policy(observations)
        for step in range(5):
            engine.act(observations[:, 0], np.array([step]))
        np.testing.assert_array_equal(policy(observations), greedy)
    means = engine.agent.online[:, : engine.network.layout.size]
    plain = make_bare_trainer([make_config(engine="torch")], tmp_path / "plain")._engine
    plain.agent.online.copy_(means)
    with plain.policy(np.array([0])) as policy:
        np.testing.assert_array_equal(policy(observations), greedy)
    acted = [engine.act(observations[:, k], np.array([k]))[0] for k in range(200)]
    assert 20 < (np.array(acted) != greedy[0]).sum() < 180
