"""Moving pictures, written frame by frame: MP4 with PyAV, GIF with Pillow."""

import io
from pathlib import Path
from typing import Any, Protocol

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

    def close(self) -> None:
        """Ends the movie."""
        ...


class Mp4:
    """H.264 in an MP4 file, which browsers and every player show."""

    def __init__(self, path: Path, fps: float) -> None:
        """Args: the file, and frames a second.

        Raises:
            ValueError: if PyAV is not installed.
        """
        try:
            import av
        except ImportError as error:
            raise ValueError(
                "A video needs PyAV: pip install -c constraints.txt -e '.[video]'."
            ) from error
        self._av: Any = av
        self._container: Any = av.open(str(path), "w", format="mp4")
        self._stream = self._container.add_stream("libx264", rate=round(fps))
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

    def close(self) -> None:
        """Ends the file."""
        if self._has_size:
            self._container.mux(self._stream.encode())
        self._container.close()


class Gif:
    """A GIF that repeats; of fast pictures every other one, or fewer."""

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

    def close(self) -> None:
        """Does nothing: it is kept in the memory."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        size: tuple[int, int] = self._frames[0].size
        return size


class GifFile(Gif):
    """A GIF in a file."""

    def __init__(self, path: Path, fps: float) -> None:
        """Args: the file, and frames a second that are added."""
        super().__init__(fps)
        self._path = path

    def close(self) -> None:
        """Writes the file."""
        self._path.write_bytes(self.to_bytes())
