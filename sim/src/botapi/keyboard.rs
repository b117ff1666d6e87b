//! Inline keyboards.

use serde_json::{Value, json};

use super::request::{Args, Refusal};

/// Rows of buttons under a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Keyboard {
    pub(super) rows: Vec<Vec<Button>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Button {
    pub(super) label: String,
    /// What a press sends; none for buttons that send nothing, such as links.
    pub(super) data: Option<String>,
    raw: Value,
}

/// More buttons than this are refused.
const BUTTONS: usize = 100;

impl Keyboard {
    /// Reads `reply_markup`. The other kinds of markup are accepted and have no buttons.
    pub(super) fn of_request(args: &Args<'_>) -> Result<Self, Refusal> {
        let Some(markup) = args.structure("reply_markup")? else {
            return Ok(Self::default());
        };
        let Some(rows) = markup.get("inline_keyboard") else {
            return Ok(Self::default());
        };
        let malformed =
            || Refusal::bad_request("can't parse inline keyboard button: expected an Array of Arrays of buttons");
        let mut keyboard = Self::default();
        for row in rows.as_array().ok_or_else(malformed)? {
            let buttons = row.as_array().ok_or_else(malformed)?;
            let buttons = buttons.iter().map(Button::of_value).collect::<Result<Vec<_>, _>>()?;
            if !buttons.is_empty() {
                keyboard.rows.push(buttons);
            }
        }
        if keyboard.buttons().count() > BUTTONS {
            return Err(Refusal::bad_request("reply markup is too long"));
        }
        Ok(keyboard)
    }

    pub(super) fn buttons(&self) -> impl Iterator<Item = &Button> {
        self.rows.iter().flatten()
    }

    /// As messages carry it; none without buttons.
    pub(super) fn json(&self) -> Option<Value> {
        if self.rows.is_empty() {
            return None;
        }
        let rows: Vec<Vec<&Value>> =
            self.rows.iter().map(|row| row.iter().map(|button| &button.raw).collect()).collect();
        Some(json!({ "inline_keyboard": rows }))
    }
}

impl Button {
    fn of_value(raw: &Value) -> Result<Self, Refusal> {
        let label = raw.get("text").and_then(Value::as_str).unwrap_or_default();
        if label.is_empty() {
            return Err(Refusal::bad_request("can't parse inline keyboard button: field \"text\" must be non-empty"));
        }
        let data = raw.get("callback_data").and_then(Value::as_str);
        if data.is_some_and(|data| !(1..=64).contains(&data.len())) {
            return Err(Refusal::bad_request("BUTTON_DATA_INVALID"));
        }
        if raw.as_object().is_none_or(|fields| fields.len() < 2) {
            return Err(Refusal::bad_request(
                "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard",
            ));
        }
        Ok(Self { label: label.to_owned(), data: data.map(str::to_owned), raw: raw.clone() })
    }
}
