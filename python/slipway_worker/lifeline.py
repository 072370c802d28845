"""What ties the worker's process to the scorer: when the scorer is gone, the worker is, with all that the script started."""

import atexit
import os
import select
import signal
import sys
import threading
import time
import traceback

# How long the program's own threads and exit handlers may take after the scorer closed the socket in peace.
EXIT_SECONDS = 1.5


def die_with_scorer(scorer_fd, worker):
    """Ends this process, and what the script started, when the scorer closes the socket: also in the middle of run()."""
    poll = select.poll()
    # Not for data, which the main thread takes: only for the end of the connection.
    poll.register(scorer_fd, getattr(select, "POLLRDHUP", 0))
    poll.poll()
    if not worker.in_user_code:
        time.sleep(EXIT_SECONDS)
    os.killpg(0, signal.SIGKILL)


def stay_out_of_children(scorer):
    """A process that the script forks must neither answer in our name nor keep the connection open after our end."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=scorer.close)


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
