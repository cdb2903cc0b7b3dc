"""Event files as TensorBoard reads them."""

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
from tensorboard.util.tensor_util import make_ndarray

from dqn_exp.files.event_file import Chart, EventFile


def load(folder) -> EventAccumulator:
    return EventAccumulator(str(folder), {"scalars": 0, "tensors": 0, "images": 0}).Reload()


def values_of(events: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(one.step, one.value) for one in events.Scalars(tag)]


def test_scalars_and_texts_are_read_back(tmp_path):
    file = EventFile(tmp_path)
    file.add_scalars(3, {"train/loss": 0.5, "train/epsilon": 1.0})
    file.add_scalars(9, {"train/loss": 0.25})
    file.add_text("config", "| key |")
    file.flush(is_durable=True)
    events = load(tmp_path)
    assert values_of(events, "train/loss") == [(3, 0.5), (9, 0.25)]
    assert values_of(events, "train/epsilon") == [(3, 1.0)]
    (text,) = events.Tensors("config")
    assert make_ndarray(text.tensor_proto).tolist() == [b"| key |"]


def test_what_is_collected_reaches_the_file_when_flushed_and_once(tmp_path):
    file = EventFile(tmp_path)
    file.flush()
    (path,) = tmp_path.iterdir()
    before = path.read_bytes()
    file.add_scalars(1, {"a/b": 1.0})
    assert path.read_bytes() == before
    file.flush()
    file.flush()
    assert len(list(RawEventFileLoader(str(path)).Load())) == 2  # The version, and the value.


def test_a_later_file_supersedes_what_came_after_its_first_step(tmp_path):
    first = EventFile(tmp_path)
    for step in (10, 20, 30):
        first.add_scalars(step, {"a/b": float(step)})
    first.flush()
    second = EventFile(tmp_path, first_step=20)
    second.add_scalars(20, {"a/b": -1.0})
    second.flush()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 2
    assert values_of(load(tmp_path), "a/b") == [(10, 10.0), (20, -1.0)]


def test_hyperparameters_and_their_end_are_recorded(tmp_path):
    file = EventFile(tmp_path)
    values = {"agent.gamma": 0.9, "agent.loss": "mse", "network.dueling": True, "seed": 3}
    file.add_hparams("run", values, ["eval/return_mean"])
    file.end_hparams(is_success=False)
    file.flush()
    events = load(tmp_path)
    tags = set(events.Tags()["tensors"])
    assert tags == {
        f"_hparams_/{name}" for name in ("experiment", "session_start_info", "session_end_info")
    }
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    found = parse_session_start_info_plugin_data(content).hparams
    assert found["agent.gamma"].number_value == 0.9 and found["agent.loss"].string_value == "mse"
    assert found["network.dueling"].bool_value is True and found["seed"].number_value == 3


def test_charts_are_lines_and_bands(tmp_path):
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

    file = EventFile(tmp_path)
    lines = Chart("lines", ("a/b.c", "a/d"))
    band = Chart("band", ("e/p50", "e/p10", "e/p90"), is_band=True)
    file.add_layout({"values": [lines, band]})
    file.flush()
    (one,) = load(tmp_path).Tensors("custom_scalars__config__")
    layout = Layout.FromString(make_ndarray(one.tensor_proto).item())
    first, second = layout.category[0].chart
    assert list(first.multiline.tag) == [r"^a/b\.c$", "^a/d$"]
    (series,) = second.margin.series
    assert (series.value, series.lower, series.upper) == band.tags


def test_a_film_is_an_image(tmp_path):
    file = EventFile(tmp_path)
    file.add_gif("policy/greedy", 7, b"GIF89a", (4, 2))
    file.flush()
    (image,) = load(tmp_path).Images("policy/greedy")
    assert (image.step, image.width, image.height) == (7, 4, 2)
    assert image.encoded_image_string == b"GIF89a"
