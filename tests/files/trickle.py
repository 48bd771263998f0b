"""Binary streams whose bytes arrive in pieces."""

import io
import random


class Trickle(io.BytesIO):
    """Give one to ``most`` bytes a read, as a pipe may."""

    def __init__(self, data, most, seed=0):
        super().__init__(data)
        self._most = most
        self._random = random.Random(seed)

    def read1(self, size):
        return self.read(min(size, self._random.randint(1, self._most)))


class Pieces:
    """Give a piece a read; a read behind the last, which would wait, fails."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)

    def read1(self, size):
        return self._pieces.pop(0)
