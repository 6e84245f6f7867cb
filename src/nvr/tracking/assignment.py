"""Which row goes with which column so that the similarities add up to most.

SciPy's `linear_sum_assignment` does this, for 143 MB on disk and 0.4 CPU-s of import; the pairs that are left after
gating fall into groups of one or two, for which it is not needed.
"""

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Pair = tuple[int, int]


def assign(similarity: Matrix) -> list[Pair]:
    """Return the pairs with the largest sum, each row and column at most once, ordered by row.

    Args:
        similarity: (n, m) finite; only pairs above 0 are made.
    """
    rows, columns = np.nonzero(similarity > 0)
    if len(rows) == 0:
        return []
    pairs: list[Pair] = list(zip(rows.tolist(), columns.tolist(), strict=True))
    if len(set(rows.tolist())) == len(set(columns.tolist())) == len(pairs):
        return pairs
    found: list[Pair] = []
    for group in _groups(pairs):
        found += _assign_group(similarity, group)
    return sorted(found)


def _groups(pairs: list[Pair]) -> list[list[Pair]]:
    """Return the pairs by connected component: pairs of two of them share no row and no column."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while (above := parent.setdefault(node, node)) != node:
            parent[node] = parent[above]
            node = above
        return node

    for row, column in pairs:
        parent[root(row)] = root(~column)  # columns are the negative nodes
    groups: dict[int, list[Pair]] = {}
    for pair in pairs:
        groups.setdefault(root(pair[0]), []).append(pair)
    return list(groups.values())


def _assign_group(similarity: Matrix, group: list[Pair]) -> list[Pair]:
    rows = sorted({row for row, _ in group})
    columns = sorted({column for _, column in group})
    if len(rows) == 1 or len(columns) == 1:
        return [max(group, key=lambda pair: float(similarity[pair]))]
    cost = -np.maximum(similarity[np.ix_(rows, columns)], 0)
    is_tall = len(rows) > len(columns)
    chosen = [
        (rows[j], columns[i]) if is_tall else (rows[i], columns[j]) for i, j in _cheapest(cost.T if is_tall else cost)
    ]
    return [(row, column) for row, column in chosen if similarity[row, column] > 0]


def _cheapest(cost: Matrix) -> list[Pair]:
    """Return a column for each row with the least sum; at most as many rows as columns.

    Shortest augmenting paths with potentials, O(n²m): R. Jonker, A. Volgenant, "A shortest augmenting path algorithm
    for dense and sparse linear assignment problems", Computing 38, 1987.
    """
    n, m = cost.shape
    of_row, of_column = np.zeros(n), np.zeros(m)
    row_of = np.full(m, -1)
    for start in range(n):
        distance = np.full(m, np.inf)
        is_done = np.zeros(m, bool)
        before = np.full(m, -1)
        row, column, travelled = start, -1, 0.0
        while row != -1:
            reached = travelled + cost[row] - of_row[row] - of_column
            is_nearer = ~is_done & (reached < distance)
            distance[is_nearer] = reached[is_nearer]
            before[is_nearer] = column
            column = int(np.argmin(np.where(is_done, np.inf, distance)))
            travelled = float(distance[column])
            is_done[column] = True
            row = int(row_of[column])
        is_inner = is_done & (row_of != -1)
        of_row[row_of[is_inner]] += travelled - distance[is_inner]
        of_row[start] += travelled
        of_column[is_done] -= travelled - distance[is_done]
        while column != -1:
            earlier = int(before[column])
            row_of[column] = start if earlier == -1 else row_of[earlier]
            column = earlier
    return [(int(row_of[column]), column) for column in np.flatnonzero(row_of != -1).tolist()]
