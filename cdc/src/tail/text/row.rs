//! A row of a terminal: columns, cut at its width, in which no byte of a message acts on the terminal.

use anstyle::Style;

/// Stands for what was cut off.
const CUT: char = '…';

/// A row that is being written.
pub(super) struct Row {
    text: String,
    left: usize,
    colour: bool,
}

impl Row {
    /// Starts a row of `width` cells.
    pub(super) fn new(width: usize, colour: bool) -> Self {
        let text = String::new();
        Self {
            text,
            left: width,
            colour,
        }
    }

    /// Adds a column of at least `cells` cells and the space after it.
    pub(super) fn column(&mut self, text: &str, cells: usize, style: Style) {
        let style = if self.colour { style } else { Style::new() };
        let before = self.left;
        self.text.push_str(&style.render().to_string());
        self.rest(text.as_bytes());
        self.text.push_str(&style.render_reset().to_string());
        let used = before - self.left;
        let gap = (cells.max(used) + 1 - used).min(self.left);
        self.text.push_str(&" ".repeat(gap));
        self.left -= gap;
    }

    /// Fills what is left with the begin of `bytes`.
    pub(super) fn rest(&mut self, bytes: &[u8]) {
        let (mut used, mut fitting) = (0, self.text.len());
        for piece in pieces(bytes) {
            used += piece.chars().map(cells).sum::<usize>();
            if used > self.left {
                self.text.truncate(fitting);
                self.text.extend((self.left > 0).then_some(CUT));
                used = self.left;
                break;
            }
            self.text.push_str(&piece);
            if used < self.left {
                fitting = self.text.len();
            }
        }
        self.left -= used;
    }

    /// Ends the row and adds it to `out`.
    pub(super) fn end(mut self, out: &mut Vec<u8>) {
        self.text.push('\n');
        out.extend_from_slice(self.text.as_bytes());
    }
}

/// The characters of `bytes`, and what is shown for those that act on a terminal and for bytes that are part of none.
fn pieces(bytes: &[u8]) -> impl Iterator<Item = String> {
    bytes.utf8_chunks().flat_map(|chunk| {
        let invalid = chunk.invalid().iter();
        let invalid = invalid.map(|byte| format!("\\x{byte:02x}"));
        chunk.valid().chars().map(piece).chain(invalid)
    })
}

fn piece(c: char) -> String {
    // Control characters, and the marks that turn the direction of writing, act on what stands around them.
    let acts = c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if acts {
        c.escape_default().collect()
    } else {
        c.into()
    }
}

fn cells(c: char) -> usize {
    // All wide characters are here, among some others: these cut a row early, and none is wrapped.
    match c {
        '\u{1100}'..='\u{115f}' | '\u{231a}'..='\u{2b55}' | '\u{2e80}'.. => 2,
        _ => 1,
    }
}
