"""The cells of a network's feature maps."""

import numpy as np
from numpy.typing import NDArray


def cell_grid(size_px: tuple[int, int], strides: tuple[int, ...]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (n, 2) column and row of each cell, and (n,) its stride in pixels: map by map, row by row.

    A map has one cell for each stride begun: networks pad what does not divide.
    """
    width_px, height_px = size_px
    cells, strides_px = [], []
    for stride in strides:
        columns, rows = -(-width_px // stride), -(-height_px // stride)
        y, x = np.mgrid[:rows, :columns]
        cells.append(np.stack([x.ravel(), y.ravel()], axis=1))
        strides_px.append(np.full(rows * columns, stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides_px).astype(np.float32)
