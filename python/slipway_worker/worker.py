"""The life of a worker: connect, import the script, call init() once, then run() for each request until the scorer goes."""

import collections
import faulthandler
import gc
import inspect
import json
import os
import signal
import socket
import sys
import threading
import time

from . import frame_socket
from .call_style import choose_call_style
from .causes import CauseFinder
from .entry_script import load_entry_script
from .lifeline import die_with_scorer, prepare_output
from .request import BadRequest, Request
from .result import JSON_TYPE, ResultNotSerializable, is_response, response_parts, to_json
from .schema import describe_entry_script

SCORER_FD = 3
# A script of which one answer took longer than this sends each answer at once. Others collect the answers to what arrived
# together: one system call for all of them.
SLOW_SECONDS = 0.002
SLOW_MEMORY = 1000


class ScoringTimeout(BaseException):
    """Raised inside run() when its time is over. Not an Exception, so that a broad `except` in a script does not hide it."""


class Stream(object):
    """A run() that returned a generator: its pieces go out as they come."""

    def __init__(self, pieces):
        self.pieces = pieces


def main():
    prepare_output()
    connection = socket.socket(fileno=SCORER_FD)
    os.set_inheritable(SCORER_FD, False)
    worker = Worker(frame_socket.FrameSocket(connection))
    threading.Thread(target=die_with_scorer, args=(SCORER_FD, worker), name="slipway-watch", daemon=True).start()
    try:
        worker.live()
    except frame_socket.Disconnected:
        pass
    return 0


