//! The bot's token: where it comes from, and how it stays out of everything that can be looked at.
//!
//! It has no `Debug` or `Display`. The variable is for trying things out: `/proc/PID/environ` shows what a process was
//! started with for as long as it lives, so the daemon starts itself once more without it (same pid, the token handed
//! over in a pipe).

use crate::exit::{ExitCode, Fatal};
use crate::policy;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// The variable that may hold the token.
pub const TOKEN_VARIABLE: &str = "MAINSTAY_TELEGRAM_TOKEN";
/// The systemd credential that may hold it (`LoadCredential=telegram-token:...`).
pub const TOKEN_CREDENTIAL: &str = "telegram-token";
/// Set for the daemon's second start: the token comes on standard input.
const ON_STDIN_VARIABLE: &str = "MAINSTAY_TOKEN_ON_STDIN";

/// A bot's token. Shown nowhere: whoever needs it says [`Token::expose`].
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Reads `text` as a token; white space around it does not count.
    ///
    /// # Errors
    /// What is wrong with it, without any part of it.
    pub fn new(text: &str) -> Result<Token, &'static str> {
        let text = text.trim();
        let Some((id, secret)) = text.split_once(':') else { return Err("is no token (<number>:<secret>)") };
        if id.is_empty() || id.len() > 18 || !id.bytes().all(|b| b.is_ascii_digit()) {
            return Err("is no token: before the colon stands the bot's number");
        }
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if secret.len() < policy::TOKEN_SECRET_LENGTH_MIN || !secret.bytes().all(legal) {
            return Err(
                "is no token: the secret after the colon is too short or has other characters than A-Z a-z 0-9 _ -",
            );
        }
        Ok(Token(text.to_owned()))
    }

    /// The token itself. Never into a log line, an error or a file.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The part after the colon, which alone gives the bot away too.
    pub fn secret(&self) -> &str {
        self.0.split_once(':').map_or(self.expose(), |(_, secret)| secret)
    }

    /// The bot's numeric id: the part before the colon, which is no secret.
    pub fn bot_id(&self) -> i64 {
        self.0.split(':').next().and_then(|id| id.parse().ok()).expect("checked when made")
    }
}

/// A token and what is questionable about where it lay.
pub struct Found {
    /// The token.
    pub token: Token,
    /// For the log.
    pub warning: Option<String>,
}

/// Finds the token: the systemd credential, else the variable (or what [`leave_environment`] made of it), else `file`.
/// Each place is used up: standard input can be read only once.
///
/// # Errors
/// [`ExitCode::TokenUnreadable`]: none of the places has one, or the first that has is wrong.
pub fn find(file: Option<&Path>) -> Result<Found, Fatal> {
    let unreadable = |text: String| Fatal::new(ExitCode::TokenUnreadable, text);
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY").map(|dir| PathBuf::from(dir).join(TOKEN_CREDENTIAL));
    if let Some(path) = credential.filter(|path| path.exists()) {
        return from_file(&path).map(|token| Found { token, warning: None });
    }
    let variable = if std::env::var_os(ON_STDIN_VARIABLE).is_some() {
        Some(from_stdin().map_err(|e| unreadable(format!("the token that was handed over can't be read: {e}")))?)
    } else {
        std::env::var_os(TOKEN_VARIABLE).map(|text| text.to_string_lossy().into_owned())
    };
    if let Some(text) = variable {
        let token = Token::new(&text).map_err(|why| unreadable(format!("${TOKEN_VARIABLE} {why}")))?;
        return Ok(Found { token, warning: None });
    }
    let Some(path) = file else {
        let text = format!(
            "there is no bot token: set telegram.token_file, the systemd credential {TOKEN_CREDENTIAL}, or ${TOKEN_VARIABLE}"
        );
        return Err(unreadable(text));
    };
    let token = from_file(path)?;
    let mode = std::fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode());
    let warning =
        (mode & 0o077 != 0).then(|| format!("others may read the token file {0}: chmod 600 {0}", path.display()));
    Ok(Found { token, warning })
}

