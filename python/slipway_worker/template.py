"""
Workers that share one import of the script: it is imported once, and each worker is a fork of that process. They share the
memory that they do not change, and the second is there in milliseconds. init() runs in each of them.
"""

import errno
import gc
import os
import select
import signal
import socket
import sys
import time

from . import frame_socket
from .lifeline import EXIT_SECONDS
from .output import move_high


class Unsafe(Exception):
    """The script did something while it was imported that a fork would share or lose. Says what."""


def open_descriptors():
    # The list names also the descriptor that it was read with, which is closed by now.
    return {fd for fd in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + fd)}


def require_forkable(descriptors_before):
    """A fork has only one thread, and shares positions of files and both ends of connections with its parent."""
    if os.environ.get("WORKER_PRELOAD", "").lower() == "false":
        raise Unsafe("WORKER_PRELOAD is false")
    if not hasattr(gc, "freeze"):
        raise Unsafe("Python is older than 3.7")
    if open_descriptors() - descriptors_before:
        raise Unsafe("it left files or connections open")
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    else:
        raise Unsafe("it started processes")
    # Libraries that know about forks end their threads before one, and start new ones when they need them: OpenBLAS does.
    probe = os.fork()
    if probe == 0:
        os._exit(0)
    os.waitpid(probe, 0)
    if len(os.listdir("/proc/self/task")) > 1:
        raise Unsafe("it started threads")


class Template(object):
    """`serve` returns in each worker, with the seat that it is to take; in the template itself never."""

    def __init__(self, frames, seats):
        self._frames = frames
        self._seats = seats
        self._pids = {}
        self._closing_at = None

    def serve(self):
        # Objects that are never looked at by the collector are never written to by it: their pages stay shared.
        gc.collect()
        gc.freeze()
        script_handler = signal.getsignal(signal.SIGCHLD)
        awake, wake = os.pipe()
        for fd in (awake, wake):
            os.set_blocking(fd, False)
        signal.signal(signal.SIGCHLD, lambda _signal, _frame: None)
        signal.set_wakeup_fd(wake)
        poll = select.poll()
        poll.register(awake, select.POLLIN)
        poll.register(self._frames.fileno(), select.POLLIN)
        while True:
            poll.poll(None if self._closing_at is None else max(0, (self._closing_at - time.monotonic()) * 1000))
            _drain(awake)
            self._reap()
            if self._closing_at is None:
                for seat in self._orders(poll):
                    if self._fork(seat):
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL if script_handler is None else script_handler)
                        os.close(awake)
                        os.close(wake)
                        return seat
            if self._closing_at is not None and (not self._pids or time.monotonic() >= self._closing_at):
                for seat in list(self._pids):
                    self._kill(seat)
                os._exit(0)

    def _orders(self, poll):
        try:
            frames = self._frames.receive(wait=False)
        except frame_socket.Disconnected:
            # Its workers see the end of their own connections; they may need a moment to leave in peace.
            poll.unregister(self._frames.fileno())
            self._closing_at = time.monotonic() + EXIT_SECONDS
            return
        for order in frame_socket.events(frames):
            if "kill" in order:
                self._kill(order["kill"])
            if "fork" in order:
                yield order["fork"]

    def _fork(self, seat):
        pid = os.fork()
        if pid == 0:
            # Its group ends with it, and not with the others.
            os.setpgid(0, 0)
            return True
        try:
            os.setpgid(pid, pid)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.ESRCH):
                raise
        self._pids[seat] = pid
        # Whoever holds them keeps the scorer from seeing their end.
        close_seat(self._seats.pop(seat))
        self._tell({"forked": {"seat": seat, "pid": pid}})
        return False

    def _reap(self):
        for seat, pid in list(self._pids.items()):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended == 0:
                continue
            self._kill(seat)
            del self._pids[seat]
            how = {"signal": signal.Signals(os.WTERMSIG(status)).name} if os.WIFSIGNALED(status) else {"exitCode": os.WEXITSTATUS(status)}
            self._tell({"ended": dict(how, seat=seat)})

    def _kill(self, seat):
        try:
            os.killpg(self._pids[seat], signal.SIGKILL)
        except (KeyError, ProcessLookupError):
            pass

    def _tell(self, event):
        if self._closing_at is not None:
            return
        self._frames.put_event(event)
        try:
            self._frames.flush()
        except frame_socket.Disconnected:
            pass


def take_seat(own, seats, template_frames):
    """In a new worker: its own connection and output instead of the template's."""
    scorer_fd, stdout_fd, stderr_fd = seats.pop(own)
    for seat in seats.values():
        close_seat(seat)
    template_frames.close()
    for name, number, fd in (("stdout", 1, stdout_fd), ("stderr", 2, stderr_fd)):
        os.dup2(fd, number)
        os.dup2(fd, getattr(sys, "__%s__" % name).fileno(), inheritable=False)
        os.close(fd)
    _new_random_numbers()
    connection = socket.socket(fileno=move_high(scorer_fd))
    os.close(scorer_fd)
    return frame_socket.FrameSocket(connection)


def close_seat(descriptors):
    for fd in descriptors:
        os.close(fd)


def _new_random_numbers():
    """Python's own generator looks after itself. NumPy's would give the same numbers in all workers, unless it is to."""
    numpy_random = sys.modules.get("numpy.random")
    try:
        if numpy_random is not None and numpy_random.mtrand._rand._bit_generator.seed_seq is not None:
            numpy_random.seed()
    except AttributeError:
        pass


def _drain(fd):
    try:
        while os.read(fd, 4096):
            pass
    except BlockingIOError:
        pass
