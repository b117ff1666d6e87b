//! The status page. The daemon starts without it when its address is taken, so nothing here is wrong, only strange.

use super::code::Code;
use super::findings::Findings;
use crate::config::Config;
use crate::policy;
use crate::real::control::SOCKET_NAME;
use crate::report;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

pub(super) fn look(config: &Config, findings: &mut Findings) {
    let Some(address) = config.status else { return };
    let is_running = UnixStream::connect(config.state_dir.join(SOCKET_NAME)).is_ok();
    match (is_running, TcpListener::bind(address)) {
        (false, Ok(_)) => findings.add(Code::Page, format!("the status page can listen on {address}")),
        (true, Err(error)) if error.kind() == ErrorKind::AddrInUse && is_ours(address) => {
            findings.add(Code::Page, format!("the status page is at http://{address}/"));
        }
        (true, Ok(_)) => findings.add(
            Code::PageMissing,
            format!("status.listen: nobody listens on {address}: the running daemon has no status page before its next start"),
        ),
        (_, Err(error)) => findings.add(
            Code::PageTaken,
            format!("status.listen: {address} can't be had ({error}): without it there is no status page"),
        ),
    }
}

/// Whether what listens there answers as the page does.
fn is_ours(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, policy::CLIENT_PAGE_WITHIN)?;
        stream.set_read_timeout(Some(policy::CLIENT_PAGE_WITHIN))?;
        stream.set_write_timeout(Some(policy::CLIENT_PAGE_WITHIN))?;
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let mut head = [0; 1024];
        let n = stream.read(&mut head)?;
        Ok(String::from_utf8_lossy(&head[..n]).into_owned())
    };
    asked().is_ok_and(|head| head.contains(report::METRICS_TYPE))
}
