"""What ties the worker's process to the scorer: its output, and its end."""

import faulthandler
import io
import os
import select
import signal
import sys
import time

# How long the program's own exit handlers may take after the scorer closed the socket in peace.
EXIT_SECONDS = 1.5


def prepare_output():
    """What the script prints is to be seen at once, line by line, whatever the locale is."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        stream.flush()
        raw = stream.detach()
        wrapped = io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", line_buffering=True)
        setattr(sys, name, wrapped)
        setattr(sys, "__%s__" % name, wrapped)
    faulthandler.enable()


def die_with_scorer(scorer_fd, worker):
    """Ends this process, and what the script started, when the scorer closes the socket: also in the middle of run()."""
    poll = select.poll()
    # Not for data, which the main thread takes: only for the end of the connection.
    poll.register(scorer_fd, getattr(select, "POLLRDHUP", 0))
    poll.poll()
    if not worker.in_user_code:
        time.sleep(EXIT_SECONDS)
    os.killpg(0, signal.SIGKILL)
