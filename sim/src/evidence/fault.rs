//! Faults that struck, and when something fresh first went through after each: a command that was given when its cause was
//! gone, and was answered in its chat. The probe sees to it that there is one.

use super::replies::Replies;
use crate::fault::{Fault, To};
use crate::people::How;
use crate::probe::{Probe, over_ms};
use crate::run::Run;
use crate::run::days::telegram_class;
use mainstay_metric::ledger::{self, Line};

/// A line a fault.
pub(super) fn lines(run: &Run, probe: &Probe, replies: &Replies) -> Vec<Line> {
    // What was said in chats and answered there: when, and when the answer came. By the former.
    let people = run.people.given().iter().filter_map(|given| match &given.how {
        How::Said { .. } => replies.to(given).map(|reply| (given.at, reply.at)),
        How::Pressed { .. } | How::Asked { .. } => None,
    });
    let probes = probe
        .said
        .iter()
        .filter_map(|(at, message)| replies.to_message(Probe::chat(), *message).map(|reply| (*at, reply.at)));
    let trips: Vec<(i64, i64)> = people.chain(probes).collect();
    let one = |(struck_ms, fault): &(i64, Fault)| {
        let over_ms = over_ms(fault, *struck_ms);
        let recovered_ms = trips.iter().filter(|(said, _)| *said >= over_ms).map(|(_, answered)| *answered).min();
        Line::Fault(ledger::Fault {
            class: class(fault),
            polls: keeps_polls(fault),
            struck_ms: *struck_ms,
            over_ms,
            recovered_ms,
            by_hand: by_hand(run.calm_ms, over_ms, recovered_ms),
        })
    };
    run.watch.struck().iter().map(one).collect()
}

/// At the end of a run everything is put in order from outside, daemons are started among it. What came back only then, long
/// after its cause was gone, did not come back by itself.
fn by_hand(calm_ms: Option<i64>, over_ms: i64, recovered_ms: Option<i64>) -> bool {
    const BY_ITSELF_MS: i64 = 10 * 60_000;
    calm_ms.is_some_and(|calm| calm > over_ms + BY_ITSELF_MS && recovered_ms.is_none_or(|recovered| recovered >= calm))
}

fn class(fault: &Fault) -> String {
    if let Fault::Telegram { answer, .. } = fault {
        return format!("telegram-{}", telegram_class(answer));
    }
    fault.name().to_owned()
}

/// Whether polls are not answered, or not with what was said. A slow answer is one.
fn keeps_polls(fault: &Fault) -> bool {
    match fault {
        Fault::Telegram { to: To::Sends, .. } => false,
        Fault::Telegram { answer, .. } => answer != "slow",
        Fault::LineCut { .. } | Fault::OtherPoller { .. } => true,
        Fault::LineSlow { .. }
        | Fault::DaemonKilled { .. }
        | Fault::DaemonStopped { .. }
        | Fault::PowerLoss { .. }
        | Fault::UpdateRepeated { .. }
        | Fault::UpdatesRenumbered {}
        | Fault::UpdateUnknown {}
        | Fault::ChatGone { .. }
        | Fault::ShimKilled { .. }
        | Fault::StartsFail { .. }
        | Fault::ProcessStuck { .. }
        | Fault::DiskFails { .. }
        | Fault::DiskFull { .. }
        | Fault::ClockSet { .. }
        | Fault::ClockDrifts { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::by_hand;

    #[test]
    fn what_comes_back_only_when_all_is_put_in_order_did_not_by_itself() {
        let minute = 60_000;
        assert!(!by_hand(Some(100 * minute), 10 * minute, Some(11 * minute)));
        assert!(by_hand(Some(100 * minute), 10 * minute, Some(101 * minute)));
        assert!(by_hand(Some(100 * minute), 10 * minute, None));
        // Nobody had the time.
        assert!(!by_hand(Some(100 * minute), 99 * minute, Some(101 * minute)));
        assert!(!by_hand(None, 10 * minute, None));
    }
}