class Worker(object):
    def __init__(self, frames):
        self._frames = frames
        self.in_user_code = True
        self._queue = collections.deque()
        self._cancelled = set()
        self._slow = 0
        self._loop = None

    def live(self):
        start = self._handshake()
        self._scoring_seconds = start["scoringTimeoutMs"] / 1000.0
        self._failure_status = 500 if start["legacyStatusCodes"] else 424
        for library in ("OMP", "OPENBLAS", "MKL"):
            # Here and not in the environment of the process, which a sandbox may replace.
            os.environ.setdefault(library + "_NUM_THREADS", str(start["threads"]))
        self._causes = CauseFinder(start["appRoot"], start["entryScript"])
        # A thread of its own in C: it can tell where the script hangs even while that holds the interpreter's lock.
        faulthandler.dump_traceback_later(start["startTimeoutMs"] / 1000.0)
        report = self._start_script(start)
        faulthandler.cancel_dump_traceback_later()
        self.in_user_code = "failed" in report
        self._frames.put_event(report)
        self._frames.flush()
        signal.signal(signal.SIGALRM, _on_alarm)
        # What the script loaded stays: the collector need not look at it again and again.
        gc.collect()
        if hasattr(gc, "freeze"):
            gc.freeze()
        if "failed" not in report:
            self._serve()

    def _handshake(self):
        hello = {"protocol": frame_socket.PROTOCOL_VERSION, "role": "worker"}
        self._frames.put(frame_socket.HELLO, 0, json.dumps(hello).encode("ascii"))
        self._frames.flush()
        while True:
            for _, kind, body in self._frames.receive():
                if kind == frame_socket.EVENT:
                    return json.loads(body.decode("utf-8"))["start"]

    def _start_script(self, start):
        """Imports the script and calls init(). The event that tells the scorer how it went."""
        app_root = start["appRoot"]
        timings = {}
        try:
            self._stage("import")
            began = time.monotonic()
            os.chdir(app_root)
            script = load_entry_script(app_root, start["entryScript"])
            self._run = script.run
            self._call = choose_call_style(script.run)
            timings["import"] = _milliseconds_since(began)
        except BaseException as error:
            return self._start_failure(self._causes.of_import(error))
        try:
            self._stage("init")
            began = time.monotonic()
            if script.init is not None:
                self._finish(script.init())
            timings["init"] = _milliseconds_since(began)
        except BaseException as error:
            return self._start_failure(self._causes.of_init(error))
        ready = describe_entry_script(app_root, script.run)
        ready["timings"] = timings
        return {"ready": ready}

    def _stage(self, name):
        self._frames.put_event({"stage": name})
        self._frames.flush()

    def _start_failure(self, cause):
        sys.stderr.write(cause.get("traceback") or cause["message"] + "\n")
        return {"failed": cause}

    def _serve(self):
        while True:
            self.in_user_code = False
            self._take(self._frames.receive())
            self.in_user_code = True
            while self._queue:
                frame_id, body = self._queue.popleft()
                if frame_id in self._cancelled:
                    self._answer_error(frame_id, 499, {"code": "Cancelled", "message": "The caller went away."})
                    continue
                began = time.perf_counter()
                self._answer(frame_id, body, began)
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

    def _answer(self, frame_id, body, began):
        request = Request(frame_id, body)
        try:
            result = self._timed_call(request)
            if isinstance(result, Stream):
                self._send_stream(request, result.pieces)
                return
            if is_response(result):
                status, headers, payload = response_parts(result)
            else:
                status, headers, payload = 200, {"content-type": JSON_TYPE}, to_json(result)
        except BadRequest as error:
            self._answer_error(frame_id, error.status, {"code": error.code, "message": str(error)}, request)
            return
        except ResultNotSerializable as error:
            self._fail(request, {"code": "ResultNotSerializable", "message": str(error)}, str(error))
            return
        except ScoringTimeout as error:
            self._loop = None
            cause = self._causes.of_run(error)
            cause["code"] = "ScoringTimeout"
            spot = " It was in %s, line %s." % (cause["file"], cause["line"]) if "file" in cause else ""
            cause["message"] = "run() was stopped after %g s, the scoring timeout.%s" % (self._scoring_seconds, spot)
            self._fail(request, cause, self._causes.traceback_text(error))
            return
        except BaseException as error:
            self._fail(request, self._causes.of_run(error), self._causes.traceback_text(error))
            return
        headers.setdefault("x-ms-run-function-failed", "false")
        headers["x-ms-run-fn-exec-ms"] = "%.3f" % ((time.perf_counter() - began) * 1000)
        head = json.dumps({"h": headers}).encode("ascii")
        self._frames.put_answer(frame_socket.RESPONSE, frame_id, status, head, payload)

    def _timed_call(self, request):
        if self._scoring_seconds <= 0:
            return self._complete(self._call(request))
        signal.setitimer(signal.ITIMER_REAL, self._scoring_seconds)
        try:
            return self._complete(self._call(request))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _complete(self, result):
        result = self._finish(result)
        if inspect.isgenerator(result):
            return Stream(_primed(iter(result)))
        if inspect.isasyncgen(result):
            return Stream(_primed(self._pieces_of(result)))
        return result

    def _finish(self, result):
        if not inspect.isawaitable(result):
            return result
        return self._event_loop().run_until_complete(result)

    def _pieces_of(self, generator):
        while True:
            try:
                yield self._event_loop().run_until_complete(generator.__anext__())
            except StopAsyncIteration:
                return

    def _event_loop(self):
        if self._loop is None:
            # Few scripts need it, and it takes a third of the worker's start.
            import asyncio

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

    def _send_stream(self, request, pieces):
        """A run() that yields text, bytes, or values, which become lines of JSON."""
        opened = False
        try:
            for piece in pieces:
                data, content_type = _piece_bytes(piece)
                if not opened:
                    head = json.dumps({"h": {"content-type": content_type}}).encode("ascii")
                    self._frames.put_answer(frame_socket.STREAM, request.id, 200, head, b"")
                    opened = True
                self._frames.put(frame_socket.DATA, request.id, data)
                self._frames.flush()
                self._take(self._frames.receive(wait=False))
                if request.id in self._cancelled:
                    break
        except frame_socket.Disconnected:
            raise
        except BaseException as error:
            cause = self._causes.of_run(error)
            self._log_failure(request, self._causes.traceback_text(error))
            self._frames.put(frame_socket.END, request.id, cause["message"].encode("utf-8"))
            return
        self._frames.put(frame_socket.END, request.id, b"")

    def _fail(self, request, cause, log_text):
        self._log_failure(request, log_text)
        self._answer_error(request.id, self._failure_status, cause, request)

    def _log_failure(self, request, text):
        sys.stderr.write("request %s failed:\n%s\n" % (request.label, text.rstrip("\n")))

    def _answer_error(self, frame_id, status, cause, request=None):
        error = dict(cause)
        if request is not None:
            error["requestId"] = request.label
        headers = {"content-type": JSON_TYPE}
        headers["x-ms-run-function-failed"] = "true" if status == self._failure_status else "false"
        head = json.dumps({"h": headers}).encode("ascii")
        payload = json.dumps({"error": error}).encode("ascii")
        self._frames.put_answer(frame_socket.RESPONSE, frame_id, status, head, payload)


def _on_alarm(_signal, _frame):
    raise ScoringTimeout()


def _milliseconds_since(began):
    return round((time.monotonic() - began) * 1000, 3)


def _primed(pieces):
    """Takes the first piece now: what fails before it is an ordinary failure of run()."""
    try:
        first = next(pieces)
    except StopIteration:
        return iter(("",))

    def all_pieces():
        yield first
        for piece in pieces:
            yield piece

    return all_pieces()


def _piece_bytes(piece):
    if isinstance(piece, (bytes, bytearray, memoryview)):
        return bytes(piece), "application/octet-stream"
    if isinstance(piece, str):
        return piece.encode("utf-8"), "text/plain; charset=utf-8"
    return to_json(piece) + b"\n", "application/x-ndjson"
