//! The least client: one request, one answer. Compiled by itself, so that it links nothing but the standard library.

use std::io::{Read, Write};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (socket, line) = (arguments.next().expect("socket"), arguments.next().expect("line"));
    let mut stream = std::os::unix::net::UnixStream::connect(socket).expect("connect");
    stream.write_all((line + "\n").as_bytes()).expect("write");
    let mut answer = [0; 4096];
    let n = stream.read(&mut answer).expect("read");
    std::io::stdout().write_all(&answer[..n]).expect("print");
}
