"""Answers in parts: what generators yield, and how much of it may be on its way."""

from .result import BYTES_TYPE, to_json

# Sent and not yet taken by the caller. Then the generator waits, instead of the scorer's memory filling.
WINDOW_BYTES = 1024 * 1024
# How long the reader may take for that where there is no scoring timeout.
READ_SECONDS = 60


class Stream(object):
    """
    An answer whose pieces go out as they come. `first` has been taken from `pieces` already: what fails before it is an
    ordinary failure of run(). Without `headers` it tells the content type.
    """

    def __init__(self, first, pieces, status=200, headers=None):
        self.first = first
        self.pieces = pieces
        self.status = status
        self.headers = headers


class ReaderTooSlow(Exception):
    """The caller took too little for as long as a whole run() may take."""


def piece_bytes(piece):
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece), BYTES_TYPE
    if isinstance(piece, str):
        return piece.encode("utf-8"), "text/plain; charset=utf-8"
    return to_json(piece) + b"\n", "application/x-ndjson"
