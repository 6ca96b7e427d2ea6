"""Three empty tests: what a run of pytest costs in any case."""


def test_one() -> None:
    """Nothing."""


def test_two() -> None:
    """Nothing."""


def test_three() -> None:
    """Nothing."""
