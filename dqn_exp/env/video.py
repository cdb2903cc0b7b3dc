"""Videos, written frame by frame: MP4 with PyAV, GIF with Pillow."""

import io
import os
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from dqn_exp.core.extras import import_extra

Frame = npt.NDArray[np.uint8]
"""RGB image `[height, width, 3]`."""

GIF_WIDTH = 320
"""In pixels; wider frames are scaled down, since GIF hardly compresses."""

GIF_FPS = 25


class Video(Protocol):
    """Collects frames."""

    def add(self, frame: Frame) -> None:
        """Adds the next frame; all frames have the same size."""
        ...


class VideoFile:
    """A file that exists once it is complete: after the block, unless the block fails."""

    def __init__(self, path: Path) -> None:
        """Takes the path, which may exist already."""
        self._path, self._partial = path, path.with_name(f".{path.name}.part")

    def __enter__(self) -> Self:
        """Enters the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        """Renames the partial file, or removes it."""
        try:
            if self._end() and kind is None:
                os.replace(self._partial, self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _end(self) -> bool:
        """Closes the partial file; returns whether it has a frame."""
        raise NotImplementedError


class Mp4(VideoFile):
    """H.264 in an MP4 file, which browsers and players support."""

    def __init__(self, path: Path, fps: float) -> None:
        """Opens the file.

        Args:
            path: of the file.
            fps: frames per second.

        Raises:
            ImportError: If PyAV is not installed.
        """
        super().__init__(path)
        self._av = import_extra("av", "video")
        self._container: Any = self._av.open(str(self._partial), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=max(1, round(fps)))
        self._stream.pix_fmt = "yuv420p"
        self._has_size = False

    def add(self, frame: Frame) -> None:
        """Adds the next frame without an odd last row or column, which H.264 does not support."""
        height, width = (size - size % 2 for size in frame.shape[:2])
        if not self._has_size:
            self._stream.width, self._stream.height = width, height
            self._has_size = True
        picture = np.ascontiguousarray(frame[:height, :width])
        image = self._av.VideoFrame.from_ndarray(picture, format="rgb24")
        self._container.mux(self._stream.encode(image))

    def _end(self) -> bool:
        if self._has_size:
            self._container.mux(self._stream.encode())
        self._container.close()
        return self._has_size


class Gif:
    """A repeating GIF in memory; frames of fast videos are skipped."""

    def __init__(self, fps: float) -> None:
        """Takes the frames per second that are added.

        Raises:
            ImportError: If Pillow is not installed.
        """
        self._image = import_extra("PIL.Image", "video")
        self._stride = max(1, round(fps / GIF_FPS))
        self._milliseconds = 1_000 * self._stride / fps
        self._frames: list[Any] = []
        self._num_added = 0

    def add(self, frame: Frame) -> None:
        """Adds the next frame."""
        if self._num_added % self._stride == 0:
            image = self._image.fromarray(frame)
            if image.width > GIF_WIDTH:
                image = image.resize((GIF_WIDTH, image.height * GIF_WIDTH // image.width))
            self._frames.append(image.quantize(64))
        self._num_added += 1

    def to_bytes(self) -> bytes:
        """Returns the content of the file; there must be a frame."""
        file = io.BytesIO()
        first, *others = self._frames
        first.save(
            file,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=self._milliseconds,
            loop=0,
        )
        return file.getvalue()

    @property
    def is_empty(self) -> bool:
        """Whether no frame was added."""
        return not self._frames

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        size: tuple[int, int] = self._frames[0].size
        return size


class GifFile(VideoFile):
    """A GIF in a file."""

    def __init__(self, path: Path, fps: float) -> None:
        """Takes the path and the frames per second that are added."""
        super().__init__(path)
        self._gif = Gif(fps)

    def add(self, frame: Frame) -> None:
        """Adds the next frame."""
        self._gif.add(frame)

    def _end(self) -> bool:
        if not self._gif.is_empty:
            self._partial.write_bytes(self._gif.to_bytes())
        return not self._gif.is_empty
