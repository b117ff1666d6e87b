//! The names of facts.

use super::Fact;

impl Fact {
    /// The names of all, in the order of the enum.
    pub const KINDS: [&'static str; 51] = [
        "booted",
        "stopping",
        "mode_set",
        "bot_known",
        "poll_broke",
        "poll_recovered",
        "poll_contested",
        "storage_recovered",
        "disk_low",
        "disk_well",
        "clock_stepped",
        "alert_raised",
        "alert_over",
        "backed_up",
        "backup_failed",
        "released",
        "restored",
        "violation",
        "pruned",
        "received",
        "replayed",
        "passed_over",
        "refused",
        "requested",
        "approved",
        "voided",
        "rejected",
        "planned",
        "reviewed",
        "resumed",
        "stopped",
        "expired",
        "recovered",
        "claimed",
        "identified",
        "start_failed",
        "start_again",
        "adopted",
        "stop_asked",
        "stop_overdue",
        "progress",
        "ended",
        "queued",
        "sending",
        "sent",
        "send_failed",
        "send_unknown",
        "chat_returned",
        "chat_migrated",
        "confirm_asked",
        "button_used",
    ];

    /// Its name, as in the database and in log lines.
    pub fn kind(&self) -> &'static str {
        match self {
            Fact::Booted { .. } => "booted",
            Fact::Stopping {} => "stopping",
            Fact::ModeSet { .. } => "mode_set",
            Fact::BotKnown { .. } => "bot_known",
            Fact::PollBroke { .. } => "poll_broke",
            Fact::PollRecovered { .. } => "poll_recovered",
            Fact::PollContested { .. } => "poll_contested",
            Fact::StorageRecovered { .. } => "storage_recovered",
            Fact::DiskLow { .. } => "disk_low",
            Fact::DiskWell { .. } => "disk_well",
            Fact::ClockStepped { .. } => "clock_stepped",
            Fact::AlertRaised { .. } => "alert_raised",
            Fact::AlertOver { .. } => "alert_over",
            Fact::BackedUp { .. } => "backed_up",
            Fact::BackupFailed { .. } => "backup_failed",
            Fact::Released { .. } => "released",
            Fact::Restored { .. } => "restored",
            Fact::Violation { .. } => "violation",
            Fact::Pruned { .. } => "pruned",
            Fact::Received { .. } => "received",
            Fact::Replayed { .. } => "replayed",
            Fact::PassedOver { .. } => "passed_over",
            Fact::Refused { .. } => "refused",
            Fact::Requested { .. } => "requested",
            Fact::Approved { .. } => "approved",
            Fact::Voided { .. } => "voided",
            Fact::Rejected { .. } => "rejected",
            Fact::Planned { .. } => "planned",
            Fact::Reviewed { .. } => "reviewed",
            Fact::Resumed { .. } => "resumed",
            Fact::Stopped { .. } => "stopped",
            Fact::Expired { .. } => "expired",
            Fact::Recovered { .. } => "recovered",
            Fact::Claimed { .. } => "claimed",
            Fact::Identified { .. } => "identified",
            Fact::StartFailed { .. } => "start_failed",
            Fact::StartAgain { .. } => "start_again",
            Fact::Adopted { .. } => "adopted",
            Fact::StopAsked { .. } => "stop_asked",
            Fact::StopOverdue {} => "stop_overdue",
            Fact::Progress { .. } => "progress",
            Fact::Ended { .. } => "ended",
            Fact::Queued { .. } => "queued",
            Fact::Sending { .. } => "sending",
            Fact::Sent { .. } => "sent",
            Fact::SendFailed { .. } => "send_failed",
            Fact::SendUnknown { .. } => "send_unknown",
            Fact::ChatReturned { .. } => "chat_returned",
            Fact::ChatMigrated { .. } => "chat_migrated",
            Fact::ConfirmAsked { .. } => "confirm_asked",
            Fact::ButtonUsed { .. } => "button_used",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_name_in_the_list() {
        let unknown = serde_json::from_str::<Fact>(r#"{"kind":"?","data":{}}"#).expect_err("no such kind").to_string();
        // Serde tells all that it knows.
        let known: Vec<&str> = unknown.split('`').skip(3).step_by(2).collect();
        assert_eq!(known, Fact::KINDS);
    }
}
