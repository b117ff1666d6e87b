//! The report of the fixtures: what it must have, what it must not, and that it is the same twice.

use super::*;
use crate::gate::fixture::Fixture;
use mainstay_metric::ledger::Line;
use std::path::Path;

fn bundles() -> [(&'static str, Fixture); 3] {
    [("pass", Fixture::clean()), ("fail", Fixture::failed()), ("inconclusive", Fixture::too_little())]
}

/// As `gate show` reads a bundle.
fn render(folder: &Path) -> Result<Rendered, String> {
    of(Evidence::read(folder)?)
}

fn rendered(fixture: &Fixture) -> Rendered {
    of(fixture.evidence()).expect("it can be rendered")
}

/// Writes the fixtures and their reports where somebody wants to look at them: `MAINSTAY_FIXTURES=DIR`.
#[test]
fn fixtures_to_look_at() {
    for (name, mut fixture) in bundles() {
        let Rendered { page, summary } = rendered(&fixture);
        if let Some(folder) = std::env::var_os("MAINSTAY_FIXTURES") {
            fixture.files.insert("report/index.html".into(), page);
            fixture.files.insert("report/summary.md".into(), summary);
            fixture.write(&Path::new(&folder).join(name));
        }
    }
}

#[test]
fn what_is_written_and_read_again_gives_the_same_bytes() {
    let fixture = Fixture::failed();
    let folder = tempfile::tempdir().expect("a folder");
    fixture.write(folder.path());
    let (first, again) = (render(folder.path()).expect("rendered"), rendered(&fixture));
    assert_eq!(first.page, again.page);
    assert_eq!(first.summary, again.summary);
    // The report does not look at itself, nor at what is made after it.
    for path in ["report/index.html", "MANIFEST", "MANIFEST.sig"] {
        crate::gate::layout::write(&folder.path().join(path), b"something else").expect("written");
    }
    assert_eq!(render(folder.path()).expect("rendered").page, first.page);
}

#[test]
fn the_page_needs_no_script_and_nothing_from_elsewhere() {
    for (name, fixture) in bundles() {
        let page = rendered(&fixture).page.to_lowercase();
        for forbidden in
            ["<script", "http:", "https:", "//", "@import", "url(", " onload", " onclick", "<link", "<img", "<iframe"]
        {
            assert!(!page.contains(forbidden), "{name}: {forbidden}");
        }
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("width=device-width"), "{name}");
    }
}

#[test]
fn every_row_is_told_with_its_verdict_in_words_on_the_page_in_the_summary_and_in_the_terminal() {
    for (name, fixture) in bundles() {
        let Rendered { page, summary } = rendered(&fixture);
        let report = Report::new(fixture.evidence()).expect("it can be read");
        let terminal = terminal::people(&report, false);
        for metric in &report.card.metrics {
            assert!(page.contains(&format!("id=\"{}\"", rows::anchor(metric))), "{name}: {} on the page", metric.id);
            let word = draw::outcome(metric.outcome).2;
            let row = summary.lines().find(|line| line.contains(&metric.title) && line.contains(word));
            assert!(row.is_some(), "{name}: {} in the summary", metric.id);
            let title: String = metric.title.chars().take(25).collect();
            assert!(terminal.contains(&title), "{name}: {} in the terminal", metric.id);
        }
        let word = draw::outcome(report.verdict).2;
        for (what, text) in [("page", &page), ("summary", &summary), ("terminal", &terminal)] {
            assert!(text.contains(word), "{name}: the {what} does not say {word}");
        }
    }
}

/// What tasks and people write gets into a page and into a comment; it must stay text there.
#[test]
fn text_of_others_is_no_markup() {
    let mut fixture = Fixture::clean();
    let evil = "</pre><script>alert(1)</script> | `x` [a](b) \u{1b}[2J\nnext";
    let mut done = false;
    fixture.lines(|run, line| {
        if let Line::Command(command) = line
            && !done
            && !run.kept
        {
            command.wrong = Some(evil.into());
            done = true;
        }
        true
    });
    fixture.edit("derived/verdict.json", |text| text.replace("\"why\": \"", "\"why\": \"<b>|"));
    let Rendered { page, summary } = rendered(&fixture);
    assert!(!page.contains("<script") && !page.contains("<b>|"));
    assert!(page.contains("&lt;script&gt;alert(1)"));
    assert!(!summary.contains("<script") && !summary.contains("<b>") && !summary.contains('\u{1b}'));
    let report = Report::new(fixture.evidence()).expect("it can be read");
    assert!(!terminal::people(&report, false).contains('\u{1b}'));
    assert!(terminal::people(&report, true).contains('\u{1b}'), "colours where there is a terminal");
}

#[test]
fn the_summary_is_short_and_the_terminal_is_narrow() {
    for (name, fixture) in bundles() {
        let summary = rendered(&fixture).summary;
        assert!(summary.lines().count() <= summary::LINES, "{name}: {} lines", summary.lines().count());
        let report = Report::new(fixture.evidence()).expect("it can be read");
        for line in terminal::people(&report, false).lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
        }
    }
}

/// From a figure one gets to the line behind it.
#[test]
fn what_failed_is_shown_with_its_line_and_where_it_stands() {
    let fixture = Fixture::failed();
    let page = rendered(&fixture).page;
    let evidence = fixture.evidence();
    for trouble in crate::gate::seen::Trouble::ALL {
        let (n, first) = evidence.seen.failures.of(trouble);
        if n > 0 {
            assert!(page.contains(&format!("id=\"{}\"", failures::anchor(trouble))), "{}", trouble.title());
        }
        for failure in first {
            assert!(page.contains(&failure.place.to_string()), "{}", failure.place);
        }
    }
    assert!(evidence.seen.failures.first(crate::gate::seen::Trouble::Broken).is_some());
}

/// A bundle without a scorecard is not drawn as one in which nothing went wrong.
#[test]
fn without_a_scorecard_there_is_no_report() {
    let mut fixture = Fixture::clean();
    fixture.files.remove("derived/metrics.json");
    assert!(of(fixture.evidence()).is_err_and(|error| error.contains("derived/metrics.json")));
}
