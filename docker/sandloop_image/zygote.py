"""A parent that has the usual libraries imported and forks kernels from them in milliseconds.

It is not PID 1, so the code can kill it, which costs a slow restart; it can't be looked into. Kernels are forked twice, so that
they become children of the supervisor, which alone says how they ended.
"""

from __future__ import annotations

import gc
import os
import sys

from . import kernel, processes

ORDERS, REPLIES = 14, 15
"""An order is one byte; a reply one line: `ready`, or the pid of a kernel."""
LIBRARIES = ("numpy", "pandas", "matplotlib.pyplot", "sandloop.figures")
"""The last is needed at the end of the first step, and by the first chart."""


def main() -> None:
    processes.set_dumpable(False)
    processes.default_signals()
    gc.disable()
    for name in LIBRARIES:
        try:
            __import__(name)
        except ImportError:
            continue  # a smaller image; its cells then say so themselves
    if "matplotlib.pyplot" in sys.modules:
        __import__("sandloop.figures")  # kernels have it from their first plot
    kernel.configure_pandas()
    gc.collect()
    gc.freeze()
    gc.enable()
    os.write(REPLIES, b"ready\n")
    while os.read(ORDERS, 1):
        os.write(REPLIES, f"{_fork_kernel()}\n".encode())


def _fork_kernel() -> int:
    reader, writer = os.pipe()
    between = os.fork()
    if not between:
        pid = os.fork()
        if pid:
            os.write(writer, str(pid).encode())
            os._exit(0)
        _become_kernel()
    os.close(writer)
    pid = int(os.read(reader, 20))
    os.close(reader)
    os.waitpid(between, 0)
    return pid


def _become_kernel() -> None:
    try:
        os.setsid()
        processes.set_dumpable(True)
        processes.kill_me_first()
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            numpy.random.seed(None)  # else every kernel of this session draws the same numbers
        kernel.main()
    finally:
        os._exit(1)
