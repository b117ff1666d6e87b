//! Faults: what the client gets, and whether the request took effect.

use super::*;

/// Sends a message under a fault: the verdict, and how many messages there are now.
fn send_under(fault: Fault) -> (Verdict, usize) {
    let mut bench = Bench::new();
    bench.world.faults.once(Methods::Only(Method::SendMessage), fault);
    let verdict = bench.ask("sendMessage", json!({ "chat_id": 7, "text": "x" }));
    let sent = bench.world.screen(CHAT).messages.len();
    bench.send(CHAT, "the rule is used up");
    (verdict, sent)
}

fn status(verdict: &Verdict) -> Option<u16> {
    match verdict {
        Verdict::Answer(answer) => Some(answer.status),
        Verdict::Wait { .. } | Verdict::Hang | Verdict::Reset => None,
    }
}

#[test]
fn each_fault_gives_its_answer_and_has_its_effect_or_not() {
    let table = [
        (Fault::Reset(Effect::Missing), None, 0),
        (Fault::Reset(Effect::Taken), None, 1),
        (Fault::Hang, None, 0),
        (Fault::HalfOpen, None, 1),
        (Fault::Html(502, Effect::Missing), Some(502), 0),
        (Fault::Html(500, Effect::Taken), Some(500), 1),
        (Fault::RetryAfter(41), Some(429), 0),
        (Fault::Unauthorized, Some(401), 0),
        (Fault::Conflict, Some(409), 0),
        (Fault::Slow(Millis(70)), Some(200), 1),
        (Fault::BadJson, Some(200), 1),
    ];
    for (fault, expected, sent) in table {
        let (verdict, messages) = send_under(fault);
        assert_eq!((status(&verdict), messages), (expected, sent), "{fault:?}");
    }
    assert_eq!(send_under(Fault::Reset(Effect::Taken)).0, Verdict::Reset);
    assert_eq!(send_under(Fault::HalfOpen).0, Verdict::Hang);
}

#[test]
fn slow_answers_are_right_and_late_and_bad_json_is_cut() {
    let Verdict::Answer(slow) = send_under(Fault::Slow(Millis(70))).0 else { panic!("it is answered") };
    assert_eq!(slow.delay, Millis(70));
    assert!(serde_json::from_str::<Value>(&slow.body).is_ok());
    let Verdict::Answer(bad) = send_under(Fault::BadJson).0 else { panic!("it is answered") };
    assert!(bad.body.starts_with("{\"ok\":true") && serde_json::from_str::<Value>(&bad.body).is_err());
}

#[test]
fn a_gateways_page_is_html_and_flood_control_says_how_long() {
    let Verdict::Answer(page) = send_under(Fault::Html(502, Effect::Missing)).0 else { panic!("it is answered") };
    assert!(page.content_type == "text/html" && page.body.contains("502 Bad Gateway"));
    assert_eq!(parts(&send_under(Fault::RetryAfter(41)).0).1["parameters"]["retry_after"], 41);
}

#[test]
fn a_fault_strikes_a_poll_that_already_waits() {
    for (fault, expected) in [(Fault::HalfOpen, Verdict::Hang), (Fault::Reset(Effect::Missing), Verdict::Reset)] {
        let mut bench = Bench::new();
        let (ticket, _) = bench.long_poll(0, 30);
        let rule = bench.world.faults.always(Methods::Only(Method::GetUpdates), fault);
        assert_eq!(bench.resume(ticket), expected);
        assert_eq!(bench.ask("getUpdates", json!({ "timeout": 30 })), expected);
        bench.world.faults.remove(rule);
        bench.long_poll(0, 30);
    }
}

#[test]
fn a_half_open_poll_confirms_its_offset_and_delivers_to_nobody() {
    let mut bench = Bench::new();
    bench.people().say(ANN, CHAT, "one");
    let first = bench.poll(0)[0];
    bench.world.faults.once(Methods::Only(Method::GetUpdates), Fault::HalfOpen);
    assert_eq!(bench.ask("getUpdates", json!({ "offset": first + 1, "timeout": 30 })), Verdict::Hang);
    bench.people().say(ANN, CHAT, "two");
    assert_eq!(bench.poll(first + 1), [first + 1]);
}

#[test]
fn a_reset_after_the_effect_strikes_a_poll_when_its_answer_is_there() {
    let mut bench = Bench::new();
    bench.world.faults.once(Methods::All, Fault::Reset(Effect::Taken));
    let (ticket, _) = bench.long_poll(0, 30);
    assert!(matches!(bench.resume(ticket), Verdict::Wait { .. }));
    bench.people().say(ANN, CHAT, "hello");
    assert_eq!(bench.resume(ticket), Verdict::Reset);
    assert_eq!(bench.poll(0).len(), 1);
}

#[test]
fn the_books_say_whether_a_struck_request_took_effect() {
    let mut bench = Bench::new();
    for fault in [Fault::Reset(Effect::Missing), Fault::Reset(Effect::Taken)] {
        bench.world.faults.once(Methods::All, fault);
        bench.ask("sendMessage", json!({ "chat_id": 7, "text": "x" }));
    }
    let outcomes: Vec<Outcome> = bench.world.log().iter().map(|record| record.outcome.clone()).collect();
    let expected = [
        Outcome::Struck { fault: "reset-before", took_effect: None },
        Outcome::Struck { fault: "reset-after", took_effect: Some(200) },
    ];
    assert_eq!(outcomes, expected);
}
