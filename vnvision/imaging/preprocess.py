"""The one Preprocessor: training, evaluation, demo, clinic and camera call this same object."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.imaging import align, geometry
from vnvision.imaging.depth import to_uint8
from vnvision.imaging.strips import stack_strips
from vnvision.imaging.voi import window, window_table
from vnvision.spec import PreprocessSpec

Landmarks = np.ndarray | Sequence[Sequence[float]]


class Preprocessor:
    """From a decoded image to the model's input, as ``PreprocessSpec`` says.

    Images arrive (H, W, 3) in RGB order or (H, W, 1) grey, in the spec's ``input_dtype``. Besides:

    - a uint16 image for a uint8 spec is scaled by the full range of both types, ``round(x / 257)``, before
      anything else; every other mismatch is an error;
    - grey for a colour spec is repeated, RGB for a grey spec becomes luma (ITU-R BT.601).

    Holds nothing but lookup tables: safe to share between threads, cheap to pickle.

    Raises:
        ConfigError: numbers of the spec that its ``input_dtype`` or ``geometry`` cannot hold.
    """

    def __init__(self, spec: PreprocessSpec) -> None:
        self.spec = spec
        self._dtype = np.dtype(spec.input_dtype)
        self._check()
        self._tables: np.ndarray | None = None  # (C, levels) float32
        self._voi: np.ndarray | None = None  # (levels,) of the input dtype
        if self._dtype.kind == "u":
            levels = np.arange(np.iinfo(self._dtype).max + 1)
            self._tables = np.stack([self._exact(levels, channel) for channel in range(spec.channels)])
            if spec.voi_window:
                self._voi = window_table(self._dtype, spec.voi_window, spec.input_range)

    def _check(self) -> None:
        spec = self.spec
        if spec.voi_window and spec.voi_window[1] < 1:
            raise ConfigError(
                "voi_window is wrong", expected="a width of 1 or more", got=str(spec.voi_window)
            )
        if spec.geometry == "align" and spec.interpolation in ("area", "nearest"):
            raise ConfigError(
                f"align cannot interpolate by {spec.interpolation}", fix="choose bilinear or bicubic"
            )
        pads = spec.geometry in ("letterbox", "align")
        if pads and self._dtype.kind == "u" and spec.pad_value not in range(np.iinfo(self._dtype).max + 1):
            raise ConfigError(
                "pad_value is wrong", expected=f"a whole {self._dtype} value", got=str(spec.pad_value)
            )

    def _exact(self, values: np.ndarray, channel: int) -> np.ndarray:
        """Steps 4 and 5 of one channel: computed in float64, rounded once to float32."""
        low, high = self.spec.input_range
        scaled = (values.astype(np.float64) - low) / (high - low)
        return ((scaled - self.spec.mean[channel]) / self.spec.std[channel]).astype(np.float32)

    @property
    def table(self) -> np.ndarray:
        """What each uint8 level of each channel becomes: (256, C) float32, exact to the last bit.

        Raises:
            ConfigError: the spec's input is not uint8.
        """
        if self._tables is None or self._dtype != np.uint8:
            raise ConfigError("there is no lookup table", expected="a uint8 spec", got=self.spec.input_dtype)
        return np.ascontiguousarray(self._tables.T)

    def geometry(self, image: np.ndarray, landmarks_px: Landmarks | None = None) -> np.ndarray:
        """Steps 1 to 3: VOI window, colour order, size.

        Args:
            image: (H, W, 3) RGB or (H, W, 1) grey.
            landmarks_px: (5, 2) x and y; needed by the geometry ``align``, unused by the others.

        Returns:
            (h, w, C) of the spec's dtype; may share memory with ``image``.

        Raises:
            DataError: wrong dtype, shape or landmarks, or a size that ``none`` does not allow.
        """
        image = self._accept(image)
        if self.spec.voi_window:
            image = self._windowed(image, self.spec.voi_window)
        if self.spec.colour == "grey" and image.shape[2] == 3:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[:, :, None]
        image = self._sized(image, landmarks_px)
        # Repeating and reordering channels commute with resizing, and the small image is cheaper to copy.
        if self.spec.channels == 3 and image.shape[2] == 1:
            image = cv2.merge([image, image, image])
        elif self.spec.colour == "bgr":
            image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        return image

    def _accept(self, image: np.ndarray) -> np.ndarray:
        if (
            not isinstance(image, np.ndarray)
            or image.ndim != 3
            or image.shape[2] not in (1, 3)
            or not image.size
        ):
            got = str(image.shape) if isinstance(image, np.ndarray) else type(image).__name__
            raise DataError("an image has the wrong shape", expected="(H, W, 3) or (H, W, 1)", got=got)
        if image.dtype == self._dtype:
            return image
        if image.dtype == np.uint16 and self._dtype == np.uint8:
            return to_uint8(image)
        raise DataError(
            "an image has the wrong dtype",
            expected=self.spec.input_dtype,
            got=str(image.dtype),
            fix="read it with vnvision.imaging.read, or use a model made for this range",
        )

    def _windowed(self, image: np.ndarray, centre_width: tuple[float, float]) -> np.ndarray:
        if self._voi is not None:
            image = self._voi[image]
        else:
            image = window(image, centre_width, self.spec.input_range).astype(np.float32)
        return image

    def _sized(self, image: np.ndarray, landmarks_px: Landmarks | None) -> np.ndarray:
        spec = self.spec
        flag = geometry.INTERPOLATION[spec.interpolation]
        if spec.geometry == "squash":
            return geometry.resize(image, spec.size_px, flag)
        if spec.geometry == "strips":
            return geometry.resize(stack_strips(image), spec.size_px, flag)
        if spec.geometry == "crop":
            return geometry.crop(image, spec.size_px, flag, spec.crop_pct)
        if spec.geometry == "letterbox":
            return geometry.letterbox(image, spec.size_px, flag, spec.pad_value)
        if spec.geometry == "align":
            if landmarks_px is None:
                raise DataError("this model needs a face's five landmarks", expected="landmarks_px (5, 2)")
            return align.align(
                image, landmarks_px, spec.size_px, interpolation=flag, pad_value=spec.pad_value
            )
        if image.shape[:2] != spec.size_px:
            raise DataError(
                "an image has the wrong size",
                expected="{} x {} pixels (height x width)".format(*spec.size_px),
                got="{} x {}".format(*image.shape[:2]),
                fix="this model does not resize; cut the image to that size first",
            )
        return image

    def normalise(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Steps 4 and 5: range, mean and std.

        Args:
            image: (h, w, C) of the spec's dtype and size, channels in the spec's order.
            out: (C, h, w) float32, C-contiguous, to write into.

        Returns:
            (C, h, w) float32, C-contiguous; ``out`` where it was given.

        Raises:
            DataError: wrong shape or dtype of ``image`` or ``out``.
        """
        spec = self.spec
        shape = (*spec.size_px, spec.channels)
        if image.shape != shape or image.dtype != self._dtype:
            expected, got = f"{shape} {self._dtype}", f"{image.shape} {image.dtype}"
            raise DataError("cannot normalise an image", expected=expected, got=got)
        if out is None:
            out = np.empty((shape[2], *shape[:2]), np.float32)
        elif out.shape != (shape[2], *shape[:2]) or out.dtype != np.float32 or not out.flags.c_contiguous:
            expected = f"C-contiguous {(shape[2], *shape[:2])} float32"
            raise DataError("cannot normalise into out", expected=expected, got=f"{out.shape} {out.dtype}")
        for channel, plane in enumerate(cv2.split(image)):
            self._normalise_plane(plane, channel, out[channel])
        return out

    def _normalise_plane(self, plane: np.ndarray, channel: int, out: np.ndarray) -> None:
        if self._tables is None:
            out[...] = self._exact(plane, channel)
        elif self._dtype == np.uint8:  # writes through: dst has the right size and type
            cv2.LUT(plane, self._tables[channel], dst=out)
        else:
            np.take(self._tables[channel], plane, out=out, mode="clip")

    def __call__(
        self, image: np.ndarray, out: np.ndarray | None = None, *, landmarks_px: Landmarks | None = None
    ) -> np.ndarray:
        """``normalise(geometry(image))``: (C, h, w) float32."""
        return self.normalise(self.geometry(image, landmarks_px), out)

    def batch(
        self, images: Sequence[np.ndarray], landmarks_px: Sequence[Landmarks] | None = None
    ) -> np.ndarray:
        """Preprocess several images: (N, C, h, w) float32, each as ``__call__`` would give it."""
        out = np.empty((len(images), self.spec.channels, *self.spec.size_px), np.float32)
        for index, image in enumerate(images):
            self(image, out[index], landmarks_px=None if landmarks_px is None else landmarks_px[index])
        return out
