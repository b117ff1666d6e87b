//! The report of the fixtures.

use super::*;
use crate::gate::fixture::Fixture;

fn bundles() -> [(&'static str, Fixture); 3] {
    [("pass", Fixture::clean()), ("fail", Fixture::failed()), ("inconclusive", Fixture::too_little())]
}

/// Writes the fixtures and their reports where somebody wants to look at them: `MAINSTAY_FIXTURES=DIR`.
#[test]
fn fixtures_to_look_at() {
    for (name, fixture) in bundles() {
        let rendered = of(fixture.evidence()).expect("it can be rendered");
        if let Some(folder) = std::env::var_os("MAINSTAY_FIXTURES") {
            let mut fixture = fixture;
            fixture.files.insert("report/index.html".into(), rendered.page);
            fixture.files.insert("report/summary.md".into(), rendered.summary);
            fixture.write(&Path::new(&folder).join(name));
        }
    }
}
