//! Finds and reads the configuration file, and asks the machine whether it can do what the file says.

use super::control::{SOCKET_NAME, check_path};
use crate::config::build::{Valid, parse};
use crate::config::read::Problem;
use crate::config::{Config, Kind};
use crate::exit::{ExitCode, Fatal};
use crate::policy;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Names the file when no `--config` does.
pub const CONFIG_VARIABLE: &str = "MAINSTAY_CONFIG";
/// Where it is looked for then, in this order.
pub const CONFIG_PLACES: [&str; 2] = ["mainstay.toml", "/etc/mainstay/mainstay.toml"];

/// The file to use: `named` on the command line, else by `$MAINSTAY_CONFIG`, else the first of [`CONFIG_PLACES`] that
/// exists.
///
/// # Errors
/// [`ExitCode::ConfigInvalid`]: there is none, or the one in the working directory belongs to somebody else.
pub fn find(named: Option<&Path>) -> Result<PathBuf, Fatal> {
    let variable = std::env::var_os(CONFIG_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let Some(path) = named.map(Path::to_owned).or(variable) {
        return Ok(path);
    }
    let [here, system] = CONFIG_PLACES.map(PathBuf::from);
    if let Ok(metadata) = std::fs::metadata(&here) {
        // It says what is run: in a folder of somebody else, that would be theirs to say.
        let own = rustix::process::geteuid().as_raw();
        if metadata.uid() != own && metadata.uid() != 0 {
            let text = format!("./mainstay.toml belongs to user {}: name it with --config to use it", metadata.uid());
            return Err(Fatal::new(ExitCode::ConfigInvalid, text));
        }
        return Ok(here);
    }
    if system.exists() {
        return Ok(system);
    }
    let places = CONFIG_PLACES.join(" or ");
    let text = format!("there is no configuration: name one with --config or ${CONFIG_VARIABLE}, or write {places}");
    Err(Fatal::new(ExitCode::ConfigInvalid, text))
}

fn read(path: &Path) -> Result<(String, PathBuf), Fatal> {
    let invalid = |text: String| Fatal::new(ExitCode::ConfigInvalid, text);
    let failed = |e: std::io::Error| invalid(format!("can't read the configuration {}: {e}", path.display()));
    let whole = std::path::absolute(path).map_err(failed)?;
    let metadata = std::fs::metadata(&whole).map_err(failed)?;
    if !metadata.is_file() || metadata.len() > policy::CONFIG_BYTES_MAX {
        return Err(invalid(format!("{} is no configuration: it is no file, or too long", path.display())));
    }
    let bytes = std::fs::read(&whole).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let line = 1 + e.as_bytes()[..e.utf8_error().valid_up_to()].iter().filter(|b| **b == b'\n').count();
        invalid(format!("{}:{line}: this is no UTF-8", path.display()))
    })?;
    let folder = whole.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
    Ok((text, folder))
}

/// Every problem on a line of its own, with the file's name before it.
pub fn listed(path: &Path, problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
    lines.join("\n")
}

/// Reads and checks the whole file.
///
/// # Errors
/// [`ExitCode::NobodyAllowed`] when all that is wrong is that no operator is named, else [`ExitCode::ConfigInvalid`];
/// the text lists every problem.
pub fn load(path: &Path) -> Result<Valid, Fatal> {
    let (text, folder) = read(path)?;
    let valid = parse(&text, &folder).map_err(|problems| {
        let nobody = problems.iter().all(|problem| problem.nobody);
        Fatal::new(if nobody { ExitCode::NobodyAllowed } else { ExitCode::ConfigInvalid }, listed(path, &problems))
    })?;
    check_path(&valid.config.state_dir.join(SOCKET_NAME))?;
    Ok(valid)
}

/// Only where the state is kept. A client needs no more, and must be able to say `stop` while the file is being edited.
///
/// # Errors
/// [`ExitCode::ConfigInvalid`]: the file can't be read, is no TOML, or has a wrong `state_dir`.
pub fn state_dir(path: &Path) -> Result<PathBuf, Fatal> {
    let (text, folder) = read(path)?;
    match toml::from_str::<toml::Table>(&text).map(|table| table.get("state_dir").cloned()) {
        Ok(Some(toml::Value::String(dir))) if !dir.is_empty() => Ok(folder.join(dir)),
        Ok(None) => Ok(folder.join("state")),
        // The reader says it better.
        Ok(Some(_)) | Err(_) => load(path).map(|valid| valid.config.state_dir),
    }
}

