//! Reads parameters out of HTTP bodies: JSON, multipart forms with files, url-encoded forms, and query strings.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::request::File;

/// Parameters as they came.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) fields: Map<String, Value>,
    pub(super) files: BTreeMap<String, File>,
}

impl Form {
    /// Reads a request; none if the body is not what its content type says.
    pub(super) fn read(query: &str, content_type: &str, body: &[u8]) -> Option<Self> {
        let mut form = Self::default();
        form.add_url_encoded(query);
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        match kind {
            "application/json" if !body.is_empty() => match serde_json::from_slice(body).ok()? {
                Value::Object(fields) => form.fields.extend(fields),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return None,
            },
            "application/x-www-form-urlencoded" => form.add_url_encoded(std::str::from_utf8(body).ok()?),
            "multipart/form-data" => form.add_multipart(boundary(content_type)?, body)?,
            _ => (),
        }
        Some(form)
    }

    fn add_url_encoded(&mut self, text: &str) {
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.fields.insert(url_decode(key), Value::String(url_decode(value)));
        }
    }

    fn add_multipart(&mut self, boundary: &str, body: &[u8]) -> Option<()> {
        let delimiter = format!("--{boundary}");
        let mut rest = &body[find(body, delimiter.as_bytes())? + delimiter.len()..];
        let next = format!("\r\n{delimiter}");
        while !rest.starts_with(b"--") {
            let end = find(rest, next.as_bytes())?;
            self.add_part(rest.get(2..end)?)?;
            rest = &rest[end + next.len()..];
        }
        Some(())
    }

    fn add_part(&mut self, part: &[u8]) -> Option<()> {
        let split = find(part, b"\r\n\r\n")?;
        let head = std::str::from_utf8(&part[..split]).ok()?;
        let bytes = &part[split + 4..];
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, v)| v.trim())
        };
        let disposition = header("content-disposition")?;
        let name = parameter(disposition, "name")?;
        match parameter(disposition, "filename") {
            Some(file_name) => {
                let mime = header("content-type").unwrap_or("application/octet-stream").to_owned();
                self.files.insert(name, File { name: file_name, mime, bytes: bytes.to_vec() });
            }
            None => {
                self.fields.insert(name, Value::String(std::str::from_utf8(bytes).ok()?.to_owned()));
            }
        }
        Some(())
    }
}

fn boundary(content_type: &str) -> Option<&str> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    Some(boundary.split(';').next()?.trim().trim_matches('"'))
}

/// A parameter of a header, such as `name="document"`, or `name*=utf-8''...` as clients write what is not ASCII.
fn parameter(header: &str, key: &str) -> Option<String> {
    let mut rest = header.split_once(';')?.1;
    while let Some((name, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquote(quoted),
            None => {
                let (value, after) = value.split_once(';').unwrap_or((value, ""));
                (value.trim().to_owned(), after)
            }
        };
        let name = name.trim_start_matches([';', ' ']);
        if name.eq_ignore_ascii_case(key) {
            return Some(value.replace("%22", "\""));
        }
        if name.strip_suffix('*').is_some_and(|name| name.eq_ignore_ascii_case(key)) {
            return value.split_once("''").map(|(_, encoded)| url_decode(encoded));
        }
        rest = after;
    }
    None
}

/// The text up to the closing quote, and what follows.
fn unquote(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => text.extend(characters.next().map(|(_, escaped)| escaped)),
            other => text.push(other),
        }
    }
    (text, "")
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}

fn url_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(decoded_byte)) => {
                decoded.push(decoded_byte);
                at += 2;
            }
            (b'+', _) => decoded.push(b' '),
            (other, _) => decoded.push(*other),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed parse is the test's failure")]
mod tests {
    use super::*;

    #[test]
    fn multipart_gives_fields_as_strings_and_files_with_their_bytes() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"chat_id\"\r\n\r\n7\r\n\
            --x\r\nContent-Disposition: form-data; name=\"document\"; filename=\"a b.txt\"\r\nContent-Type: text/plain\r\n\r\n\
            two\r\n--lines\r\n--x--\r\n";
        let form = Form::read("", "multipart/form-data; boundary=x", body).unwrap();
        assert_eq!(form.fields["chat_id"], "7");
        let file =
            File { name: "a b.txt".to_owned(), mime: "text/plain".to_owned(), bytes: b"two\r\n--lines".to_vec() };
        assert_eq!(form.files["document"], file);
    }

    #[test]
    fn file_names_survive_quotes_semicolons_and_other_alphabets() {
        let cases = [
            ("form-data; name=\"x\"; filename=\"a; b=c.txt\"", "a; b=c.txt"),
            (r#"form-data; filename="say \"hi\".txt"; name="x""#, "say \"hi\".txt"),
            ("form-data; name=\"x\"; filename*=utf-8''%C3%A4.txt", "\u{e4}.txt"),
        ];
        for (header, expected) in cases {
            assert_eq!(parameter(header, "filename").as_deref(), Some(expected), "{header}");
            assert_eq!(parameter(header, "name").as_deref(), Some("x").filter(|_| header.contains(" name=")));
        }
    }

    #[test]
    fn a_body_that_is_not_what_it_says_is_refused() {
        for (kind, body) in [
            ("application/json", "{\"chat_id\":"),
            ("application/json", "[]"),
            ("multipart/form-data", "--x--"),
            ("multipart/form-data; boundary=x", "--x\r\nno end"),
        ] {
            assert!(Form::read("", kind, body.as_bytes()).is_none(), "{kind} {body}");
        }
    }

    #[test]
    fn query_strings_and_forms_are_decoded() {
        let form = Form::read("a=1%2B1+is&b", "application/x-www-form-urlencoded", b"c=%E2%82%AC").unwrap();
        assert_eq!(Value::Object(form.fields), serde_json::json!({ "a": "1+1 is", "b": "", "c": "\u{20ac}" }));
    }
}
