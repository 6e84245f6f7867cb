"""What a person may type."""

import pytest

from nvr.cli.config_questions import parse_choice


@pytest.mark.parametrize(
    ("text", "chosen"),
    [("all", [0, 1, 2, 3]), ("none", []), ("1", [0]), ("1,3-4", [0, 2, 3]), ("4 1 1", [3, 0]), (" ALL ", [0, 1, 2, 3])],
)
def test_numbers_and_ranges_are_understood(text: str, chosen: list[int]) -> None:
    assert parse_choice(text, 4) == chosen


@pytest.mark.parametrize("text", ["", "0", "5", "3-2", "a", "1-", "-1", "1-99999", "1,,x"])
def test_what_names_nothing_is_refused_with_what_could_be(text: str) -> None:
    with pytest.raises(ValueError, match="expected numbers from 1 to 4, all, or none"):
        parse_choice(text, 4)
