//! A table of texts: aligned for a terminal, or as Markdown.

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
    /// Without rows.
    pub(super) fn new(head: &[Column]) -> Self {
        Self {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// With a row of as many cells as the head has.
    pub(super) fn push<const N: usize>(&mut self, row: [String; N]) {
        debug_assert_eq!(N, self.head.len(), "a row is as long as the head");
        self.rows.push(Vec::from(row));
    }

    /// Whether there is nothing under the head.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// For a terminal: words from the left, figures to the right, two spaces between columns.
    pub(super) fn text(&self) -> String {
        let head: Vec<String> = self.head.iter().map(|column| column.name()).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&head).chain(&self.rows).collect();
        let width = |column: usize| lines.iter().map(|line| width(&line[column])).max();
        let widths: Vec<usize> = (0..head.len()).filter_map(width).collect();
        lines.into_iter().fold(String::new(), |mut text, line| {
            text.push_str(self.line(line, &widths).trim_end());
            text.push('\n');
            text
        })
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, &full)) in self.head.iter().zip(cells.iter().zip(widths)) {
            let space = " ".repeat(full - width(cell));
            let (before, after) = match column {
                Column::Words(_) => ("", space.as_str()),
                Column::Figures(_) => (space.as_str(), ""),
            };
            line.push_str("  ");
            line.push_str(before);
            line.push_str(cell);
            line.push_str(after);
        }
        line
    }

    /// For a page.
    pub(super) fn markdown(&self) -> String {
        let rule = self.head.iter().map(|column| match column {
            Column::Words(_) => "---".to_owned(),
            Column::Figures(_) => "---:".to_owned(),
        });
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head = self.head.iter().map(|column| plain(&column.name()));
        let mut page = row(head.collect()) + &row(rule.collect());
        for cells in &self.rows {
            page += &row(cells.iter().map(|cell| plain(cell)).collect());
        }
        page
    }
}

impl Column {
    fn name(self) -> String {
        let (Self::Words(name) | Self::Figures(name)) = self;
        name.to_owned()
    }
}

/// `text` with nothing that Markdown or HTML would read as a sign of its own.
pub(super) fn plain(text: &str) -> String {
    let mut page = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '~' => page.extend(['\\', character]),
            character if character.is_control() => page.push(' '),
            character => page.push(character),
        }
    }
    page
}

fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new(&[Column::Words("who"), Column::Figures("µs")]);
        grid.push(["engine".to_owned(), "7.00".to_owned()]);
        grid.push(["a|b <c>".to_owned(), "12,345".to_owned()]);
        grid
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
