"""A validation image as the model in training sees it, next to what the user annotated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from napari_ssp.service import TrainingState

#: Colours that also colour-blind people can tell apart, on grey: sky blue and orange.
TRUTH, FOUND = (86, 180, 233), (255, 159, 28)
# Larger pictures would show cells too small to judge.
_LONGEST = 320  # pixels
_HEIGHT = 320
_LEGEND = (
    '<span style="color:#56b4e9">■</span>&nbsp;annotated &nbsp; '
    '<span style="color:#ff9f1c">■</span>&nbsp;found by the model'
)
_STRUCTURES_LEGEND = "transmitted light, measured, predicted"


class TrainPicture(QWidget):
    """The newest prediction of one validation image; setter in: ``set_state``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pixels: NDArray[np.uint8] | None = None
        self.picture = _Picture()
        self.caption = QLabel()
        self.caption.setWordWrap(True)
        self.legend = QLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for part in (self.caption, self.picture, self.legend):
            layout.addWidget(part)
        self.setVisible(False)

    def set_state(self, state: TrainingState | None) -> None:
        """Show the validation image of a state, or nothing where it has none."""
        if state is None or state.preview is None:
            self.setVisible(False)
            return
        name, image, truth, found = state.preview
        is_labels = found.dtype.kind in "iu"
        self.pixels = (
            draw_outlines(image, truth, found) if is_labels else side_by_side(image, truth, found)
        )
        self.picture.set_pixels(self.pixels)
        self.caption.setText(f"Validation image '{name}', predicted by the model of now")
        self.legend.setText(_LEGEND if is_labels else _STRUCTURES_LEGEND)
        self.setVisible(True)


class _Picture(QLabel):
    """Picture as wide as the dock, in its own proportions."""

    def __init__(self) -> None:
        super().__init__()
        self._whole = QPixmap()
        self.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def set_pixels(self, pixels: NDArray[np.uint8]) -> None:
        height, width = pixels.shape[:2]
        data: Any = np.ascontiguousarray(pixels).data
        image = QImage(data, width, height, 3 * width, QImage.Format.Format_RGB888)
        self._whole = QPixmap.fromImage(image)  # copies, so the array may go
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(_HEIGHT, _HEIGHT)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        if not self._whole.isNull():
            smooth = Qt.TransformationMode.SmoothTransformation
            keep = Qt.AspectRatioMode.KeepAspectRatio
            shown = self._whole.scaled(self.width(), _HEIGHT, keep, smooth)
            self.setPixmap(shown)
            self.setFixedHeight(shown.height())


def draw_outlines(
    image: NDArray[np.uint8], truth: NDArray[Any], found: NDArray[Any]
) -> NDArray[np.uint8]:
    """Image with the outlines of two label images; what nobody annotated is darker.

    Parameters
    ----------
    image : numpy.ndarray
        (Y, X) or (Y, X, 3), of uint8.
    truth, found : numpy.ndarray
        (Y, X), labels; truth is below 0 where nobody annotated.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) of uint8; the middle where the image is larger than the dock can show.
    """
    middle = tuple(_middle(n) for n in found.shape)
    image, truth, found = image[middle], truth[middle], found[middle]
    grey = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    pixels = np.where(truth[..., None] < 0, grey // 2, grey).astype(np.uint8)
    pixels[_borders(np.maximum(truth, 0))] = TRUTH
    pixels[_borders(found)] = FOUND
    return pixels


def side_by_side(*planes: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey planes of one size beside each other, each in its own range.

    Parameters
    ----------
    planes : numpy.ndarray
        (Y, X) each.

    Returns
    -------
    numpy.ndarray
        (Y, X, 3) of uint8.
    """
    parts = []
    for plane in planes:
        part = np.asarray(plane[tuple(_middle(n) for n in plane.shape)], np.float32)
        low, high = np.percentile(part, (0.5, 99.5))
        scaled = np.clip((part - low) / max(float(high - low), 1e-6), 0.0, 1.0)
        parts.append(np.pad((255 * scaled).astype(np.uint8), ((0, 0), (0, 2))))
    return np.repeat(np.concatenate(parts, axis=1)[..., None], 3, axis=2)


def _middle(length: int) -> slice:
    start = max((length - _LONGEST) // 2, 0)
    return slice(start, start + _LONGEST)


def _borders(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Pixels of objects that have a neighbour of another object or background."""
    edge = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        differs = np.diff(labels.astype(np.int64), axis=axis) != 0
        first = [slice(None)] * 2
        second = [slice(None)] * 2
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        edge[tuple(first)] |= differs
        edge[tuple(second)] |= differs
    inside: NDArray[np.bool_] = edge & (labels > 0)
    return inside
