//! What polls bring.

use super::{ANN, BOT, CHAT, IMPATIENT, PATIENT, Site, TOKEN, kind, long_poll, text};
use mainstay::input::{Incoming, IncomingKind};
use mainstay::ports::{Call, CallErrorKind, Outgoing, Poll};
use mainstay_sim::botapi::{
    Answer, Effect, Fault, MessageId, Method, Methods, Outcome, Request, UpdateId, Verdict, World, handle,
};
use serde_json::json;
use std::time::Duration;
use teloxide_core::types::{Update, UpdateKind};

pub(crate) async fn updates_come_in_order_until_a_higher_offset_arrives(site: &Site<'_>) {
    site.people(|people| ["a", "b", "c"].map(|text| people.say(ANN, CHAT, text)));
    let first = Poll { offset: None, timeout: Duration::ZERO, give_up: PATIENT };
    let updates = site.telegram.poll(first).await.expect("the server is well");
    assert_eq!(texts(&updates), ["a", "b", "c"]);
    let ids: Vec<u32> = updates.iter().map(|update| update.id.0).collect();
    assert_eq!(ids, [ids[0], ids[0] + 1, ids[0] + 2]);
    assert_eq!(texts(&site.poll(number(ids[0])).await), ["a", "b", "c"]);
    assert_eq!(texts(&site.poll(number(ids[1])).await), ["b", "c"]);
    assert_eq!(texts(&site.poll(number(ids[2]) + 1).await), [""; 0]);
    assert_eq!(texts(&site.poll(1).await), [""; 0]);
}

pub(crate) async fn a_poll_without_updates_ends_empty(site: &Site<'_>) {
    let updates = site.telegram.poll(long_poll(1, Duration::from_secs(1), PATIENT)).await;
    assert_eq!(updates, Ok(Vec::new()));
    // One that waits is answered by the first update.
    let waiting = site.telegram.poll(long_poll(2, Duration::from_secs(50), PATIENT));
    let say = async {
        site.until(is_poll_waiting).await;
        site.people(|people| people.say(ANN, CHAT, "now"));
    };
    let (updates, ()) = tokio::join!(waiting, say);
    assert_eq!(texts(&updates.expect("the server is well")), ["now"]);
}

pub(crate) async fn every_kind_that_is_read_comes_and_no_other(site: &Site<'_>) {
    site.poll(1).await;
    let card = site.send(Outgoing { buttons: vec![vec![("Why".into(), "n1".into())]], ..text("card") }).await;
    site.people(|people| {
        let said = people.say(ANN, CHAT, "said");
        people.edit(CHAT, said, "edited");
        people.press(ANN, CHAT, MessageId(card.into()), "Why").expect("the button is there");
        let channel = people.channel("News");
        let post = people.say_as_chat(channel, "post");
        people.edit(channel, post, "an edited post is nothing to us");
        people.block(ANN);
    });
    let kinds = site.poll(2).await.iter().map(|update| Incoming::read(BOT.0, update).what).collect::<Vec<_>>();
    let expected = |i: usize| match &kinds[i] {
        IncomingKind::Message { text, .. } => text == "said" && i == 0,
        IncomingKind::Edited { .. } => i == 1,
        IncomingKind::Press { data, .. } => data == "n1" && i == 2,
        IncomingKind::Anonymous { .. } => i == 3,
        IncomingKind::Membership { present, .. } => !present && i == 4,
        IncomingKind::Migrated { .. } | IncomingKind::Unsupported => false,
    };
    assert_eq!(kinds.len(), 5, "{kinds:?}");
    assert!((0..5).all(expected), "{kinds:?}");
}

pub(crate) async fn a_strangers_list_of_kinds_is_replaced_by_the_next_poll(site: &Site<'_>) {
    let card = site.send(Outgoing { buttons: vec![vec![("Why".into(), "n1".into())]], ..text("card") }).await;
    let press = || site.people(|people| people.press(ANN, CHAT, MessageId(card.into()), "Why"));
    site.poll(1).await;
    somebody_polls(site, json!({ "offset": 2, "allowed_updates": ["message"] }));
    press().expect("the button is there");
    assert_eq!(site.poll(3).await.len(), 0, "the server never made an update of it");
    press().expect("the button is there");
    assert_eq!(site.poll(4).await.len(), 1);
}

