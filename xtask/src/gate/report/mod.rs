//! What people look at: the report of a bundle as a page (`report/index.html`), as a summary (`report/summary.md`), and in the
//! terminal (`gate show`).
//!
//! It computes no verdict and no metric. Everything comes from the files of a bundle, so that the same files give the same
//! bytes, on any machine and at any time; what a file does not say is shown as missing. The page needs no script and
//! nothing from elsewhere.

mod draw;
mod failures;
mod model;
mod number;
mod page;
mod rows;
mod sections;
mod summary;
mod tables;
mod terminal;

use super::seen::Evidence;
use model::Report;
pub(crate) use terminal::{Tell, show};

/// A report.
pub(crate) struct Rendered {
    /// `report/index.html`.
    pub(crate) page: String,
    /// `report/summary.md`.
    pub(crate) summary: String,
}

/// Renders what was read before.
///
/// # Errors
/// There is no scorecard.
pub(crate) fn of(evidence: Evidence) -> Result<Rendered, String> {
    let report = Report::new(evidence)?;
    Ok(Rendered { page: page::page(&report), summary: summary::summary(&report) })
}

#[cfg(test)]
mod tests;
