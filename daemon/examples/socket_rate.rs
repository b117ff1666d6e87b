//! How many requests a second the local socket carries, without any work behind it: the adapter's own cost.
//!
//! `cargo run --release -p mainstay --example socket_rate [connections] [seconds]`. The clients run in a second process
//! (this one, started again), so that the server's CPU time is its own; it is printed per request.

#![expect(clippy::disallowed_methods, reason = "a measuring program reads clocks")]

use mainstay::ports::{Answer, Control, ControlInput};
use mainstay::real::control::{LocalControl, SOCKET_NAME};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.get(1).is_some_and(|a| a == "clients") {
        return clients(Path::new(&args[2]), args[3].parse().expect("connections"), args[4].parse().expect("requests"));
    }
    let connections: usize = args.get(1).map_or(64, |a| a.parse().expect("connections"));
    let requests: usize = args.get(2).map_or(400_000, |a| a.parse().expect("requests"));
    let dir = tempfile::tempdir().expect("tempdir");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    runtime.block_on(serve(dir.path(), connections, requests));
}

async fn serve(dir: &Path, connections: usize, requests: usize) {
    let control = LocalControl::listen(dir).expect("listen");
    let mut child = std::process::Command::new("/proc/self/exe")
        .args(["clients", &dir.join(SOCKET_NAME).to_string_lossy(), &connections.to_string(), &requests.to_string()])
        .spawn()
        .expect("spawn");
    let (mut served, mut turns, mut start, mut cpu) = (0, 0_u32, None, 0);
    while served < requests / connections * connections {
        let first = control.next().await;
        start.get_or_insert_with(|| {
            cpu = cpu_ns();
            std::time::Instant::now()
        });
        turns += 1;
        for input in std::iter::once(first).chain(control.ready()) {
            if let ControlInput::Request(request) = input {
                served += 1;
                let data = serde_json::json!({ "task": served, "state": "REQUESTED" });
                let text = format!("task {served} is REQUESTED: waits for 1 approval");
                control.answer(request.connection, Answer { ok: true, text, data });
            }
        }
    }
    let seconds = start.expect("started").elapsed().as_secs_f64();
    let cpu = (cpu_ns() - cpu) as f64 / served as f64 / 1e3;
    child.wait().expect("wait");
    println!(
        "{connections} connections: {served} requests in {seconds:.2} s = {:.0}/s; {:.1} a turn; {cpu:.2} us CPU each in the server",
        served as f64 / seconds,
        served as f64 / f64::from(turns),
    );
}

fn cpu_ns() -> i64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Writes to each connection in turn, then reads from each: every connection has one request under way.
fn clients(socket: &Path, connections: usize, requests: usize) {
    let mut streams: Vec<BufReader<UnixStream>> =
        (0..connections).map(|_| BufReader::new(UnixStream::connect(socket).expect("connect"))).collect();
    let mut line = String::new();
    for round in 0..requests / connections {
        for (n, stream) in streams.iter_mut().enumerate() {
            let request = format!(
                "{{\"v\":1,\"key\":\"{round:016x}{n:016x}\",\"argv\":[\"newtask\",\"build\",\"main branch, release profile\"]}}\n"
            );
            stream.get_mut().write_all(request.as_bytes()).expect("write");
        }
        for stream in &mut streams {
            line.clear();
            stream.read_line(&mut line).expect("read");
        }
    }
}
