"""Serves a plain run(): one request after the other, on the main thread."""

import collections
import inspect
import signal
import time

from . import frame_socket
from .answers import ScoringTimeout
from .output import running_request
from .request import Request
from .result import is_response, response_headers
from .stream import READ_SECONDS, WINDOW_BYTES, ReaderTooSlow, Stream

# A script of which one answer took longer than this sends each answer at once. Others collect the answers to what arrived
# together: one system call for all of them.
SLOW_SECONDS = 0.002
SLOW_MEMORY = 1000


class SerialServer(object):
    def __init__(self, worker, frames, answers, call, scoring_seconds):
        self._worker = worker
        self._frames = frames
        self._answers = answers
        self._call = call
        self._scoring_seconds = scoring_seconds
        self._queue = collections.deque()
        self._cancelled = set()
        self._taken = {}
        self._slow = 0

    def serve(self):
        while True:
            self._worker.in_user_code = False
            self._take(self._frames.receive())
            self._worker.in_user_code = True
            while self._queue:
                frame_id, body = self._queue.popleft()
                if frame_id in self._cancelled:
                    self._answers.cancelled(frame_id)
                    continue
                began = time.perf_counter()
                self._answer(Request(frame_id, body), began)
                if time.perf_counter() - began > SLOW_SECONDS:
                    self._slow = SLOW_MEMORY
                if self._slow:
                    self._slow -= 1
                    self._frames.flush()
                    # Something may have been cancelled, or more have come, while this answer was made.
                    self._take(self._frames.receive(wait=False))
            self._cancelled.clear()
            self._frames.flush()

    def _take(self, frames):
        for frame_id, kind, body in frames:
            if kind == frame_socket.REQUEST:
                self._queue.append((frame_id, body))
            elif kind == frame_socket.CANCEL:
                self._cancelled.add(frame_id)
            elif kind == frame_socket.TAKEN and frame_id in self._taken:
                self._taken[frame_id] += frame_socket.taken_bytes(body)

    def _answer(self, request, began):
        running_request.set(request)
        try:
            result = self._timed(self._begin, request)
            if isinstance(result, Stream):
                self._send(request, result)
            else:
                self._answers.succeed(request, result, began)
        except frame_socket.Disconnected:
            raise
        except BaseException as error:
            self._answers.fail(request, error)
        finally:
            running_request.set(None)

    def _timed(self, work, argument):
        if not self._scoring_seconds:
            return work(argument)
        if signal.getsignal(signal.SIGALRM) is not _on_alarm:
            signal.signal(signal.SIGALRM, _on_alarm)
        signal.setitimer(signal.ITIMER_REAL, self._scoring_seconds)
        try:
            return work(argument)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _begin(self, request):
        """The result, or a Stream whose first piece is there: what fails before that is an ordinary failure of run()."""
        result = self._call(request)
        if result is None or type(result) in (dict, list, str):
            return result
        result = self._worker.finish(result)
        if inspect.isasyncgen(result):
            result = self._pieces_of(result)
        if inspect.isgenerator(result):
            return Stream(next(result, ""), result)
        if is_response(result) and getattr(result, "is_streamed", False):
            pieces = result.iter_encoded()
            return Stream(next(pieces, b""), pieces, result.status_code, response_headers(result))
        return result

    def _pieces_of(self, generator):
        while True:
            try:
                yield self._worker.finish(generator.__anext__())
            except StopAsyncIteration:
                return

    def _send(self, request, stream):
        self._taken[request.id] = 0
        try:
            sent = self._answers.piece(request, stream, stream.first, is_first=True)
            try:
                while not self._has_left(request, sent):
                    piece = self._timed(_next, stream.pieces)
                    if piece is _END:
                        break
                    sent += self._answers.piece(request, stream, piece, is_first=False)
            except frame_socket.Disconnected:
                raise
            except BaseException as error:
                self._answers.break_off(request, error)
            else:
                self._answers.end(request)
        finally:
            del self._taken[request.id]
            self._close(stream.pieces)

    def _close(self, pieces):
        try:
            if hasattr(pieces, "close"):
                pieces.close()
        except BaseException as error:
            self._answers.log(error)

    def _has_left(self, request, sent):
        """Waits until the caller has taken enough. True when it wants nothing more."""
        self._take(self._frames.receive(wait=False))
        deadline = time.monotonic() + (self._scoring_seconds or READ_SECONDS)
        while sent - self._taken[request.id] > WINDOW_BYTES and request.id not in self._cancelled:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ReaderTooSlow()
            self._frames.wait(left)
            self._take(self._frames.receive(wait=False))
        return request.id in self._cancelled


_END = object()


def _next(pieces):
    return next(pieces, _END)


def _on_alarm(_signal, _frame):
    raise ScoringTimeout()
