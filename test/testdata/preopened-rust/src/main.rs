//! An HTTP server of stock Rust alone, on the listener that the host opened.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::wasi::io::FromRawFd;

/// 0 to 2 are the standard streams and 3 is the root folder.
const FIRST_LISTENER: i32 = 4;

fn main() {
    let listener = unsafe { TcpListener::from_raw_fd(FIRST_LISTENER) };
    for connection in listener.incoming() {
        let mut connection = connection.expect("accept");
        let mut request = [0; 4096];
        if connection.read(&mut request).expect("read") > 0 {
            connection
                .write_all(b"HTTP/1.0 200 OK\r\n\r\nHello from wasi/wasm\n")
                .expect("write");
        }
    }
}
