"""A screen of a terminal: takes what a program writes, and tells what a person would see.

It knows the control sequences that cargo, the toolkit's progress lines and the engine use, and stops at any other.
"""

import re
import unicodedata

# A control sequence, a plain control character, or one character of text.
TOKEN = re.compile(r"\x1b\[([?0-9;]*)([A-Za-z])|([\x00-\x1f])|(.)", re.DOTALL)
# Sequences that change nothing of what a picture shows: hide or show the cursor, wrap, keyboard and paste modes.
UNSEEN = {"h", "l"}


def cells(character):
    """How many columns a character takes."""
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """Rows of cells; a cell is a text and its style, or None to the right of a character of two columns."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [self.blank() for _ in range(rows)]
        self.row = self.column = 0
        self.style = frozenset()
        self.rest = ""

    def blank(self):
        return [(" ", frozenset())] * self.columns

    def feed(self, text):
        """Applies `text`; an escape sequence that is not complete waits for the next call."""
        text, self.rest = self.rest + text, ""
        cut = text.rfind("\x1b")
        if cut != -1 and not re.match(r"\x1b\[[?0-9;]*[A-Za-z]", text[cut:]):
            text, self.rest = text[:cut], text[cut:]
        for parameters, final, control, character in TOKEN.findall(text):
            if final:
                self.sequence(parameters, final)
            elif control:
                self.control(control)
            else:
                self.put(character)

    def sequence(self, parameters, final):
        number = int(parameters) if parameters.isdigit() else 0
        if final == "m":
            self.select_style(parameters)
        elif final == "A":
            self.row = max(0, self.row - max(1, number))
        elif final == "B":
            self.row = min(self.rows - 1, self.row + max(1, number))
        elif final == "C":
            self.column = min(self.columns - 1, self.column + max(1, number))
        elif final == "D":
            self.column = max(0, self.column - max(1, number))
        elif final == "G":
            self.column = max(1, number) - 1
        elif final == "K":
            self.erase_line(number)
        elif final == "J" and number == 0:
            self.erase_line(0)
            for row in range(self.row + 1, self.rows):
                self.lines[row] = self.blank()
        elif final not in UNSEEN:
            raise ValueError(f"the control sequence ESC[{parameters}{final} is not known")

    def erase_line(self, how):
        first = self.column if how == 0 else 0
        last = self.column + 1 if how == 1 else self.columns
        for column in range(first, last):
            self.lines[self.row][column] = (" ", frozenset())

    def select_style(self, parameters):
        for code in (int(part or 0) for part in parameters.split(";")):
            if code == 0:
                self.style = frozenset()
            elif code in (1, 2):
                self.style |= {"bold" if code == 1 else "dim"}
            elif 30 <= code <= 37 or 90 <= code <= 97:
                colours = {f"c{n}" for n in range(8)}
                self.style = (self.style - colours) | {f"c{code % 10}"}
            elif code == 39:
                self.style = frozenset(name for name in self.style if name[0] != "c")
            elif code != 22:
                raise ValueError(f"the style {code} is not known")

    def control(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.line_feed()
        elif character == "\b":
            self.column = max(0, self.column - 1)
        elif character != "\a":
            raise ValueError(f"the control character {character!r} is not known")

    def line_feed(self):
        if self.row + 1 < self.rows:
            self.row += 1
        else:
            self.lines = self.lines[1:] + [self.blank()]

    def put(self, character):
        width = cells(character)
        if width == 0:
            at = max(0, self.column - 1)
            text, style = self.lines[self.row][at] or (" ", frozenset())
            self.lines[self.row][at] = (text + character, style)
            return
        if self.column + width > self.columns:
            self.column = 0
            self.line_feed()
        self.lines[self.row][self.column] = (character, self.style)
        if width == 2:
            self.lines[self.row][self.column + 1] = None
        self.column += width

    def picture(self):
        """What is to be seen: for each row, the runs (column, columns, text, style) that are not blank."""
        return [tuple(runs(line)) for line in self.lines]


def kind(text):
    """Characters of one kind can be drawn together and keep their columns."""
    if cells(text[0]) == 2:
        return "wide"
    return "plain" if text.isascii() or unicodedata.bidirectional(text[0]) not in ("R", "AL") else "right-to-left"


def runs(line):
    found = []
    for column, cell in enumerate(line):
        if cell is None:
            continue
        text, style = cell
        width = cells(text[0])
        if found:
            start, columns, before, of = found[-1]
            # A blank between two words of one kind belongs to them: right-to-left words would change places.
            if start + columns == column and of == style and (text == " " or kind(before) == kind(text)):
                found[-1] = (start, columns + width, before + text, of)
                continue
        found.append((column, width, text, style))
    return [run for run in map(trimmed, found) if run[2]]


def trimmed(run):
    """The run without the blanks at both ends, which nobody sees."""
    column, _, text, style = run
    begin = len(text) - len(text.lstrip(" "))
    text = text.strip(" ")
    return (column + begin, sum(map(cells, text)), text, style)
