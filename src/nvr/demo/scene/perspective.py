"""How large a person is where they stand: one flat ground seen from a pole, in fractions of the picture's height."""

_HORIZON = 0.185
_PERSON_PER_DEPTH = 0.444


def person_height(foot_y: float) -> float:
    """Return the height of a person whose feet are at `foot_y`; all in fractions of the picture's height."""
    return _PERSON_PER_DEPTH * (foot_y - _HORIZON)
