"""Keeps a broker no longer than its parent lives: ``python -m streams.broker.keeper FOLDER COMMAND...``.

The parent holds the other end of our standard input. It closes when the parent stops the broker, and when the parent
dies, ``kill -9`` included; then the broker ends and its folder goes. A byte that comes before is the number of a signal for the
broker. Should the broker end by itself or by a signal, so do we, and its folder stays for the parent to look at, or to start it again.
"""

import os
import shutil
import subprocess
import sys
from threading import Thread


def main(folder: str, *command: str) -> int:
    """Run ``command`` until it ends or our standard input does; return its exit status."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as broker:  # noqa: S603 - the parent is this very package

        def watch() -> None:
            while asked := os.read(0, 1):  # not sys.stdin: its lock would be held while the interpreter ends
                broker.send_signal(asked[0])
            broker.kill()  # its log is thrown away, so an orderly end would only take time
            broker.wait()
            shutil.rmtree(folder, ignore_errors=True)

        watcher = Thread(target=watch, daemon=True)
        watcher.start()
        status = broker.wait()
        watcher.join(timeout=0.5)  # where the parent ended it, the folder must go before we do
        return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
