from itertools import permutations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from nvr.tracking.assignment import assign

SMALL = st.tuples(st.integers(0, 5), st.integers(0, 5))
SIMILARITY = SMALL.flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.sampled_from([0.0, 0.1, 0.35, 0.5, 0.9]))
)


def best_sum(similarity: NDArray[np.float64]) -> float:
    n = max(similarity.shape)
    square = np.zeros((n, n))
    square[: similarity.shape[0], : similarity.shape[1]] = similarity
    return max(float(square[range(n), list(order)].sum()) for order in permutations(range(n)))


@given(SIMILARITY)
def test_no_other_choice_has_a_larger_sum(similarity: NDArray[np.float64]) -> None:
    pairs = assign(similarity)
    assert abs(sum(similarity[pair] for pair in pairs) - best_sum(similarity)) < 1e-9


@given(SIMILARITY)
def test_a_row_and_a_column_are_taken_once_and_only_where_they_are_similar(similarity: NDArray[np.float64]) -> None:
    pairs = assign(similarity)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert all(similarity[pair] > 0 for pair in pairs)
    assert pairs == sorted(pairs)


def test_a_full_matrix_of_hundreds_is_assigned_as_well_as_can_be() -> None:
    rng = np.random.default_rng(0)
    order = rng.permutation(200)
    similarity = rng.uniform(0, 0.1, (200, 200))
    similarity[np.arange(200), order] = 0.9
    assert assign(similarity) == list(enumerate(order.tolist()))
