#!/usr/bin/env python3
"""Makes docs/demo.svg: runs `cargo xtask demo` in a terminal and draws what it showed, when it showed it.

Everything is compiled before, and the servers' data is deleted, so that the recording shows the servers' start and no
compiler. Waits are cut to MAX_WAIT; nothing else is changed. Needs Python 3.9 and nothing besides.
"""

import codecs
import fcntl
import os
import pathlib
import pty
import re
import struct
import subprocess
import sys
import termios
import time
import xml.etree.ElementTree

import screen
import svg

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGET = ROOT / "docs" / "demo.svg"
COMMAND = ["cargo", "xtask", "demo", "--backend", "native"]
COLUMNS, ROWS = 100, 21
# Seconds: the longest that one picture stands, and the shortest, below which pictures are put together.
MAX_WAIT, MIN_WAIT = 1.2, 0.08
# The moving sign before a progress line; a picture that differs in it alone is no new one.
SPINNER = re.compile("[⠀-⣿]")


def main():
    prepare()
    frames = played(record())
    title = "Recording of a terminal: " + " ".join(COMMAND)
    text = svg.drawing(frames, COLUMNS, ROWS, title)
    xml.etree.ElementTree.fromstring(text)
    TARGET.write_text(text, encoding="utf-8")
    print(f"{TARGET.relative_to(ROOT)}: {len(frames)} pictures, {frames[-1][0]:.1f} s, {len(text.encode()) / 1000:.0f} kB")


def prepare():
    """Compiles everything by running the command once, and leaves no server and no data."""
    for command in (COMMAND, ["cargo", "xtask", "local-stop", "--volumes"]):
        subprocess.run(command, cwd=ROOT, check=True)


def record():
    """Runs the command in a terminal: pairs of the seconds since its start and what it wrote then."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.environ["TERM"] = "xterm-256color"
        for name in ("CI", "NO_COLOR"):
            os.environ.pop(name, None)
        # The terminal has to have its size before the first line is written.
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execvp(COMMAND[0], COMMAND)
    begin, decoder, written = time.monotonic(), codecs.getincrementaldecoder("utf-8")(), []
    while True:
        try:
            data = os.read(terminal, 65536)
        except OSError:
            # Linux says so when the program has closed its end.
            break
        if not data:
            break
        written.append((time.monotonic() - begin, decoder.decode(data)))
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status != 0:
        sys.exit("".join(text for _, text in written) + f"\nthe command ended with {status}")
    return written


def played(written):
    """The pictures of a recording with the times at which they appear."""
    terminal = screen.Screen(COLUMNS, ROWS)
    terminal.feed("\x1b[1m$ " + " ".join(COMMAND) + "\x1b[0m\r\n")
    frames, shown, last = [(0.0, terminal.picture())], 0.0, 0.0
    for now, text in written:
        terminal.feed(text)
        picture = terminal.picture()
        if still(picture) == still(frames[-1][1]):
            continue
        shown += min(now - last, MAX_WAIT)
        last = now
        if shown - frames[-1][0] < MIN_WAIT and len(frames) > 1:
            frames[-1] = (frames[-1][0], picture)
        else:
            frames.append((shown, picture))
    return frames


def still(picture):
    return [[(column, SPINNER.sub("", text)) for column, _, text, _ in row] for row in picture]


if __name__ == "__main__":
    main()
