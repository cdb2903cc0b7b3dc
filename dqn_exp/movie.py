"""Moving pictures, written frame by frame: MP4 with PyAV, GIF with Pillow."""

import io
import os
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

Frame = npt.NDArray[np.uint8]
"""`[height, width, 3]`, red, green and blue."""

GIF_WIDTH = 320
"""In pixels; wider frames are made smaller, since GIF has no compression to speak of."""

GIF_FPS = 25


class Movie(Protocol):
    """What frames are added to."""

    def add(self, frame: Frame) -> None:
        """Adds the next frame, all of one size."""
        ...


class MovieFile:
    """A file that is there once it is whole: not before the block ends, and not if it fails."""

    def __init__(self, path: Path) -> None:
        """Args: the file, which may be there already."""
        self._path, self._partial = path, path.with_name(f".{path.name}.part")

    def __enter__(self) -> Self:
        """Begins the block."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        """Gives the file its name, or takes it away."""
        try:
            if self._end() and kind is None:
                os.replace(self._partial, self._path)
        finally:
            self._partial.unlink(missing_ok=True)

    def _end(self) -> bool:
        """Ends the partial file; returns whether it holds a frame."""
        raise NotImplementedError


class Mp4(MovieFile):
    """H.264 in an MP4 file, which browsers and every player show."""

    def __init__(self, path: Path, fps: float) -> None:
        """Args: the file, and frames a second.

        Raises:
            ValueError: if PyAV is not installed.
        """
        super().__init__(path)
        try:
            import av
        except ImportError as error:
            raise ValueError(
                "A video needs PyAV: pip install -c constraints.txt -e '.[video]'."
            ) from error
        self._av: Any = av
        self._container: Any = av.open(str(self._partial), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=max(1, round(fps)))
        self._stream.pix_fmt = "yuv420p"
        self._has_size = False

    def add(self, frame: Frame) -> None:
        """Adds the next frame; an odd last row or column is left out, which H.264 cannot have."""
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
    """A GIF that repeats, in the memory; of fast pictures every other one, or fewer."""

    def __init__(self, fps: float) -> None:
        """Args: frames a second that are added."""
        self._stride = max(1, round(fps / GIF_FPS))
        self._milliseconds = 1_000 * self._stride / fps
        self._frames: list[Any] = []
        self._num_added = 0

    def add(self, frame: Frame) -> None:
        """Adds the next frame."""
        from PIL import Image

        if self._num_added % self._stride == 0:
            image = Image.fromarray(frame)
            if image.width > GIF_WIDTH:
                image = image.resize((GIF_WIDTH, image.height * GIF_WIDTH // image.width))
            self._frames.append(image.quantize(64))
        self._num_added += 1

    def to_bytes(self) -> bytes:
        """Returns the file; there must be a frame."""
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


class GifFile(MovieFile):
    """A GIF in a file."""

    def __init__(self, path: Path, fps: float) -> None:
        """Args: the file, and frames a second that are added."""
        super().__init__(path)
        self._gif = Gif(fps)

    def add(self, frame: Frame) -> None:
        """Adds the next frame."""
        self._gif.add(frame)

    def _end(self) -> bool:
        if not self._gif.is_empty:
            self._partial.write_bytes(self._gif.to_bytes())
        return not self._gif.is_empty
