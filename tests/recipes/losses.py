"""The losses of a recipe of three steps on the same batch."""

import math


def assert_losses_fall(results):
    """Check ``losses.txt``: every step must help."""
    text = (results / "losses.txt").read_text()
    first, second, third = map(float, text.split())
    assert math.inf > first > second > third > -math.inf
