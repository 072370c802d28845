"""The life of a worker: connect, import the script, call init() once, then run() for each request until the scorer goes."""

import faulthandler
import gc
import inspect
import json
import os
import socket
import time

from . import frame_socket
from .answers import Answers, ScoringTimeout
from .call_style import choose_call_style, is_asynchronous
from .causes import CauseFinder
from .entry_script import load_entry_script
from .lifeline import Watch, leave, stay_out_of_children
from .output import move_high, prepare_output, say
from .schema import describe_entry_script
from .serial import SerialServer
from .template import Template, Unsafe, close_seat, open_descriptors, require_forkable, take_seat

SCORER_FD = 3


def main():
    prepare_output()
    scorer_fd = move_high(SCORER_FD)
    os.close(SCORER_FD)
    worker = Worker(frame_socket.FrameSocket(socket.socket(fileno=scorer_fd)))
    stay_out_of_children(worker)
    try:
        worker.live()
    except frame_socket.Disconnected:
        pass
    leave()


class Worker(object):
    def __init__(self, frames):
        self._frames = frames
        self._is_template = False
        self.in_user_code = True
        self._loop = None
        self._watch = Watch(frames.fileno(), self)

    def live(self):
        self._greet()
        start = self._start_order()
        for library in ("OMP", "OPENBLAS", "MKL"):
            # Here and not in the environment of the process, which a sandbox may replace.
            os.environ.setdefault(library + "_NUM_THREADS", str(start["threads"]))
        # ONNX Runtime reports to its makers by default, from 1.30 on. What a service says and to whom is for its owner to decide.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        self._causes = CauseFinder(start["appRoot"], start["entryScript"])
        self._must_start_in(start["startTimeoutMs"])
        seats = start.get("seats", [])
        descriptors = open_descriptors() if seats else None
        report = self._import_script(start)
        if report is None and seats:
            self._share(start, descriptors)
        if report is None:
            report = self._init_script(start)
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

    def close_in_child(self):
        if not self._is_template:
            self._frames.close()

    def _greet(self):
        hello = {"protocol": frame_socket.PROTOCOL_VERSION, "role": "worker"}
        self._frames.put(frame_socket.HELLO, 0, json.dumps(hello).encode("ascii"))
        self._frames.flush()

    def _start_order(self):
        while True:
            for event in frame_socket.events(self._frames.receive()):
                return event["start"]

    def _must_start_in(self, milliseconds):
        # A thread of its own in C: it can tell where the script hangs even while that holds the interpreter's lock.
        faulthandler.dump_traceback_later(milliseconds / 1000.0)

    def _import_script(self, start):
        """@returns the event that tells the scorer of a failure, or nothing"""
        self._timings = {}
        try:
            self._stage("import")
            began = time.monotonic()
            os.chdir(start["appRoot"])
            self._script = load_entry_script(start["appRoot"], start["entryScript"])
            self._call = choose_call_style(self._script.run)
            self._timings["import"] = _milliseconds_since(began)
        except BaseException as error:
            return _start_failure(self._causes.of_import(error))
        return None

    def _share(self, start, descriptors):
        """Where it is safe, this process becomes the template of the workers, and this returns in each of those."""
        faulthandler.cancel_dump_traceback_later()
        self._watch.dismiss()
        try:
            require_forkable(descriptors)
        except Unsafe as reason:
            for seat in start["seats"]:
                close_seat(seat)
            self._frames.put_event({"alone": str(reason)})
        else:
            self._is_template = True
            self._frames.put_event({"template": True})
            self._frames.flush()
            seats = dict(enumerate(start["seats"]))
            own = Template(self._frames, seats).serve()
            self._frames = take_seat(own, seats, self._frames)
            self._is_template = False
            self._greet()
        self._watch = Watch(self._frames.fileno(), self)
        self._must_start_in(start["startTimeoutMs"])

    def _init_script(self, start):
        """Calls init(). @returns the event that tells the scorer how it went"""
        try:
            self._stage("init")
            began = time.monotonic()
            if self._script.init is not None:
                self.finish(self._script.init())
            self._timings["init"] = _milliseconds_since(began)
        except BaseException as error:
            return _start_failure(self._causes.of_init(error))
        ready = describe_entry_script(start["appRoot"], self._script.run)
        ready["timings"] = self._timings
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
