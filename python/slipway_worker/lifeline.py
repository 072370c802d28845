"""What ties the worker's process to the scorer: when the scorer is gone, the worker is, with all that the script started."""

import atexit
import os
import select
import signal
import sys
import threading
import time
import traceback

from .output import move_high

# How long the program's own threads and exit handlers may take after the scorer closed the socket in peace.
EXIT_SECONDS = 1.5


class Watch(object):
    """Ends this process, and what the script started, when the scorer closes the socket: also in the middle of run()."""

    def __init__(self, scorer_fd, worker):
        self._scorer_fd = scorer_fd
        self._worker = worker
        self._dismissed, self._dismiss = (_moved_high(fd) for fd in os.pipe())
        self._thread = threading.Thread(target=self._watch, name="slipway-watch", daemon=True)
        self._thread.start()

    def dismiss(self):
        os.close(self._dismiss)
        self._thread.join()
        os.close(self._dismissed)

    def _watch(self):
        poll = select.poll()
        # Not for data, which the main thread takes: only for the end of the connection.
        poll.register(self._scorer_fd, getattr(select, "POLLRDHUP", 0))
        poll.register(self._dismissed, 0)
        if any(fd == self._dismissed for fd, _ in poll.poll()):
            return
        if not self._worker.in_user_code:
            time.sleep(EXIT_SECONDS)
        os.killpg(0, signal.SIGKILL)


def _moved_high(fd):
    high = move_high(fd)
    os.close(fd)
    return high


def stay_out_of_children(worker):
    """A process that the script forks must neither answer in our name nor keep the connection open after our end."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=worker.close_in_child)


def leave():
    """
    Ends the process as the interpreter does, with the script's threads and exit handlers, but does not take all modules apart
    first: with scikit-learn loaded that takes longer than the whole rest of a replica's end.
    """
    for finish in (threading._shutdown, atexit._run_exitfuncs, sys.stdout.flush, sys.stderr.flush):
        try:
            finish()
        except Exception:
            traceback.print_exc()
    os._exit(0)
