"""Serves `async def run`: many requests at once as tasks of one event loop, on the main thread."""

import asyncio
import inspect
import time

from . import frame_socket
from .answers import ScoringTimeout
from .output import running_request
from .request import Request
from .result import is_response, response_headers
from .stream import READ_SECONDS, WINDOW_BYTES, ReaderTooSlow, Stream

# The scorer sends a worker no more at once; the rest waits there, where another worker can take it.
REQUESTS_AT_ONCE = 100


class ConcurrentServer(object):
    def __init__(self, worker, frames, answers, call, scoring_seconds):
        self._worker = worker
        self._frames = frames
        self._answers = answers
        self._call = call
        self._scoring_seconds = scoring_seconds
        self._loop = worker.event_loop()
        self._exchanges = {}
        self._flush_planned = False

    def serve(self):
        self._loop.add_reader(self._frames.fileno(), self._receive)
        self._loop.run_forever()
        raise frame_socket.Disconnected()

    def _receive(self):
        try:
            frames = self._frames.receive(wait=False)
        except frame_socket.Disconnected:
            self._loop.stop()
            return
        for frame_id, kind, body in frames:
            if kind == frame_socket.REQUEST:
                self._begin(Request(frame_id, body))
            elif frame_id in self._exchanges:
                exchange = self._exchanges[frame_id]
                if kind == frame_socket.CANCEL:
                    exchange.cancel()
                elif kind == frame_socket.TAKEN:
                    exchange.take(frame_socket.taken_bytes(body))

    def _begin(self, request):
        exchange = _Exchange(self._loop, self._scoring_seconds)
        self._exchanges[request.id] = exchange
        self._worker.in_user_code = True
        exchange.task = self._loop.create_task(self._answer(request, exchange))

    async def _answer(self, request, exchange):
        running_request.set(request)
        began = time.perf_counter()
        try:
            with exchange.deadline():
                result = await self._result(request)
            if isinstance(result, Stream):
                await self._send(request, exchange, result)
            else:
                self._answers.succeed(request, result, began)
        except frame_socket.Disconnected:
            self._loop.stop()
        except BaseException as error:
            if exchange.is_cancelled:
                self._answers.cancelled(request.id)
            else:
                self._answers.fail(request, exchange.timeout_of(error))
        finally:
            del self._exchanges[request.id]
            self._worker.in_user_code = bool(self._exchanges)
            self._flush_soon()

    async def _result(self, request):
        result = self._call(request)
        if inspect.isawaitable(result):
            result = await result
        if inspect.isgenerator(result):
            return await _stream(_pieces_of(result))
        if inspect.isasyncgen(result):
            return await _stream(result)
        if is_response(result) and getattr(result, "is_streamed", False):
            return await _stream(_pieces_of(result.iter_encoded()), result.status_code, response_headers(result))
        return result

    async def _send(self, request, exchange, stream):
        try:
            exchange.sent = self._answers.piece(request, stream, stream.first, is_first=True)
            try:
                await self._send_rest(request, exchange, stream)
            except frame_socket.Disconnected:
                raise
            except BaseException as error:
                if exchange.is_cancelled:
                    self._answers.end(request)
                else:
                    self._answers.break_off(request, exchange.timeout_of(error))
            else:
                self._answers.end(request)
        finally:
            await self._close(stream.pieces)

    async def _send_rest(self, request, exchange, stream):
        while True:
            await exchange.until_taken()
            try:
                with exchange.deadline():
                    piece = await stream.pieces.__anext__()
            except StopAsyncIteration:
                return
            exchange.sent += self._answers.piece(request, stream, piece, is_first=False)

    async def _close(self, pieces):
        try:
            await pieces.aclose()
        except BaseException as error:
            self._answers.log(error)

    def _flush_soon(self):
        """Answers that are ready in one turn of the loop leave in one write."""
        if not self._flush_planned:
            self._flush_planned = True
            self._loop.call_soon(self._flush)

    def _flush(self):
        self._flush_planned = False
        try:
            self._frames.flush()
        except frame_socket.Disconnected:
            self._loop.stop()


class _Exchange(object):
    """One request in work: what may end it early, and how far its caller has read."""

    def __init__(self, loop, scoring_seconds):
        self._loop = loop
        self._scoring_seconds = scoring_seconds
        self._timer = None
        self._timed_out = False
        self._reader = None
        self._taken = 0
        self.task = None
        self.sent = 0
        self.is_cancelled = False

    def cancel(self):
        self.is_cancelled = True
        self.task.cancel()

    def take(self, count):
        self._taken += count
        if self._reader is not None and self._has_room() and not self._reader.done():
            self._reader.set_result(None)

    def deadline(self):
        return _Deadline(self)

    async def until_taken(self):
        if self._has_room():
            return
        self._reader = self._loop.create_future()
        # Not `wait_for`, which may lose a cancellation that comes together with what it waits for.
        timer = self._loop.call_later(self._scoring_seconds or READ_SECONDS, _give_up, self._reader)
        try:
            await self._reader
        finally:
            timer.cancel()

    def timeout_of(self, error):
        """The cancellation that our own timer caused, as what it is."""
        if not self._timed_out or not isinstance(error, asyncio.CancelledError):
            return error
        return ScoringTimeout().with_traceback(error.__traceback__)

    def start_timer(self):
        if self._scoring_seconds:
            self._timer = self._loop.call_later(self._scoring_seconds, self._time_out)

    def stop_timer(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_out(self):
        self._timed_out = True
        self.task.cancel()

    def _has_room(self):
        return self.sent - self._taken <= WINDOW_BYTES


def _give_up(reader):
    if not reader.done():
        reader.set_exception(ReaderTooSlow())


class _Deadline(object):
    def __init__(self, exchange):
        self._exchange = exchange

    def __enter__(self):
        self._exchange.start_timer()

    def __exit__(self, *_error):
        self._exchange.stop_timer()


async def _pieces_of(generator):
    try:
        for piece in generator:
            yield piece
    finally:
        if hasattr(generator, "close"):
            generator.close()


async def _stream(pieces, status=200, headers=None):
    try:
        first = await pieces.__anext__()
    except StopAsyncIteration:
        first = ""
    return Stream(first, pieces, status, headers)
