"""The worker's side of the frame protocol (docs/reference/frames.md)."""

import json
import select
import socket
import struct

HELLO = 1
REQUEST = 2
RESPONSE = 3
CANCEL = 4
STREAM = 5
DATA = 6
END = 7
EVENT = 8
TAKEN = 9

PROTOCOL_VERSION = 1
RECEIVE_BYTES = 256 * 1024

_HEADER = struct.Struct(">IIB")
_LENGTH = struct.Struct(">I")
_ANSWER = struct.Struct(">IIBHI")
# id and kind, which `length` counts although the body does not hold them
_COUNTED = 5


class Disconnected(Exception):
    """The scorer closed the socket: there is nobody left to work for."""


class FrameSocket(object):
    """Cuts what arrives into frames; collects answers and sends them in one write."""

    def __init__(self, connection):
        self._connection = connection
        self._rest = b""
        self._unsent = []

    def fileno(self):
        return self._connection.fileno()

    def close(self):
        self._connection.close()

    def wait(self, seconds):
        """Until something arrives, or the time is over."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        poll.poll(seconds * 1000)

    def receive(self, wait=True):
        """All frames that are there as (id, kind, body). With `wait` at least one; without it perhaps none."""
        try:
            chunk = self._connection.recv(RECEIVE_BYTES, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionResetError:
            raise Disconnected()
        frames = []
        while True:
            if not chunk:
                raise Disconnected()
            data = self._rest + chunk if self._rest else chunk
            at = 0
            while len(data) - at >= _HEADER.size:
                length, frame_id, kind = _HEADER.unpack_from(data, at)
                end = at + 4 + length
                if end > len(data):
                    if length > RECEIVE_BYTES:
                        # Collected in one buffer of its own, so that a large body costs one copy and not one a piece.
                        frames.append((frame_id, kind, self._receive_large(data, at, end)))
                        at = len(data)
                    break
                frames.append((frame_id, kind, data[at + _HEADER.size : end]))
                at = end
            self._rest = data[at:]
            if frames or not wait:
                return frames
            chunk = self._connection.recv(RECEIVE_BYTES)

    def _receive_large(self, data, at, end):
        body = bytearray(end - at - _HEADER.size)
        here = data[at + _HEADER.size :]
        body[: len(here)] = here
        with memoryview(body) as whole:
            filled = len(here)
            while filled < len(body):
                count = self._connection.recv_into(whole[filled:])
                if count == 0:
                    raise Disconnected()
                filled += count
        return body

    def put_answer(self, kind, frame_id, status, head, payload):
        """RESPONSE or STREAM; `head` is JSON bytes. Goes out with the next `flush`."""
        length = _COUNTED + 6 + len(head) + len(payload)
        self._unsent.append(_ANSWER.pack(length, frame_id, kind, status, len(head)) + head)
        self._unsent.append(payload)

    def put(self, kind, frame_id, body):
        self._unsent.append(_HEADER.pack(_COUNTED + len(body), frame_id, kind))
        self._unsent.append(body)

    def put_event(self, event):
        self.put(EVENT, 0, json.dumps(event).encode("utf-8"))

    def flush(self):
        if not self._unsent:
            return
        data = b"".join(self._unsent)
        self._unsent = []
        try:
            self._connection.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            raise Disconnected()


def events(frames):
    """The JSON values of the EVENT frames among these."""
    return [json.loads(bytes(body).decode("utf-8")) for _, kind, body in frames if kind == EVENT]


def taken_bytes(body):
    """What a TAKEN frame tells."""
    return _LENGTH.unpack(body)[0]


def split_request(body):
    """The JSON bytes of the head, and where the payload begins."""
    start = 4 + _LENGTH.unpack_from(body)[0]
    return body[4:start], start
