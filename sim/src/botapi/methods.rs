//! The methods that the server knows.

/// A method of the Bot API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// `answerCallbackQuery`
    AnswerCallbackQuery,
    /// `deleteMessage`
    DeleteMessage,
    /// `deleteWebhook`
    DeleteWebhook,
    /// `editMessageReplyMarkup`
    EditMessageReplyMarkup,
    /// `editMessageText`
    EditMessageText,
    /// `getMe`
    GetMe,
    /// `getMyCommands`
    GetMyCommands,
    /// `getUpdates`
    GetUpdates,
    /// `getWebhookInfo`
    GetWebhookInfo,
    /// `leaveChat`
    LeaveChat,
    /// `sendDocument`
    SendDocument,
    /// `sendMessage`
    SendMessage,
    /// `setMyCommands`
    SetMyCommands,
}

impl Method {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::AnswerCallbackQuery,
        Self::DeleteMessage,
        Self::DeleteWebhook,
        Self::EditMessageReplyMarkup,
        Self::EditMessageText,
        Self::GetMe,
        Self::GetMyCommands,
        Self::GetUpdates,
        Self::GetWebhookInfo,
        Self::LeaveChat,
        Self::SendDocument,
        Self::SendMessage,
        Self::SetMyCommands,
    ];

    /// Its name as documented.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AnswerCallbackQuery => "answerCallbackQuery",
            Self::DeleteMessage => "deleteMessage",
            Self::DeleteWebhook => "deleteWebhook",
            Self::EditMessageReplyMarkup => "editMessageReplyMarkup",
            Self::EditMessageText => "editMessageText",
            Self::GetMe => "getMe",
            Self::GetMyCommands => "getMyCommands",
            Self::GetUpdates => "getUpdates",
            Self::GetWebhookInfo => "getWebhookInfo",
            Self::LeaveChat => "leaveChat",
            Self::SendDocument => "sendDocument",
            Self::SendMessage => "sendMessage",
            Self::SetMyCommands => "setMyCommands",
        }
    }

    /// The method of this name, without regard to case: clients differ in how they write it.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name().eq_ignore_ascii_case(name))
    }
}
