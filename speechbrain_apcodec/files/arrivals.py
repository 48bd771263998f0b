"""Bytes that arrive bit by bit, through a pipe or a socket.

Authors
 * speechbrain_apcodec contributors, 2026
"""


class Arrivals:
    """What has arrived from a binary stream, and has not been taken yet.

    A live stream must not wait for a full buffer: one read takes what is
    there. After a delay that is more, so that the next step catches up.

    Arguments
    ---------
    file : object
        Binary stream with ``read1``, as ``sys.stdin.buffer`` and
        ``socket.makefile("rb")`` have it.
    most : int
        Most bytes of one read; they bound the work of one step.

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

    def __init__(self, file, most):
        self._file = file
        self._most = most
        self._waiting = b""

    def __len__(self):
        return len(self._waiting)

    def wait(self):
        """Wait until more arrives.

        Returns
        -------
        bool
            False if the stream has ended.
        """
        block = self._file.read1(self._most)
        self._waiting += block
        return bool(block)

    def take(self, size=None):
        """Take bytes out.

        Arguments
        ---------
        size : int, optional
            How many to wait for; default: all that are here now.

        Returns
        -------
        bytes
            Fewer than that only at the end of the stream.
        """
        if size is None:
            size = len(self._waiting)
        while len(self._waiting) < size and self.wait():
            pass
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken

    def peek(self, size):
        """Look at bytes that are here now.

        Arguments
        ---------
        size : int
            How many at most.

        Returns
        -------
        bytes
        """
        return self._waiting[:size]
