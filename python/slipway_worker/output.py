"""What the script prints: seen at once, line by line, with the name of the request that it belongs to."""

import fcntl
import faulthandler
import io
import os
import sys
import threading

try:
    from contextvars import ContextVar
except ImportError:  # Python 3.6

    class ContextVar(object):
        def __init__(self, _name, default=None):
            self._default = default
            self._local = threading.local()

        def get(self):
            return getattr(self._local, "value", self._default)

        def set(self, value):
            self._local.value = value


# Out of reach of scripts that close "all" descriptors.
HIGH_FD = 512

# The request that runs here, if any. Other threads have none; tasks of an event loop have each their own.
running_request = ContextVar("slipway_request", default=None)


def move_high(fd):
    """A copy of the descriptor with a high number, which programs that the script starts do not inherit."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, HIGH_FD)
    except OSError:  # fewer descriptors than that are allowed here
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def prepare_output():
    """Whatever the locale is, and also when the script closes the descriptors 1 and 2."""
    for name, fd in (("stdout", 1), ("stderr", 2)):
        getattr(sys, name).flush()
        stream = _TaggedOutput(open(move_high(fd), "wb", buffering=0))
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)
    faulthandler.enable()


def say(text):
    """A message of our own to the log. A log that cannot be written must not stop the service."""
    try:
        sys.__stderr__.write(text)
    except (OSError, ValueError):
        pass


class _TaggedOutput(io.TextIOWrapper):
    def __init__(self, raw):
        super(_TaggedOutput, self).__init__(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        self._inside_line = False

    def write(self, text):
        request = running_request.get()
        tagged = text
        if request is not None and text:
            tag = "[%s] " % request.tag
            tagged = text[:-1].replace("\n", "\n" + tag) + text[-1]
            if not self._inside_line:
                tagged = tag + tagged
        if text:
            self._inside_line = text[-1] != "\n"
        super(_TaggedOutput, self).write(tagged)
        return len(text)
