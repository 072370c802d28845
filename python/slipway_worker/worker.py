"""The life of a worker: connect, import the script, call init() once, then run() for each request until the scorer goes."""

import faulthandler
import gc
import inspect
import json
import os
import socket
import threading
import time

from . import frame_socket
from .answers import Answers, ScoringTimeout
from .call_style import choose_call_style, is_asynchronous
from .causes import CauseFinder
from .entry_script import load_entry_script
from .lifeline import die_with_scorer, leave, stay_out_of_children
from .output import move_high, prepare_output, say
from .schema import describe_entry_script
from .serial import SerialServer

SCORER_FD = 3


def main():
    prepare_output()
    scorer_fd = move_high(SCORER_FD)
    os.close(SCORER_FD)
    frames = frame_socket.FrameSocket(socket.socket(fileno=scorer_fd))
    stay_out_of_children(frames)
    worker = Worker(frames)
    threading.Thread(target=die_with_scorer, args=(scorer_fd, worker), name="slipway-watch", daemon=True).start()
    try:
        worker.live()
    except frame_socket.Disconnected:
        pass
    leave()


class Worker(object):
    def __init__(self, frames):
        self._frames = frames
        self.in_user_code = True
        self._loop = None

    def live(self):
        start = self._handshake()
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
        # What the script loaded stays: the collector need not look at it again and again.
        gc.collect()
        if hasattr(gc, "freeze"):
            gc.freeze()
        if "failed" not in report:
            self._server(start).serve()

    def finish(self, result):
        """What a coroutine returns; anything else as it is."""
        if not inspect.isawaitable(result):
            return result
        try:
            return self.event_loop().run_until_complete(result)
        except ScoringTimeout:
            # It was torn out of its turn.
            self._loop = None
            raise

    def event_loop(self):
        """The one loop of this process, for init() and run()."""
        if self._loop is None:
            # Few scripts need it, and it takes a third of the worker's start.
            import asyncio

            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        return self._loop

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
            self._script = load_entry_script(app_root, start["entryScript"])
            self._call = choose_call_style(self._script.run)
            timings["import"] = _milliseconds_since(began)
        except BaseException as error:
            return _start_failure(self._causes.of_import(error))
        try:
            self._stage("init")
            began = time.monotonic()
            if self._script.init is not None:
                self.finish(self._script.init())
            timings["init"] = _milliseconds_since(began)
        except BaseException as error:
            return _start_failure(self._causes.of_init(error))
        ready = describe_entry_script(app_root, self._script.run)
        ready["timings"] = timings
        if is_asynchronous(self._script.run):
            from .concurrent import REQUESTS_AT_ONCE

            ready["requestsAtOnce"] = REQUESTS_AT_ONCE
        return {"ready": ready}

    def _server(self, start):
        scoring_seconds = max(0, start["scoringTimeoutMs"]) / 1000.0
        answers = Answers(self._frames, self._causes, scoring_seconds, 500 if start["legacyStatusCodes"] else 424)
        if is_asynchronous(self._script.run):
            from .concurrent import ConcurrentServer

            return ConcurrentServer(self, self._frames, answers, self._call, scoring_seconds)
        return SerialServer(self, self._frames, answers, self._call, scoring_seconds)

    def _stage(self, name):
        self._frames.put_event({"stage": name})
        self._frames.flush()


def _start_failure(cause):
    say(cause.get("traceback") or cause["message"] + "\n")
    return {"failed": cause}


def _milliseconds_since(began):
    return round((time.monotonic() - began) * 1000, 3)
