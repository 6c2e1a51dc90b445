"""Signals that stop a command: each raises KeyboardInterrupt, wherever it arrives."""

import _thread
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PAUSE = 0.05  # seconds until a signal that had no effect is sent again


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Makes SIGTERM raise KeyboardInterrupt like Ctrl-C, and repeats either until it works.

    An exception that a signal raises while C calls back into Python, or in a finaliser, goes to
    `sys.unraisablehook` and no further: the signal is then sent again a moment later.
    """
    # only the main thread receives signals
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    lock, lost, is_over = threading.Lock(), threading.Event(), False

    def stop(*_: object) -> None:
        lost.clear()
        raise KeyboardInterrupt

    def send_again() -> None:
        with lock:
            if is_over:
                return
            # also interrupts a system call that the thread waits in
            if hasattr(signal, "pthread_kill"):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
            else:
                _thread.interrupt_main(signal.SIGTERM)

    def notice(unraisable: "sys.UnraisableHookArgs") -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            previous_hook(unraisable)
            return
        lost.set()
        timer = threading.Timer(_PAUSE, send_again)
        timer.daemon = True
        timer.start()

    previous, previous_hook = signal.signal(signal.SIGTERM, stop), sys.unraisablehook
    sys.unraisablehook = notice
    try:
        yield
        if lost.is_set():
            raise KeyboardInterrupt
    finally:
        with lock:
            is_over = True
        sys.unraisablehook = previous_hook
        signal.signal(signal.SIGTERM, previous or signal.SIG_DFL)
