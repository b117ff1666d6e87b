//! The least daemon (c): a line on a Unix socket becomes one durable row and is answered; what is there is committed
//! together. One thread. It parses nothing, decides nothing, logs nothing.

use crate::floors::Rows;
use rustix::event::epoll;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Serves for ever.
pub(crate) fn serve(socket: &Path, database: &Path) {
    let listener = UnixListener::bind(socket).expect("bind");
    let mut rows = Rows::open(database);
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).expect("epoll");
    epoll::add(&epoll, &listener, epoll::EventData::new_u64(0), epoll::EventFlags::IN).expect("add");
    let mut clients: BTreeMap<u64, UnixStream> = BTreeMap::new();
    let mut newest = 0;
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; 65_536];
    loop {
        events.clear();
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None).expect("wait");
        let mut asked: Vec<(u64, i64)> = Vec::new();
        for event in &events {
            let who = event.data.u64();
            if who == 0 {
                let (stream, _) = listener.accept().expect("accept");
                newest += 1;
                let data = epoll::EventData::new_u64(newest);
                epoll::add(&epoll, &stream, data, epoll::EventFlags::IN).expect("add");
                clients.insert(newest, stream);
                continue;
            }
            let Some(stream) = clients.get_mut(&who) else { continue };
            match stream.read(&mut buffer) {
                Ok(0) | Err(_) => drop(clients.remove(&who)),
                Ok(n) => {
                    if asked.is_empty() {
                        rows.begin();
                    }
                    // The clients of this bench write whole lines.
                    let text = std::str::from_utf8(&buffer[..n]).expect("text");
                    asked.extend(text.lines().map(|line| (who, rows.add(line))));
                }
            }
        }
        if asked.is_empty() {
            continue;
        }
        rows.commit();
        for (who, row) in asked {
            let answer = format!("{{\"ok\":true,\"text\":\"row {row}\"}}\n");
            if let Some(stream) = clients.get_mut(&who) {
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    }
}
