//! An HTTP server on the WasmEdge sockets extension: one thread, non-blocking
//! sockets, and poll_oneoff to wait for all of them. examples/README.md says
//! what it serves.

mod http;
mod sha256;
mod sock;

use sock::{Poll, Socket, Want};
use std::process::exit;

const MAX_CONNECTIONS: usize = 4096;
/// How many turns a connection has before the others have theirs.
const TURNS: usize = 64;

struct Connection {
    socket: Socket,
    http: http::Http,
    /// What to wait for before it goes on.
    want: Want,
}

impl Connection {
    /// Moves on until it has to wait; answers false when it is over.
    fn serve(&mut self) -> bool {
        for _ in 0..TURNS {
            let moved = self.http.step();
            let done = if !self.http.output.is_empty() {
                self.want = Want::Write;
                self.socket.send(&self.http.output).map(|n| {
                    self.http.output.drain(..n);
                })
            } else if moved && self.http.close_after && self.http.idle() {
                return false;
            } else if !moved {
                let mut buffer = [0; http::SIZE];
                self.want = Want::Read;
                match self.socket.recv(&mut buffer) {
                    Ok(0) => return false,
                    Ok(n) => {
                        self.http.input.extend_from_slice(&buffer[..n]);
                        Ok(())
                    }
                    Err(e) => Err(e),
                }
            } else {
                Ok(())
            };
            match done {
                Ok(()) => {}
                Err(sock::AGAIN) => return true,
                Err(_) => return false,
            }
        }
        // Its turns are over, but not what it has to do: input may lie in the
        // buffer. A socket is nearly always ready for writing.
        self.want = Want::Write;
        true
    }
}

fn accept_all(listener: &Socket, connections: &mut Vec<Option<Connection>>) {
    while connections.len() < MAX_CONNECTIONS {
        match listener.accept() {
            Ok(socket) => {
                let mut c = Connection {
                    socket,
                    http: http::Http::new(),
                    want: Want::Read,
                };
                if c.serve() {
                    connections.push(Some(c));
                }
            }
            Err(_) => return, // nobody waits, or the one who did has left
        }
    }
}

fn main() {
    let wanted = std::env::var("PORT").unwrap_or_else(|_| "8080".into());
    let port: u16 = wanted.parse().unwrap_or_else(|_| {
        eprintln!("hello-rust: PORT is {}, want 1 to 65535", wanted);
        exit(2)
    });
    let listener = Socket::listen(port).unwrap_or_else(|e| {
        eprintln!(
            "hello-rust: can't listen on port {}: {}",
            port,
            std::io::Error::from_raw_os_error(e as i32)
        );
        exit(1)
    });
    println!("hello-rust listens on port {}", port);

    const FROM_LISTENER: u64 = u64::MAX;
    let mut connections: Vec<Option<Connection>> = Vec::new();
    let (mut poll, mut ready) = (Poll::default(), Vec::new());
    loop {
        for (i, c) in connections.iter().enumerate() {
            if let Some(c) = c {
                poll.add(i as u64, &c.socket, c.want);
            }
        }
        if connections.len() < MAX_CONNECTIONS {
            poll.add(FROM_LISTENER, &listener, Want::Read);
        }
        if let Err(e) = poll.wait(&mut ready) {
            eprintln!(
                "hello-rust: can't wait: {}",
                std::io::Error::from_raw_os_error(e as i32)
            );
            exit(1);
        }
        for &who in ready.iter().filter(|&&who| who != FROM_LISTENER) {
            let slot = &mut connections[who as usize];
            if !slot.as_mut().map_or(true, Connection::serve) {
                *slot = None;
            }
        }
        connections.retain(Option::is_some);
        if ready.contains(&FROM_LISTENER) {
            accept_all(&listener, &mut connections);
        }
    }
}