pub(crate) async fn stale_offsets_still_deliver(site: &Site<'_>) {
    site.people(|people| people.say(ANN, CHAT, "first"));
    let updates = site.poll(1).await;
    let next = number(updates[0].id.0) + 1;
    let rebases = [
        ("the same numbering", None, next),
        ("an offset from another life, far too high", None, next + 600_000_000),
        ("an offset far too low", None, 7),
        ("numbered anew, downwards", Some(117_314_199), next),
        ("numbered anew, upwards", Some(2_000_000_123), 117_314_200),
    ];
    for (what, rebased, offset) in rebases {
        if let Some(rebased) = rebased {
            site.people(|people| people.rebase_updates(BOT, UpdateId(rebased)));
        }
        site.people(|people| people.say(ANN, CHAT, what));
        let updates = site.poll(offset).await;
        assert_eq!(texts(&updates), [what]);
        if let Some(rebased) = rebased {
            assert_eq!(i64::from(updates[0].id.0), rebased);
        }
        assert_eq!(site.poll(number(updates[0].id.0) + 1).await, [], "{what}");
    }
}

pub(crate) async fn unknown_kinds_come_with_their_ids_and_content(site: &Site<'_>) {
    site.people(|people| {
        people.say(ANN, CHAT, "before");
        people.unknown_update(BOT, "telepathy", json!({ "mood": "🦀", "numbers": [1, -2, 9_007_199_254_740_993_i64] }));
        people.unknown_update(BOT, "message", json!({ "message_id": "not even a number" }));
        people.say(ANN, CHAT, "after");
    });
    let updates = site.poll(1).await;
    let ids: Vec<u32> = updates.iter().map(|update| update.id.0).collect();
    assert_eq!(ids, (ids[0]..ids[0] + 4).collect::<Vec<_>>());
    assert_eq!(texts(&updates), ["before", "after"]);
    for (update, field) in [(&updates[1], "telepathy"), (&updates[2], "message")] {
        let UpdateKind::Error(raw) = &update.kind else { panic!("{update:?}") };
        assert!(raw.get(field).is_some(), "{raw}");
        assert_eq!(Incoming::read(BOT.0, update).what, IncomingKind::Unsupported);
    }
    let UpdateKind::Error(raw) = &updates[1].kind else { unreachable!("just seen") };
    assert_eq!(raw["telepathy"]["numbers"][2], 9_007_199_254_740_993_i64);
}

pub(crate) async fn the_largest_batch_comes_whole(site: &Site<'_>) {
    // A hundred updates of 40 kB: just under the 4 MiB at which the server cuts.
    let long = "🦀".repeat(10_000);
    site.people(|people| {
        for _ in 0..101 {
            people.say(ANN, CHAT, &long);
        }
    });
    let updates = site.poll(1).await;
    assert_eq!(updates.len(), 100);
    assert!(texts(&updates).iter().all(|text| *text == long));
    let last = number(updates[99].id.0);
    assert_eq!(site.poll(last + 1).await.len(), 1);
}

pub(crate) async fn a_half_open_poll_is_given_up_and_calls_go_on(site: &Site<'_>) {
    // Half-open from the start, and while it already waits.
    for (n, waits) in [(1, false), (2, true)] {
        let fail = || site.world(|world, _| world.faults.always(Methods::Only(Method::GetUpdates), Fault::HalfOpen));
        if !waits {
            fail();
        }
        let (mut calls, mut ended) = (0, false);
        let poll = async {
            let result = site.telegram.poll(long_poll(n, Duration::from_secs(50), 2 * IMPATIENT)).await;
            ended = true;
            kind(result)
        };
        let beside = async {
            if waits {
                site.until(is_poll_waiting).await;
                fail();
            }
            site.send(text("beside")).await;
            calls += 1;
        };
        let (kind, ()) = tokio::join!(poll, beside);
        assert_eq!((kind, ended, calls), (CallErrorKind::Ambiguous, true, 1));
        site.world(|world, _| world.faults.heal());
    }
    site.people(|people| people.say(ANN, CHAT, "healed"));
    assert_eq!(texts(&site.poll(3).await), ["healed"]);
}

