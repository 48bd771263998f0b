"""Bytes that arrive bit by bit, through a pipe or a socket.

Authors
 * speechbrain_apcodec contributors, 2026
"""

from typing import Protocol


class Readable(Protocol):
    """A binary stream, as ``sys.stdin.buffer`` or a socket's ``makefile``."""

    def read1(self, size: int, /) -> bytes:
        """Wait for bytes, and take up to ``size`` that are there."""


class Arrivals:
    """What has arrived from a binary stream, and has not been taken yet.

    A live stream must not wait for a full buffer: one read takes what is
    there, up to ``most`` bytes, which bound the work of one step. After a delay
    that is more, so that the next step catches up.

    Example
    -------
    >>> import io
    >>> arrivals = Arrivals(io.BytesIO(b"header and data"), 8)
    >>> arrivals.take(7), arrivals.take()
    (b'header ', b'a')
    >>> arrivals.wait(), arrivals.take()
    (True, b'nd data')
    >>> arrivals.wait()
    False
    """

    def __init__(self, file: Readable, most: int) -> None:
        self._file = file
        self._most = most
        self._waiting = b""

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self) -> bool:
        """Wait until more arrives; say whether any did, or the stream ended."""
        block = self._file.read1(self._most)
        self._waiting += block
        return bool(block)

    def take(self, size: int | None = None) -> bytes:
        """Take all bytes that are here, or wait for so many, or the end."""
        if size is None:
            size = len(self._waiting)
        while len(self._waiting) < size and self.wait():
            pass
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken

    def peek(self, size: int) -> bytes:
        """Look at up to so many of the bytes that are here."""
        return self._waiting[:size]
