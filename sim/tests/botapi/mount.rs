//! The mount on a connection that is no socket, in time that is no time: as a simulation uses it.

use mainstay_sim::botapi::http::{Clock, Ended, Shared, serve_connection};
use mainstay_sim::botapi::{ChatId, Effect, Fault, Methods, Millis, UserId, World};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::{Duration, Instant};

const START: Millis = Millis::from_secs(1_700_000_000);

fn shared() -> Shared {
    let mut world = World::new(5);
    world.add_bot("42:secret", "Mainstay", "mainstay_bot");
    world.people(START).acquaintance(UserId(7), "Ann");
    Shared::new(world)
}

/// Simulated time: tokio's, which is paused.
fn clock() -> Clock {
    let start = Instant::now();
    Clock::new(move || START.plus(Millis(u64::try_from(start.elapsed().as_millis()).unwrap())))
}

/// Asks over a connection and reads until a whole answer is there.
async fn ask(client: &mut DuplexStream, path: &str) -> String {
    let request = format!("GET /bot42:secret/{path} HTTP/1.1\r\nHost: x\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}") {
        if client.read_buf(&mut answer).await.unwrap() == 0 {
            break;
        }
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_takes_its_whole_time_and_no_real_time() {
    let (mut client, server) = duplex(65_536);
    let (shared, clock) = (shared(), clock());
    let before = Instant::now();
    let conversation = async {
        let answer = ask(&mut client, "getUpdates?timeout=50").await;
        assert_eq!(before.elapsed(), Duration::from_secs(50));
        assert!(answer.ends_with("{\"ok\":true,\"result\":[]}"), "{answer}");
        assert!(!answer.to_lowercase().contains("date:"), "{answer}");
        // The same connection goes on, and is woken before its time.
        let wake = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            shared.change(|world| world.people(clock.now()).say(UserId(7), ChatId(7), "hello"));
        };
        let (answer, ()) = tokio::join!(ask(&mut client, "getUpdates?timeout=50"), wake);
        assert_eq!(before.elapsed(), Duration::from_secs(55));
        assert!(answer.contains("\"text\":\"hello\""), "{answer}");
        drop(client);
    };
    let (ended, ()) = tokio::join!(serve_connection(server, &shared, &clock), conversation);
    assert!(matches!(ended, Ended::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_reset_gives_the_connection_back_to_whoever_knows_how_to_reset_it() {
    let (mut client, server) = duplex(65_536);
    let (shared, clock) = (shared(), clock());
    let conversation = async {
        assert!(ask(&mut client, "getMe").await.contains("mainstay_bot"));
        shared.change(|world| world.faults.once(Methods::All, Fault::Reset(Effect::Missing)));
        ask(&mut client, "getMe").await
    };
    let serve = async {
        let Ended::Reset(connection) = serve_connection(server, &shared, &clock).await else {
            panic!("the connection was to be reset")
        };
        drop(connection);
    };
    let ((), answer) = tokio::join!(serve, conversation);
    assert_eq!(answer, "");
}
