"""How does a program end with the one that started it, even if that was killed? `python -m script.leash program ...`.

Its standard input is a pipe whose other end only the starter has. However the starter ends, the system closes that
end; then the program is asked to end, as by SIGTERM. `program` is a file, or -m and a module.
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
    # Not by sys.stdin: a thread that waits in it keeps a lock that the end of the interpreter wants.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