/// What the machine lacks for what the configuration says: programs and folders of kinds. Tasks of those kinds would fail,
/// others would not, so these are warnings.
pub fn missing_on_this_machine(config: &Config) -> Vec<String> {
    let mut missing = Vec::new();
    for kind in config.kinds.values() {
        missing.extend(program_problem(kind).map(|text| format!("kind.{}.argv: {text}", kind.name)));
        if let Some(cwd) = kind.cwd.as_ref().filter(|cwd| !cwd.is_dir()) {
            missing.push(format!("kind.{}.cwd: {} is no folder", kind.name, cwd.display()));
        }
    }
    missing
}

fn program_problem(kind: &Kind) -> Option<String> {
    let program = kind.argv.first()?;
    if program.contains('/') {
        return not_executable(Path::new(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|folder| not_executable(&folder.join(program)).is_none());
    (!found).then(|| format!("{program} is not in PATH"))
}

fn not_executable(path: &Path) -> Option<String> {
    match std::fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => Some(format!("{} is no file", path.display())),
        Ok(metadata) if metadata.permissions().mode() & 0o111 == 0 => {
            Some(format!("{} is not executable", path.display()))
        }
        Ok(_) => None,
        Err(error) if error.kind() == ErrorKind::NotFound => Some(format!("{} does not exist", path.display())),
        Err(error) => Some(format!("{} can't be looked at: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        "[[operator]]\nid = 1\nname = \"a\"\nroles = [\"admin\"]\n[[kind]]\nname = \"k\"\nargv = [\"true\"]\n";

    fn written(text: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("mainstay.toml");
        std::fs::write(&path, text).expect("write");
        (dir, path)
    }

    #[test]
    fn the_example_is_valid_and_nothing_about_it_is_strange() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/mainstay.toml");
        let valid = load(&path).unwrap_or_else(|fatal| panic!("{fatal}"));
        assert_eq!(valid.warnings, []);
    }

    #[test]
    fn the_example_shows_true_defaults_and_every_section() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/mainstay.toml");
        let text = std::fs::read_to_string(path).expect("read");
        for line in text.lines().filter_map(|line| line.strip_prefix('#')).filter(|line| !line.starts_with(' ')) {
            let Some((name, value)) = line.split_once(" = ") else { continue };
            let key = crate::config::keys::KEYS.iter().find(|key| key.name == name).expect(name);
            let default = key.default.expect(name);
            // `heavy` kinds and limits that are off by default are shown with an example.
            assert!(default == value || default.contains(value) || default == "none", "{line}: default is {default}");
        }
    }

    #[test]
    fn each_way_to_have_no_configuration_is_told() {
        let (dir, path) = written(LEAST.as_bytes());
        assert!(load(&path).is_ok());
        let fatal = load(&dir.path().join("none.toml")).expect_err("missing");
        assert!(fatal.text.starts_with("can't read the configuration"), "{fatal}");
        let fatal = load(dir.path()).expect_err("a folder");
        assert!(fatal.text.contains("is no configuration"), "{fatal}");
        let (_dir, path) = written(b"# \n# \xff\n");
        let fatal = load(&path).expect_err("no text");
        assert!(fatal.text.ends_with("mainstay.toml:2: this is no UTF-8"), "{fatal}");
        let (_dir, path) = written(b"[[kind]]\nname = \"k\"\nargv = [\"true\"]\nheavy = false\n");
        assert_eq!(load(&path).expect_err("nobody").code, ExitCode::NobodyAllowed);
    }

    #[test]
    fn a_client_finds_the_state_of_a_file_that_is_otherwise_wrong() {
        let (dir, path) = written(b"state_dir = \"here\"\nnonsense = true\n");
        assert_eq!(state_dir(&path), Ok(dir.path().join("here")));
        let (dir, path) = written(b"");
        assert_eq!(state_dir(&path), Ok(dir.path().join("state")));
        let (_dir, path) = written(b"state_dir = [");
        assert_eq!(state_dir(&path).expect_err("no toml").code, ExitCode::ConfigInvalid);
    }

    #[test]
    fn programs_and_folders_that_are_missing_are_named() {
        let (dir, path) = written(LEAST.as_bytes());
        let mut config = load(&path).expect("valid").config;
        assert_eq!(missing_on_this_machine(&config), Vec::<String>::new());
        let kind = config.kinds.get_mut("k").expect("k");
        kind.argv = vec![path.display().to_string()];
        kind.cwd = Some(dir.path().join("none"));
        let missing = missing_on_this_machine(&config);
        assert!(missing[0].ends_with("mainstay.toml is not executable"), "{missing:?}");
        assert!(missing[1].ends_with("none is no folder"), "{missing:?}");
        config.kinds.get_mut("k").expect("k").argv = vec!["no-such-program".into()];
        assert_eq!(missing_on_this_machine(&config)[0], "kind.k.argv: no-such-program is not in PATH");
    }
}
