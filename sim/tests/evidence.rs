//! Evidence is the same bytes whoever makes it: two processes, the same seeds.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Written where tests may write, once for each.
fn scenario(name: &str, text: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, text).expect("write");
    file
}

fn lines(command: &str, file: &Path, more: &[&str]) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mainstay-simulate"));
    program.arg(command).arg(file).args(["--suite", "soak", "--seeds", "3,4"]).args(more);
    let out = program.output().expect("it runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("lines of text")
}

#[test]
fn two_processes_tell_of_a_seed_in_the_same_bytes() {
    let text = "about = 'x'\nlasts = '9h'\nsettles = '4h'\ntick = '1s'\n[soak]\njobs = [40, 40]\n\
                [soak.faults]\ntelegram = 600\ndaemon-killed = 300\n";
    let file = scenario("soaked.toml", text);
    for persona in ["attentive", "error-prone"] {
        let first = lines("evidence", &file, &["--persona", persona]);
        assert_eq!(first, lines("evidence", &file, &["--persona", persona]), "{persona}");
        assert_eq!(first.lines().filter(|line| line.starts_with(r#"{"line":"run""#)).count(), 2);
        assert_eq!(first.lines().filter(|line| line.starts_with(r#"{"line":"end""#)).count(), 2);
        assert!(!first.contains(r#""cut_off":""#), "{first}");
    }
    assert_ne!(lines("evidence", &file, &[]), lines("evidence", &file, &["--persona", "attentive"]));
}

#[test]
fn reruns_of_a_job_are_five_and_told_alike() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/soak/reruns.toml");
    let told = lines("reruns", &file, &[]);
    assert_eq!(told, lines("reruns", &file, &[]));
    assert_eq!(told.lines().filter(|line| line.starts_with(r#"{"line":"rerun""#)).count(), 10);
    assert!(!told.contains(r#""right":false"#), "{told}");
}

#[test]
fn the_days_and_weeks_that_are_played_for_evidence_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/soak");
    let mut names = Vec::new();
    for file in std::fs::read_dir(folder).expect("it is there").flatten() {
        mainstay_sim::scenario::Scenario::read(&file.path()).expect("a scenario");
        names.push(file.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["reruns.toml", "soak-day.toml", "soak-week.toml"]);
}
