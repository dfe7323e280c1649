"""From vectors to points: t-SNE by openTSNE, PCA, or UMAP where it is installed.

Equal for any number of threads: neighbours are exact (an approximate index splits its trees by threads), and openTSNE's
gradients sum in a fixed order.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from utils.errors import UserError

EXAGGERATED = 250
"""t-SNE's first steps, which pull neighbours together (van der Maaten and Hinton 2008; openTSNE's default)."""

_DIMENSIONS = 50  # vectors are cut to these components before t-SNE and UMAP, as is usual: neighbours cost less
_STEP = 25

Step = Callable[[int], bool]
"""Told how many steps were made; a true answer ends the work early."""


def pca(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    """Return the first principal components, float64 [n, dimensions]; zeros where there are fewer.

    The largest entry of each axis is positive, so that the picture is not mirrored at random.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, ::-1][:, :dimensions]
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    found = centred @ (axes * np.where(largest < 0, -1.0, 1.0))
    return np.pad(found, ((0, 0), (0, dimensions - found.shape[1])))


def tsne(vectors: np.ndarray, *, perplexity: float, iterations: int, threads: int, seed: int, step: Step) -> np.ndarray:
    """Return float64 [n, 2] by openTSNE (Poličar, Stražar, Zupan 2024): FFT interpolation from 10,000 points on.

    Args:
        vectors: [n, d].
        perplexity: at most (n − 1) ÷ 3; lowered for fewer points.
        iterations: steps after the exaggerated ones.
        threads: they change the time, not the points.
        seed: of the start.
        step: told of every 25 steps.

    """
    from openTSNE import TSNE

    if len(vectors) < 5:  # too few to have neighbours
        return pca(vectors, 2)

    def told(_iteration: int, _error: float, _points: Any) -> bool:
        return step(_STEP)

    model = TSNE(
        perplexity=min(perplexity, (len(vectors) - 1) / 3),
        n_iter=iterations,
        early_exaggeration_iter=EXAGGERATED,
        neighbors="exact",
        negative_gradient_method="fft" if len(vectors) >= 10_000 else "bh",
        n_jobs=threads,
        random_state=seed,
        callbacks=told,
        callbacks_every_iters=_STEP,
    )
    return np.asarray(model.fit(_reduced(vectors)), dtype=np.float64)


def umap(vectors: np.ndarray, *, seed: int) -> np.ndarray:
    """Return float64 [n, 2] by umap-learn, in one thread: only so it repeats.

    Raises:
        UserError: it is not installed.

    """
    try:
        from umap import UMAP
    except ImportError as error:
        mend = "install umap-learn, or set method=tsne"
        raise UserError("method umap: the package umap-learn is not installed", mend=mend) from error
    model = UMAP(n_neighbors=max(2, min(15, len(vectors) - 1)), random_state=seed, n_jobs=1)
    return np.asarray(model.fit_transform(_reduced(vectors)), dtype=np.float64)


def _reduced(vectors: np.ndarray) -> np.ndarray:
    return pca(vectors, _DIMENSIONS) if vectors.shape[1] > _DIMENSIONS else vectors.astype(np.float64)


def steps_of(iterations: int) -> int:
    """Return how many steps `tsne` will tell of."""
    return (EXAGGERATED // _STEP + math.floor(iterations / _STEP)) * _STEP
