"""Runs on a GPU. Without one these tests are skipped."""

import csv
import json

import numpy as np
import pytest
import torch

from dqn_exp.buffer.frame_store import FrameStore
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import ImageShape
from tests import image_envs
from tests.conftest import make_config

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="This machine has no GPU that torch can use."
)
image_envs.gymnasium.spec("Pictures-v0")  # Registered by the import.

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("is_binary", [True, False])
def test_frames_are_those_of_the_cpu_whether_they_fit_or_not(monkeypatch, fits, is_binary):
    if not fits:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    form = FrameFormat(9, 7, 2, is_binary, 0.0, 1 / 255, stack=3, repeats_first=False)
    stores = [FrameStore(np.array([40, 50]), form, 2, device) for device in (CPU, GPU)]
    assert (stores[1].values.device.type == "cuda") == fits
    generator, slots = np.random.default_rng(0), []
    for step in range(60):
        frames = generator.integers(0, 2 if is_binary else 256, (2, 126)).astype(np.uint8)
        first, none = np.full(2, step % 9 == 0), np.full(2, -1)
        found = [store.add(np.arange(2), frames, first, none) for store in stores]
        np.testing.assert_array_equal(*found)
        slots.append(found[0])
    chosen = np.array(slots).T
    one, other = (store.read(store.offsets[:, None], chosen) for store in stores)
    assert other.device.type == "cuda"
    np.testing.assert_array_equal(one.numpy(), other.cpu().numpy())


def test_convolutions_of_a_population_are_those_of_the_cpu():
    network = ConvNet(ImageShape(21, 19, 4), [(16, 4, 2), (32, 3, 1)], [24], 3, dueling=True)
    parameters = network.layout.init_parameters(range(3))
    observations = torch.rand(3, 5, network.num_features)
    one, other = (
        network.forward(network.layout.views(parameters.to(device)), observations.to(device)).cpu()
        for device in (CPU, GPU)
    )
    # A GPU may round products to ten bits.
    torch.testing.assert_close(one, other, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "options",
    [
        ("network=conv", "env.frame_stack=3"),
        ("network=conv", "network.noisy=true", "network.dueling=true", "buffer=prioritized"),
        ("network=conv", "agent/value=categorical", "agent.n_step=3", "agent/target=double"),
        ("network=mlp", "agent/value=quantile", "env.frame_padding=zeros", "env.frame_stack=2"),
    ],
)
def test_runs_with_images_train_as_one_population(train, options):
    configs = [
        make_config(
            *options,
            env__id="Pictures-v0",
            device="cuda",
            seed=seed,
            agent__learning_starts=30,
            buffer__capacity=80 + 10 * seed,
            trainer__total_steps=200,
            eval__every_steps=100,
        )
        for seed in range(3)
    ]
    for directory in train(configs, "gpu"):
        result = json.loads((directory / "result.json").read_text())
        assert result["status"] == "completed" and result["updates"] == 170
        with (directory / "evaluations.csv").open() as file:
            returns = [float(row["return"]) for row in csv.DictReader(file)]
        assert np.isfinite(returns).all()
