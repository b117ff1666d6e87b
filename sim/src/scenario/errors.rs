//! What is wrong with a file, where, and what to do.

use std::ops::Range;

/// Something that is wrong, at its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// What.
    pub what: String,
    /// What would be right.
    pub hint: String,
}

impl Wrong {
    /// Line and column, from 1; columns count characters.
    pub fn place(&self, text: &str) -> (usize, usize) {
        let mut at = self.span.start.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let before = &text[..at];
        let line = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line..].chars().count() + 1)
    }

    /// As compilers tell it: place, line, and a mark below.
    fn shown(&self, file: &str, text: &str) -> String {
        let (line, column) = self.place(text);
        let whole = text.lines().nth(line - 1).unwrap_or_default();
        // Tabs stay, so that the mark stands where it should.
        let blank: String = whole.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        let rest = whole.chars().count().saturating_sub(column - 1);
        let marks = text.get(self.span.clone()).map_or(1, |part| part.chars().count()).clamp(1, rest.max(1));
        let margin = " ".repeat(line.to_string().len());
        let mark = "^".repeat(marks);
        format!(
            "{file}:{line}:{column}: {}\n{margin} |\n{line} | {whole}\n{margin} | {blank}{mark}\n{margin} = {}",
            self.what, self.hint
        )
    }
}

/// All of it, for people.
pub(super) fn listed(file: &str, text: &str, wrongs: &[Wrong]) -> String {
    wrongs.iter().map(|wrong| wrong.shown(file, text)).collect::<Vec<_>>().join("\n\n")
}
