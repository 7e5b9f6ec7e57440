"""Checks of arguments that several callbacks share."""


def positive(name: str, value: int, least: int = 1) -> int:
    """Return `value` if it is an integer of at least `least`.

    Args:
        name: the argument's name, for the sentence.
        value: what was given.
        least: the smallest value allowed.

    Returns:
        `value`.

    Raises:
        ValueError: if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"`{name}` must be an integer of at least {least}, got {value!r}.")
    return value
