"""Says to the scorer how a request ended."""

import json
import os
import time

from . import frame_socket
from .output import say
from .request import BadRequest
from .result import JSON_TYPE, ResultNotSerializable, is_response, payload_of, response_headers
from .stream import ReaderTooSlow, piece_bytes

_PLAIN_HEAD = (
    b'{"h":{"content-type":"application/json","x-ms-run-function-failed":"false","x-ms-run-fn-exec-ms":"%.3f"}}'
)


class ScoringTimeout(BaseException):
    """Raised inside run() when its time is over. Not an Exception, so that a broad `except` in a script does not hide it."""


class Answers(object):
    def __init__(self, frames, causes, scoring_seconds, failure_status):
        self._frames = frames
        self._causes = causes
        self._scoring_seconds = scoring_seconds
        self._failure_status = failure_status
        self._pid = os.getpid()

    def succeed(self, request, result, began):
        if os.getpid() != self._pid:
            # A process that run() forked, and that came back from it like its parent.
            os._exit(0)
        milliseconds = (time.perf_counter() - began) * 1000
        if is_response(result):
            headers = response_headers(result)
            headers.setdefault("x-ms-run-function-failed", "false")
            headers["x-ms-run-fn-exec-ms"] = "%.3f" % milliseconds
            self._respond(request.id, result.status_code, headers, result.get_data())
            return
        content_type, payload = payload_of(result)
        head = _PLAIN_HEAD % milliseconds
        if content_type is not JSON_TYPE:
            head = head.replace(b"application/json", content_type.encode("ascii"), 1)
        self._frames.put_answer(frame_socket.RESPONSE, request.id, 200, head, payload)

    def fail(self, request, error):
        """`error` is what came out of run(), or out of what was made of its result."""
        if os.getpid() != self._pid:
            os._exit(1)
        if isinstance(error, BadRequest):
            self._refuse(request, error.status, {"code": error.code, "message": str(error)})
            return
        cause, log_text = self._cause(error)
        self._log_failure(cause, log_text)
        self._refuse(request, self._failure_status, cause)

    def cancelled(self, frame_id):
        self._respond_error(frame_id, 499, {"code": "Cancelled", "message": "The caller went away."})

    def piece(self, request, stream, piece, is_first):
        """@returns the number of bytes that went out"""
        data, content_type = piece_bytes(piece)
        if is_first:
            headers = stream.headers or {"content-type": content_type, "x-ms-run-function-failed": "false"}
            head = json.dumps({"h": headers}).encode("ascii")
            self._frames.put_answer(frame_socket.STREAM, request.id, stream.status, head, b"")
        self._frames.put(frame_socket.DATA, request.id, data)
        self._frames.flush()
        return len(data)

    def end(self, request):
        self._frames.put(frame_socket.END, request.id, b"")

    def break_off(self, request, error):
        """A stream that has begun: its status is out, so only its end can tell."""
        cause, log_text = self._cause(error)
        self._log_failure(cause, log_text)
        self._frames.put(frame_socket.END, request.id, cause["message"].encode("utf-8"))

    def log(self, error):
        """What goes wrong when the answer is out already is for the log alone."""
        say(self._causes.traceback_text(error))

    def _cause(self, error):
        if isinstance(error, ResultNotSerializable):
            return {"code": "ResultNotSerializable", "message": str(error)}, ""
        if isinstance(error, ReaderTooSlow):
            return {"code": "ReaderTooSlow", "message": "The answer was read too slowly."}, ""
        cause = self._causes.of_run(error)
        if isinstance(error, ScoringTimeout):
            cause["code"] = "ScoringTimeout"
            spot = " It was in %s, line %s." % (cause["file"], cause["line"]) if "file" in cause else ""
            cause["message"] = "run() was stopped after %g s, the scoring timeout.%s" % (self._scoring_seconds, spot)
        return cause, self._causes.traceback_text(error)

    def _log_failure(self, cause, text):
        say("%s\n%s" % (cause["message"], text.rstrip("\n") + "\n" if text else ""))

    def _refuse(self, request, status, cause):
        self._respond_error(request.id, status, dict(cause, requestId=request.label))

    def _respond_error(self, frame_id, status, error):
        failed = "true" if status == self._failure_status else "false"
        headers = {"content-type": JSON_TYPE, "x-ms-run-function-failed": failed}
        self._respond(frame_id, status, headers, json.dumps({"error": error}).encode("ascii"))

    def _respond(self, frame_id, status, headers, payload):
        self._frames.put_answer(frame_socket.RESPONSE, frame_id, status, json.dumps({"h": headers}).encode("ascii"), payload)
