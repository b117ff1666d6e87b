//! What is written about scenarios and can be told from the code is told from the code, and stays true.
//!
//! `MAINSTAY_BLESS=1 cargo test -p mainstay-sim --test docs` writes it anew, and so do `cargo xtask scenario docs` and
//! `schema`.

use mainstay_sim::scenario::{docs, schema, template};
use std::path::Path;

#[test]
fn scenarios_md_is_what_the_code_says() {
    compare(docs::PATH, &docs::text());
}

#[test]
fn the_schema_is_what_the_code_says() {
    compare(schema::PATH, &schema::text());
}

/// An editor that checks by the schema must not mark what the reader takes.
#[test]
fn the_schema_has_a_place_for_everything_that_scenarios_say() {
    let schema: serde_json::Value = serde_json::from_str(&schema::text()).expect("the schema is JSON");
    let known = |table: &serde_json::Value, key: &str| table["properties"].get(key).is_some();
    let new: toml::Table = template::text().parse().expect("the template is TOML");
    for (key, value) in &new {
        assert!(known(&schema, key), "{key}");
        for table in value.as_array().into_iter().flatten().filter(|_| key != "fault") {
            let items = &schema["properties"][key]["items"];
            table.as_table().into_iter().flatten().for_each(|(inner, _)| assert!(known(items, inner), "{key}.{inner}"));
        }
    }
    let faults = schema["properties"]["fault"]["items"]["oneOf"].as_array().expect("a list of faults");
    assert_eq!(faults.len(), mainstay_sim::fault::KINDS.len());
}

fn compare(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("MAINSTAY_BLESS").is_some_and(|wish| !wish.is_empty()) {
        std::fs::write(&file, expected).expect("write");
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        written == expected,
        "{path} is stale: MAINSTAY_BLESS=1 cargo test -p mainstay-sim --test docs writes it anew"
    );
}