pub(crate) async fn failed_polls_lose_nothing(site: &Site<'_>) {
    site.people(|people| people.say(ANN, CHAT, "patience"));
    let faults = [
        (Fault::Reset(Effect::Missing), CallErrorKind::Ambiguous),
        (Fault::Reset(Effect::Taken), CallErrorKind::Ambiguous),
        (Fault::Html(502, Effect::Missing), CallErrorKind::Ambiguous),
        (Fault::Html(502, Effect::Taken), CallErrorKind::Ambiguous),
        (Fault::BadJson, CallErrorKind::Ambiguous),
        (Fault::Hang, CallErrorKind::Ambiguous),
        (Fault::HalfOpen, CallErrorKind::Ambiguous),
        (Fault::Conflict, CallErrorKind::Conflict),
        (Fault::Unauthorized, CallErrorKind::Unauthorized),
    ];
    for (n, (fault, expected)) in (1..).zip(faults) {
        site.world(|world, _| world.faults.once(Methods::Only(Method::GetUpdates), fault));
        let give_up = if matches!(fault, Fault::Hang | Fault::HalfOpen) { IMPATIENT } else { PATIENT };
        let requests = site.requests(Method::GetUpdates);
        let result = site.telegram.poll(long_poll(n, Duration::ZERO, give_up)).await;
        assert_eq!(kind(result), expected, "{fault:?}");
        assert_eq!(site.requests(Method::GetUpdates), requests + 1, "{fault:?}: no poll is repeated inside");
    }
    assert_eq!(texts(&site.poll(100).await), ["patience"]);
}

pub(crate) async fn a_second_poller_and_a_webhook_are_conflicts(site: &Site<'_>) {
    let ours = site.telegram.poll(long_poll(1, Duration::from_secs(50), PATIENT));
    let theirs = async {
        site.until(is_poll_waiting).await;
        somebody_polls(site, json!({ "offset": 2, "timeout": 50 }));
    };
    let (result, ()) = tokio::join!(ours, theirs);
    assert_eq!(kind(result), CallErrorKind::Conflict);

    site.world(|world, _| world.set_webhook(BOT, Some("https://example.org/hook")));
    let poll = long_poll(3, Duration::from_secs(1), PATIENT);
    assert_eq!(kind(site.telegram.poll(poll).await), CallErrorKind::Conflict);
    site.call(Call::GetMe).await.expect("calls go on");
}

/// Somebody else with the token polls, without waiting for what comes of it.
fn somebody_polls(site: &Site<'_>, body: serde_json::Value) {
    let request = Request {
        token: TOKEN.into(),
        method: "getUpdates".into(),
        body,
        files: std::collections::BTreeMap::new(),
        connection: 1_000_000,
    };
    let verdict = site.world(|world, now| handle(world, now, request));
    assert!(matches!(verdict, Verdict::Wait { .. } | Verdict::Answer(Answer { status: 200, .. })), "{verdict:?}");
}

fn is_poll_waiting(world: &mut World) -> bool {
    world.log().iter().any(|record| record.outcome == Outcome::Waiting)
}

/// The texts of the messages among some updates.
fn texts(updates: &[Update]) -> Vec<&str> {
    let text = |update| match update {
        &Update { kind: UpdateKind::Message(ref message), .. } => message.text(),
        _ => None,
    };
    updates.iter().filter_map(text).collect()
}

fn number(id: u32) -> i32 {
    i32::try_from(id).expect("update ids fit")
}
