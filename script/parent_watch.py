"""Run a Python program that stops when its parent process ends: `python -m script.parent_watch program ...`.

Standard input is a pipe whose other end only the parent holds. However the parent ends, even by SIGKILL, the system
closes that end, and the program gets SIGTERM. `program` is a file, or -m and a module.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading


def main() -> None:
    threading.Thread(target=end_with_the_starter, daemon=True).start()
    is_module, arguments = sys.argv[1] == "-m", sys.argv[1:]
    sys.argv = arguments[1:] if is_module else arguments
    if is_module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")


def end_with_the_starter() -> None:
    # Not sys.stdin: a thread blocked in it holds a lock that the interpreter needs to exit.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
