"""Error of a mask at each pixel: what a critic learns to predict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_ssp.training.critic.corruptions import checked_mask

if TYPE_CHECKING:
    import numpy.typing as npt
    from numpy.typing import NDArray

#: Loss of a pixel that is wrong and certain, as PyTorch limits it.
LARGEST_LOSS = 100.0


def cross_entropy(
    mask: npt.ArrayLike, truth: npt.ArrayLike, largest: float = LARGEST_LOSS
) -> NDArray[np.float32]:
    """Binary cross entropy of a mask against the truth, pixel by pixel.

    Its mean over the pixels is the score that Knowledge Expansion's teacher predicts. For hard
    masks that is ``largest`` times the share of wrong pixels, whereas the loss of a student, whose
    probabilities are soft, stays far below for the same errors: a critic of both needs a
    ``largest`` that soft masks reach, too. Divided by it, the errors are from 0 to 1.

    Parameters
    ----------
    mask : array_like
        Bool or float (Y, X), probabilities from 0 to 1; no logits.
    truth : array_like of bool
        True mask (Y, X).
    largest : float
        Limit of a pixel's loss, above 0.

    Returns
    -------
    numpy.ndarray
        Float32 (Y, X), from 0 to ``largest``, in nats.

    Raises
    ------
    TypeError
        If the truth is not bool.
    ValueError
        If the shapes differ, a probability is not from 0 to 1, or the limit is not above 0.
    """
    probability, true = checked_mask(mask), np.asarray(truth)
    if true.dtype != np.bool_:
        raise TypeError(
            f"The true mask has dtype {true.dtype}, but bool is needed. Of labels, give what is "
            "above 0, and leave out pixels that nobody annotated."
        )
    if probability.shape != true.shape:
        raise ValueError(
            f"The mask has shape {probability.shape} and the true one {true.shape}. "
            "Give two masks of the same region."
        )
    if not largest > 0:
        raise ValueError(f"The largest loss of a pixel is {largest}; it must be above 0.")
    with np.errstate(divide="ignore"):
        # log1p, for 1 - p loses the digits of a small p.
        loss = 0 - np.where(true, np.log(probability), np.log1p(-probability))
    limited: NDArray[np.float32] = np.minimum(loss, np.float32(largest))
    return limited
