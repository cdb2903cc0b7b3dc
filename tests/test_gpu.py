"""Runs on a GPU; without one, on one that `simulated_gpu.py` simulates."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from dqn_exp.buffer import frame_store
from dqn_exp.buffer.frame_memory import FrameMemory
from dqn_exp.buffer.frame_store import FrameStore
from dqn_exp.config.schema import Config
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.files.checkpoint import NEWEST, load_checkpoint
from dqn_exp.files.result import read_result
from dqn_exp.network.conv_net import ConvNet
from dqn_exp.network.convolution import ImageShape
from dqn_exp.training import build_engine
from tests import image_envs
from tests.conftest import make_config, train_in_folders
from tests.resuming import SETTINGS, check_resumed, make_folders, stop_after
from tests.simulated_gpu import SimulatedGpu
from tests.training.test_population import assert_equal_states

image_envs.gymnasium.spec("Pictures-v0")  # Registered by the import.

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedGpu | None]:
    """Provides a GPU; None if it is a real one."""
    if torch.cuda.is_available():
        yield None
        return
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**40, 2**40))
    with SimulatedGpu() as simulated:
        yield simulated


@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("is_binary", [True, False])
def test_frames_are_those_of_the_cpu_whether_they_fit_or_not(monkeypatch, gpu, fits, is_binary):
    if not fits:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    form = FrameFormat(9, 7, 2, is_binary, 0.0, 1 / 255, stack=3, repeats_first=False)
    stores = [FrameStore(np.array([40, 50]), form, 2, device) for device in (CPU, CUDA)]
    assert (stores[1].memory.values.device.type == "cuda") == fits
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
    np.testing.assert_array_equal(*(store.newest(1) for store in stores))
    if gpu is not None:
        assert (gpu.num_pinned == 0) == fits


def test_frames_of_the_other_runs_stay_when_some_have_ended(monkeypatch):
    monkeypatch.setattr(frame_store, "SPARE", 0)
    form = FrameFormat(3, 2, 1, False, 0.0, 1 / 255, stack=2, repeats_first=True)
    capacities = np.array([30, 80, 50, 60, 40, 70, 20])
    stores = [FrameStore(capacities.copy(), form, 1, device) for device in (CPU, CUDA)]
    generator = np.random.default_rng(0)
    for step in range(60):  # More than the usual number of slots for most runs that are left.
        if step in (20, 30, 40):
            for store in stores:
                store.retire(1)
        count = len(stores[0].offsets)
        frames = generator.integers(256, size=(count, 6)).astype(np.uint8)
        first, none = np.full(count, step % 9 == 0), np.full(count, -1)
        found = [store.add(np.arange(count), frames, first, none) for store in stores]
        np.testing.assert_array_equal(*found)
    assert count == 4 and stores[0].num_slots.tolist() == [63, 83, 103, 123]
    chosen = np.arange(60)[None].repeat(4, axis=0)
    one, other = (store.read(store.offsets[:, None], chosen).cpu() for store in stores)
    np.testing.assert_array_equal(one.numpy(), other.numpy())
    for row in range(4):
        states = [store.state_dict(row)["values"].numpy() for store in stores]
        np.testing.assert_array_equal(*states)


@pytest.mark.parametrize("fits", [True, False])
def test_a_run_gets_more_memory_for_frames_when_it_needs_more(monkeypatch, fits):
    most, (usual, full) = np.array([7, 9, 8]), np.array([[3, 9, 5], [7, 9, 8]])
    memory = FrameMemory(usual, most, 2, CUDA)
    generator, offsets = np.random.default_rng(0), np.cumsum(most) - most
    frames = [generator.integers(256, size=(count, 2)).astype(np.uint8) for count in most]

    def write(run: int, slots: np.ndarray) -> None:
        memory.write(offsets[run] + slots, frames[run][slots])

    def check(counts: np.ndarray) -> None:
        for run, count in enumerate(counts.tolist()):
            rows = np.arange(offsets[run], offsets[run] + count)
            np.testing.assert_array_equal(memory.fetch(rows).cpu().numpy(), frames[run][:count])
            saved = memory.save(int(offsets[run]), count)
            np.testing.assert_array_equal(saved.numpy(), frames[run][:count])

    for run, count in enumerate(usual.tolist()):
        write(run, np.arange(count))
    memory.reserve(offsets, usual)
    assert len(memory.values) == usual.sum() and memory.values.device.type == "cuda"
    check(usual)
    if not fits:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    memory.reserve(offsets[:1], usual[:1] + 1)  # The others have ended.
    assert len(memory.values) == (7 + 9 + 5 if fits else most.sum())
    assert (memory.values.device.type == "cuda") == fits
    check(usual)
    memory.reserve(offsets, full)
    for run, count in enumerate(usual.tolist()):
        write(run, np.arange(count, most[run]))
    check(full)


def test_convolutions_of_a_population_are_those_of_the_cpu():
    build_engine.make_deterministic()
    network = ConvNet(ImageShape(21, 19, 4), [(16, 4, 2), (32, 3, 1)], [24], 3, dueling=True)
    parameters = network.layout.init_parameters(range(3))
    observations = torch.rand(3, 5, network.num_features)
    one, other = (
        network.forward(network.layout.views(parameters.to(device)), observations.to(device)).cpu()
        for device in (CPU, CUDA)
    )
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


IMAGES = {"env__id": "Pictures-v0"}
AGENTS = [
    (("network=conv", "env.frame_stack=3"), IMAGES),
    (("network=conv", "network.noisy=true", "network.dueling=true", "buffer=prioritized"), IMAGES),
    (("network=conv", "agent/value=categorical", "agent.n_step=3", "agent/target=double"), IMAGES),
    (("agent/value=quantile", "env.frame_padding=zeros", "env.frame_stack=2"), IMAGES),
    (("agent/target=munchausen", "agent/optimizer=rmsprop", "agent.reward_clip=0.5"), {}),
    (("agent.normalize_observations=true", "network.noisy=true", "buffer=prioritized"), {}),
]


def make_population(options: Sequence[str], device: str, **overrides: object) -> list[Config]:
    """Configs of runs that end at different steps."""
    settings = {
        "agent__batch_size": 16,
        "agent__learning_starts": 30,
        "agent__max_grad_norm": 1.0,
        "agent__target_update_period": 7,
        "eval__every_steps": 60,
        "eval__episodes": 2,
        "engine": "torch",
        "device": device,
        **overrides,
    }
    return [
        make_config(
            *options,
            seed=seed,
            buffer__capacity=50 + 10 * seed,
            trainer__total_steps=110 - 20 * seed,
            **settings,
        )
        for seed in range(2)
    ]


def read_tables(run: Path) -> list[bytes]:
    """What a run has logged."""
    return [(run / name).read_bytes() for name in ("episodes.csv", "evaluations.csv")]


@pytest.mark.parametrize(
    "options, overrides, fits",
    [
        (*AGENTS[0], False),
        (*AGENTS[1], True),
        *(pytest.param(*agent, True, marks=pytest.mark.slow) for agent in AGENTS[2:]),
    ],
)
def test_runs_are_those_of_the_cpu(train, monkeypatch, gpu, options, overrides, fits):
    if not fits:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, 0))
    # It takes the images of a batch in parts, which changes rounding.
    monkeypatch.setattr(build_engine, "ParallelConvNet", lambda network, num_threads: network)
    others = train(make_population(options, "cpu", **overrides), "cpu")
    assert gpu is None or not gpu.num_made
    runs = train(make_population(options, "cuda", **overrides), "cuda")
    assert gpu is None or gpu.num_made > 500
    for one, other in zip(runs, others, strict=True):
        results = [read_result(folder) for folder in (one, other)]
        assert [result.status for result in results] == ["completed"] * 2
        assert results[0].updates == results[1].updates > 50
        if not torch.cuda.is_available():  # A real one rounds differently.
            assert read_tables(one) == read_tables(other)
            states = [load_checkpoint(folder / NEWEST).state for folder in (one, other)]
            assert_equal_states(*states)


@pytest.mark.parametrize("options, overrides", AGENTS[3:4])
def test_a_run_on_a_gpu_that_resumes_goes_on_as_if_it_had_not_stopped(tmp_path, options, overrides):
    chosen = {**SETTINGS, **overrides, "device": "cuda", "engine": "torch"}
    chosen |= {"trainer__total_steps": 120}
    # On a real one, rounding may depend on the number of runs.
    count = 1 if torch.cuda.is_available() else 2
    configs = [make_config(*options, seed=seed, **chosen) for seed in range(count)]
    check_resumed(configs, tmp_path, seed=3, latest_kill=110)


@pytest.mark.parametrize("devices", [("cuda", "cpu"), ("cpu", "cuda")])
def test_a_run_resumes_on_another_device(tmp_path, gpu, devices):
    chosen = {**SETTINGS, **IMAGES, "engine": "torch"}
    options = ("buffer=prioritized", "env.frame_stack=2")
    configs = [make_config(*options, device=device, **chosen) for device in (*devices, "cpu")]
    resumed, expected = make_folders(tmp_path, 2)
    train_in_folders(configs[:1], [resumed], stop_after(90))
    (result,) = train_in_folders(configs[1:2], [resumed])
    assert result.status == "completed" and result.steps == 200
    if gpu is not None:
        train_in_folders(configs[2:], [expected])
        assert read_tables(resumed) == read_tables(expected)
