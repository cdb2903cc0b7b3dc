"""TensorBoard event files that are open only while they are written, without threads."""

import itertools
import os
import re
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT, DT_STRING
from tensorboard.plugins.custom_scalar.layout_pb2 import (
    Category,
    Layout,
    MarginChartContent,
    MultilineChartContent,
)
from tensorboard.plugins.custom_scalar.layout_pb2 import Chart as ChartProto
from tensorboard.plugins.hparams.api_pb2 import (
    STATUS_FAILURE,
    STATUS_SUCCESS,
    Experiment,
    HParamInfo,
    MetricInfo,
    MetricName,
)
from tensorboard.plugins.hparams.plugin_data_pb2 import (
    HParamsPluginData,
    SessionEndInfo,
    SessionStartInfo,
)
from tensorboard.summary.writer.record_writer import RecordWriter

HParamValue = bool | int | float | str

PREFIX = "events.out.tfevents"

_file_numbers = itertools.count()


class Chart(NamedTuple):
    """A chart of the page of custom scalars.

    Attributes:
        title: of the chart.
        tags: of its lines; of a band, those of its middle, lower and upper end.
        is_band: whether it shows a band.
    """

    title: str
    tags: tuple[str, ...]
    is_band: bool = False


class EventFile:
    """Collects records of one run in memory and appends them to its event file on `flush`.

    The format is that of TensorBoard, https://www.tensorflow.org/tensorboard. A thousand of these
    keep no file open, while a thousand of TensorBoard's own writers keep as many threads.
    """

    def __init__(self, directory: Path, first_step: int = 0) -> None:
        """Creates the file, with a name that sorts after all existing event files of the run.

        Args:
            directory: of the run.
            first_step: step from which the run resumes, if it has an event file already;
                TensorBoard drops entries of earlier files from this step on.
        """
        earlier = [int(path.name.split(".")[3]) for path in directory.glob(f"{PREFIX}.*")]
        # TensorBoard reads the files of a run in the order of their names.
        second = max(int(time.time()), *(second + 1 for second in earlier), 0)
        name = f"{PREFIX}.{second:010d}.{socket.gethostname()}"
        self._path = directory / f"{name}.{os.getpid()}.{next(_file_numbers)}"
        self._pending = bytearray()
        self._writer = RecordWriter(_Appender(self._pending))
        self._add(Event(wall_time=time.time(), file_version="brain.Event:2"))
        if earlier:
            start = SessionLog(status=SessionLog.START)
            self._add(Event(wall_time=time.time(), step=first_step, session_log=start))

    def add_scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Adds values by tag at one step of the run."""
        summary = Summary(
            value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        )
        self._add(Event(wall_time=time.time(), step=step, summary=summary))

    def add_text(self, tag: str, text: str) -> None:
        """Adds a Markdown text to the page of texts."""
        shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=1)])
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=shape, string_val=[text.encode()])
        self._add_plugin_value(tag, "text", b"", tensor)

    def add_layout(self, categories: Mapping[str, Sequence[Chart]]) -> None:
        """Adds the charts of the page of custom scalars, by category."""
        layout = Layout(
            category=[
                Category(title=title, chart=[_to_chart(chart) for chart in charts])
                for title, charts in categories.items()
            ]
        )
        content = layout.SerializeToString()
        tensor = TensorProto(dtype=DT_STRING, tensor_shape=TensorShapeProto(), string_val=[content])
        self._add_plugin_value("custom_scalars__config__", "custom_scalars", b"", tensor)

    def add_gif(self, tag: str, step: int, content: bytes, size: tuple[int, int]) -> None:
        """Adds an animated image of a width and height to the page of images."""
        width, height = size
        image = Summary.Image(
            width=width, height=height, colorspace=3, encoded_image_string=content
        )
        summary = Summary(value=[Summary.Value(tag=tag, image=image)])
        self._add(Event(wall_time=time.time(), step=step, summary=summary))

    def add_hparams(
        self, group: str, hparams: Mapping[str, HParamValue], metrics: Iterable[str]
    ) -> None:
        """Opens the run's entry in the table of hyperparameters.

        Args:
            group: names the runs that are one row, whose metrics are the means of theirs.
            hparams: columns of hyperparameters, equal in a group.
            metrics: tags of scalars, whose newest values the table shows.
        """
        infos = [MetricInfo(name=MetricName(tag=tag), display_name=tag) for tag in metrics]
        names = [HParamInfo(name=name) for name in hparams]
        experiment = Experiment(hparam_infos=names, metric_infos=infos)
        self._add_hparams_value("experiment", HParamsPluginData(experiment=experiment))
        start = SessionStartInfo(group_name=group, start_time_secs=time.time())
        for name, value in hparams.items():
            _assign(start.hparams[name], value)
        self._add_hparams_value("session_start_info", HParamsPluginData(session_start_info=start))

    def end_hparams(self, is_success: bool) -> None:
        """Closes the run's entry in the table of hyperparameters."""
        status = STATUS_SUCCESS if is_success else STATUS_FAILURE
        end = SessionEndInfo(status=status, end_time_secs=time.time())
        self._add_hparams_value("session_end_info", HParamsPluginData(session_end_info=end))

    def flush(self, *, is_durable: bool = False) -> None:
        """Appends the collected records to the file.

        Args:
            is_durable: whether to wait until they are on disk.

        Raises:
            OSError: If the file cannot be written.
        """
        if self._pending:
            with self._path.open("ab") as file:
                file.write(self._pending)
                if is_durable:
                    file.flush()
                    os.fsync(file.fileno())
            self._pending.clear()

    def _add(self, event: Event) -> None:
        self._writer.write(event.SerializeToString())

    def _add_hparams_value(self, name: str, data: HParamsPluginData) -> None:
        tensor = TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto())
        tag = f"_hparams_/{name}"
        self._add_plugin_value(tag, "hparams", data.SerializeToString(), tensor)

    def _add_plugin_value(self, tag: str, plugin: str, content: bytes, tensor: TensorProto) -> None:
        data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
        metadata = SummaryMetadata(plugin_data=data)
        summary = Summary(value=[Summary.Value(tag=tag, metadata=metadata, tensor=tensor)])
        self._add(Event(wall_time=time.time(), summary=summary))


def _to_chart(chart: Chart) -> ChartProto:
    if chart.is_band:
        value, lower, upper = chart.tags
        series = MarginChartContent.Series(value=value, lower=lower, upper=upper)
        return ChartProto(title=chart.title, margin=MarginChartContent(series=[series]))
    # The page interprets each tag as a pattern.
    patterns = [f"^{re.escape(tag)}$" for tag in chart.tags]
    return ChartProto(title=chart.title, multiline=MultilineChartContent(tag=patterns))


class _Appender:
    """Adapts a bytearray to the interface of a RecordWriter's file."""

    def __init__(self, target: bytearray) -> None:
        self._target = target

    def write(self, data: bytes) -> None:
        self._target.extend(data)


def _assign(field: Any, value: HParamValue) -> None:
    # A bool is an int too, so it is tested first.
    if isinstance(value, bool):
        field.bool_value = value
    elif isinstance(value, int | float):
        field.number_value = value
    else:
        field.string_value = value
