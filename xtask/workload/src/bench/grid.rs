//! A table of texts: aligned for a terminal, or as Markdown.

use std::fmt::Write;

/// What a column holds, under which name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Words(&'static str),
    Figures(&'static str),
}

/// Rows under a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grid {
    head: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// Each row has as many cells as the head.
    pub(super) fn new<const N: usize>(
        head: [Column; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) -> Self {
        Self {
            head: head.into(),
            rows: rows.into_iter().map(Vec::from).collect(),
        }
    }

    /// Whether there is nothing under the head.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// For a terminal: words from the left, figures to the right, two spaces between columns.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let head = self
            .head
            .iter()
            .map(|column| column.name().to_owned())
            .collect();
        let lines: Vec<&Vec<String>> = [&head].into_iter().chain(&self.rows).collect();
        for line in &lines {
            for (number, column) in self.head.iter().enumerate() {
                let widths = lines.iter().map(|line| line[number].chars().count());
                let (cell, width) = (&line[number], widths.max().unwrap_or(0));
                let _ = match column {
                    Column::Words(_) => write!(text, "  {cell:<width$}"),
                    Column::Figures(_) => write!(text, "  {cell:>width$}"),
                };
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    /// For a page.
    pub(super) fn markdown(&self) -> String {
        let rule = self.head.iter().map(|column| match column {
            Column::Words(_) => "---".to_owned(),
            Column::Figures(_) => "---:".to_owned(),
        });
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head = self.head.iter().map(|column| plain(column.name()));
        let mut page = row(head.collect()) + &row(rule.collect());
        for cells in &self.rows {
            page += &row(cells.iter().map(|cell| plain(cell)).collect());
        }
        page
    }
}

impl Column {
    fn name(self) -> &'static str {
        let (Self::Words(name) | Self::Figures(name)) = self;
        name
    }
}

/// `text` with nothing that Markdown or HTML would read as a sign of its own.
pub(super) fn plain(text: &str) -> String {
    let signs = ['|', '*', '_', '`', '[', ']', '\\', '~'];
    let escape = |character| {
        [
            Some('\\').filter(|_| signs.contains(&character)),
            Some(character),
        ]
    };
    escaped(text).chars().flat_map(escape).flatten().collect()
}

/// `text` as XML and HTML take it; what they have no room for at all becomes a space.
pub(super) fn escaped(text: &str) -> String {
    let no_room =
        |character: char| character.is_control() || "\u{fffe}\u{ffff}".contains(character);
    let text = text.replace(no_room, " ").replace('&', "&amp;");
    text.replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let rows = [["engine", "7.00"], ["a|b <c>", "12,345"]];
        let rows = rows.map(|row| row.map(str::to_owned));
        Grid::new([Column::Words("who"), Column::Figures("µs")], rows)
    }

    #[test]
    fn words_begin_and_figures_end_in_one_line() {
        let text = "  who          µs\n  engine     7.00\n  a|b <c>  12,345\n";
        assert_eq!(grid().text(), text);
    }

    #[test]
    fn a_page_shows_odd_text_as_it_is() {
        let page =
            "| who | µs |\n| --- | ---: |\n| engine | 7.00 |\n| a\\|b &lt;c&gt; | 12,345 |\n";
        assert_eq!(grid().markdown(), page);
    }
}
