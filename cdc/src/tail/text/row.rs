//! A row of a terminal: columns, cut at its width, in which no byte of a message acts on the terminal.

use std::{
    fmt::{self, Display, Write as _},
    io::Write as _,
};

use anstyle::Style;

/// Stands for what was cut off.
const CUT: char = '…';

/// A row that is being written.
pub(super) struct Row<'a> {
    out: &'a mut Vec<u8>,
    left: usize,
    colour: bool,
}

impl<'a> Row<'a> {
    /// Starts a row of `width` cells at the end of `out`.
    pub(super) fn start(width: usize, colour: bool, out: &'a mut Vec<u8>) -> Self {
        Self {
            out,
            left: width,
            colour,
        }
    }

    /// Adds a column of at least `cells` cells and the space after it.
    pub(super) fn column(&mut self, text: &str, cells: usize, style: Style) {
        let before = self.left;
        if self.colour {
            self.put(style.render());
        }
        self.text(text.as_bytes());
        if self.colour {
            self.put(style.render_reset());
        }
        let used = before - self.left;
        for _ in used..=cells.max(used) {
            self.cell(' ');
        }
    }

    /// Fills what is left with the begin of `bytes`.
    pub(super) fn rest(&mut self, bytes: &[u8]) {
        self.text(bytes);
    }

    /// Ends the row.
    pub(super) fn end(self) {
        self.out.push(b'\n');
    }

    /// Writes `bytes` up to the end of the row.
    fn text(&mut self, bytes: &[u8]) {
        // Of a long body no more is looked at than a row can hold: no character has more than four bytes.
        let bytes = &bytes[..bytes.len().min(4 * self.left + 4)];
        let cells: usize = pieces(bytes).map(|piece| piece.cells()).sum();
        let cut = cells > self.left;
        let mut room = self.left - usize::from(cut && self.left > 0);
        for piece in pieces(bytes) {
            match room.checked_sub(piece.cells()) {
                Some(left) => room = left,
                None => break,
            }
            self.put(piece);
        }
        if cut && self.left > 0 {
            self.put(CUT);
            room = 0;
        }
        self.left = room;
    }

    fn cell(&mut self, c: char) {
        if self.left > 0 {
            self.left -= 1;
            self.put(c);
        }
    }

    fn put(&mut self, value: impl Display) {
        write!(self.out, "{value}").expect("a Vec takes every write");
    }
}

/// What is shown for a character or for a byte that is part of none.
enum Piece {
    Char(char),
    Escaped(char),
    Byte(u8),
}

impl Piece {
    fn of(c: char) -> Self {
        // Control characters, and the marks that turn the direction of writing, act on what stands around them.
        let acts = c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if acts {
            Self::Escaped(c)
        } else {
            Self::Char(c)
        }
    }

    fn cells(&self) -> usize {
        match self {
            // All wide characters are here, among some others: these cut a row early, and none is wrapped.
            Self::Char('\u{1100}'..='\u{115f}' | '\u{231a}'..='\u{2b55}' | '\u{2e80}'..) => 2,
            Self::Char(_) => 1,
            Self::Escaped(c) => c.escape_default().count(),
            Self::Byte(_) => 4,
        }
    }
}

impl Display for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Char(c) => f.write_char(*c),
            Self::Escaped(c) => write!(f, "{}", c.escape_default()),
            Self::Byte(byte) => write!(f, "\\x{byte:02x}"),
        }
    }
}

fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let valid = chunk.valid().chars().map(Piece::of);
        valid.chain(chunk.invalid().iter().copied().map(Piece::Byte))
    })
}
