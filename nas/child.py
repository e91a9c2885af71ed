"""`python -m nas.child COMMAND …`: a command of `shiftnas` that ends with its standard input.

So it ends with the process that holds that input, however that ends: see `nas.pool`.
"""

import os
import runpy
import threading

from hw.console import EXIT_INTERRUPTED


def end_with_input() -> None:
    """End this process as soon as its standard input ends.

    Every file of a run is whole at any moment, so that nothing is to be tidied up.
    """

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os._exit(EXIT_INTERRUPTED)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_input()
    runpy.run_module("shiftnas", run_name="__main__", alter_sys=True)