/// Reads it from a file that holds the token and nothing else.
///
/// # Errors
/// [`ExitCode::TokenUnreadable`]: it can't be read, or holds no token.
pub fn from_file(path: &Path) -> Result<Token, Fatal> {
    let unreadable = |text: String| Fatal::new(ExitCode::TokenUnreadable, text);
    let read = std::fs::File::open(path).and_then(|file| {
        let mut text = String::new();
        file.take(policy::TOKEN_BYTES_MAX).read_to_string(&mut text).map(|_| text)
    });
    let text = read.map_err(|e| unreadable(format!("can't read the token file {}: {e}", path.display())))?;
    Token::new(&text).map_err(|why| unreadable(format!("the content of the token file {} {why}", path.display())))
}

fn from_stdin() -> std::io::Result<String> {
    let mut text = String::new();
    std::io::stdin().take(policy::TOKEN_BYTES_MAX).read_to_string(&mut text)?;
    // The pipe has done its duty; nobody needs to find an end of it.
    rustix::stdio::dup2_stdin(std::fs::File::open("/dev/null")?)?;
    Ok(text)
}

/// When the token came in the environment: replaces this process by itself without it. Returns when there was nothing to
/// do. Must come first: whatever is open or begun is lost.
///
/// # Errors
/// [`ExitCode::Internal`]: the program can't be started again.
pub fn leave_environment() -> Result<(), Fatal> {
    let Some(token) = std::env::var_os(TOKEN_VARIABLE) else { return Ok(()) };
    let failed = |e: std::io::Error| {
        let text =
            format!("can't start again without ${TOKEN_VARIABLE} in the environment: {e}; use telegram.token_file");
        Fatal::new(ExitCode::Internal, text)
    };
    let (reader, mut writer) = std::io::pipe().map_err(failed)?;
    // Far below a pipe's capacity, so this does not wait for a reader; what is longer is no token anyway.
    let bytes = token.as_encoded_bytes();
    writer.write_all(&bytes[..bytes.len().min(policy::TOKEN_BYTES_MAX as usize)]).map_err(failed)?;
    drop(writer);
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_else(|| "mainstay".into());
    let error = std::process::Command::new(std::env::current_exe().map_err(failed)?)
        .arg0(name)
        .args(args)
        .env_remove(TOKEN_VARIABLE)
        .env(ON_STDIN_VARIABLE, "1")
        .stdin(reader)
        .exec();
    Err(failed(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_told_from_what_is_none_without_repeating_it() {
        let token = Token::new(" 123456:AAF-abc_defGHI1234567890\n").unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(token.expose(), "123456:AAF-abc_defGHI1234567890");
        assert_eq!(token.secret(), "AAF-abc_defGHI1234567890");
        assert_eq!(token.bot_id(), 123_456);
        for wrong in [
            "",
            "123456",
            "x:AAFabcdefGHI1234567890",
            ":AAFabcdefGHI123",
            "1:short",
            "1:with space 123456",
            "1:ünïcödeünïcöde",
        ] {
            let Err(why) = Token::new(wrong) else { panic!("{wrong:?} is a token") };
            assert!(wrong.is_empty() || !why.contains(wrong));
        }
    }

    #[test]
    fn the_file_is_trimmed_and_a_readable_one_is_remarked() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("token");
        std::fs::write(&path, "7:abcdefghijklmnopqrstuvwxyz\n").expect("write");
        for (mode, warned) in [(0o600, false), (0o640, true), (0o604, true)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("chmod");
            let found = find(Some(&path)).unwrap_or_else(|fatal| panic!("{fatal}"));
            assert_eq!(found.token.bot_id(), 7);
            assert_eq!(found.warning.is_some(), warned, "{mode:o}");
        }
        std::fs::write(&path, "my-secret-that-is-no-token").expect("write");
        let Err(fatal) = find(Some(&path)) else { panic!("no token") };
        assert_eq!(fatal.code, ExitCode::TokenUnreadable);
        assert!(!fatal.text.contains("my-secret"), "{fatal}");
        let Err(fatal) = find(None) else { panic!("no place") };
        assert!(fatal.text.starts_with("there is no bot token"), "{fatal}");
    }
}
