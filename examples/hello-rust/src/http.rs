//! One HTTP/1.1 conversation as a state machine without input and output of its
//! own: the event loop appends to `input`, calls `step`, and sends `output`.

use crate::sha256::Sha256;

/// The largest head, and how much is buffered each way.
pub const SIZE: usize = 16384;

enum State {
    Head,
    /// A body of which `left` bytes are still to come.
    Body {
        left: u64,
        to: Sink,
    },
    /// Bytes of the generated stream to send.
    Bytes {
        at: u64,
        end: u64,
    },
}

/// What becomes of a body.
enum Sink {
    Echo,
    Hash(Sha256),
    /// It is dropped, and then this is answered.
    Answer(&'static str, &'static str),
}

pub struct Http {
    state: State,
    /// No further request follows.
    pub close_after: bool,
    pub input: Vec<u8>,
    pub output: Vec<u8>,
}

impl Http {
    pub fn new() -> Http {
        Http {
            state: State::Head,
            close_after: false,
            input: Vec::new(),
            output: Vec::new(),
        }
    }

    /// Tells whether the answer to the last request is complete.
    pub fn idle(&self) -> bool {
        matches!(self.state, State::Head)
    }

    /// Moves on as far as the input and the room in the output allow; answers
    /// false if it needs more input.
    pub fn step(&mut self) -> bool {
        if self.output.len() > SIZE / 2 {
            return true;
        }
        match std::mem::replace(&mut self.state, State::Head) {
            State::Head => self.close_after || self.head(),
            State::Body { left, to } => self.body(left, to),
            State::Bytes { at, end } => {
                let until = end.min(at + SIZE as u64);
                self.output.extend((at..until).map(generated));
                if until < end {
                    self.state = State::Bytes { at: until, end };
                }
                true
            }
        }
    }

    fn put_head(&mut self, status: &str, kind: &str, length: u64) {
        let close = if self.close_after {
            "Connection: close\r\n"
        } else {
            ""
        };
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n",
            status, kind, length, close
        );
        self.output.extend_from_slice(head.as_bytes());
    }

    fn put_text(&mut self, status: &str, text: &str) {
        self.put_head(status, "text/plain; charset=utf-8", text.len() as u64);
        self.output.extend_from_slice(text.as_bytes());
    }

    fn refuse(&mut self, status: &str, text: &str) -> bool {
        self.close_after = true;
        self.input.clear();
        self.put_text(status, text);
        true
    }

    fn head(&mut self) -> bool {
        let end = match self.input.windows(4).position(|w| w == b"\r\n\r\n") {
            Some(end) => end,
            None if self.input.len() < SIZE => return false,
            None => {
                return self.refuse(
                    "431 Request Header Fields Too Large",
                    "the head is above 16384 bytes\n",
                )
            }
        };
        let head = String::from_utf8_lossy(&self.input[..end]).into_owned();
        self.input.drain(..end + 4);
        self.request(&head)
    }

    fn request(&mut self, head: &str) -> bool {
        let mut words = head.lines().next().unwrap_or("").split(' ');
        let (method, path, version) = match (words.next(), words.next(), words.next(), words.next())
        {
            (Some(m), Some(p), Some(v), None) if v.starts_with("HTTP/1.") => (m, p, v),
            _ => {
                return self.refuse(
                    "400 Bad Request",
                    "the request line is not METHOD PATH HTTP/1.x\n",
                )
            }
        };
        self.close_after = version == "HTTP/1.0" || has_word(head, "connection", "close");
        if header(head, "transfer-encoding").is_some() {
            return self.refuse(
                "411 Length Required",
                "send a Content-Length; chunked bodies are not taken\n",
            );
        }
        let left: u64 = match header(head, "content-length").map(str::parse) {
            None => 0,
            Some(Ok(n)) => n,
            Some(Err(_)) => return self.refuse("400 Bad Request", "Content-Length is no number\n"),
        };
        if left > 0 && has_word(head, "expect", "100-continue") {
            self.output
                .extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let bytes = path
            .strip_prefix("/bytes/")
            .and_then(|n| n.parse().ok())
            .filter(|n| *n < 1 << 60);
        let to = match (method, path, bytes) {
            ("GET", "/", _) => Sink::Answer("200 OK", "Hello from wasi/wasm\n"),
            ("GET", _, Some(end)) if left == 0 => {
                self.put_head("200 OK", "application/octet-stream", end);
                self.state = State::Bytes { at: 0, end };
                return true;
            }
            ("POST", "/sha256", _) => Sink::Hash(Sha256::new()),
            ("POST", "/echo", _) => {
                self.put_head("200 OK", "application/octet-stream", left);
                Sink::Echo
            }
            _ => {
                // The answer to HEAD has no body.
                self.close_after |= method != "GET" && method != "POST";
                Sink::Answer(
                    "404 Not Found",
                    "there are GET /, GET /bytes/N, POST /sha256, POST /echo\n",
                )
            }
        };
        self.state = State::Body { left, to };
        true
    }

    fn body(&mut self, left: u64, mut to: Sink) -> bool {
        let n = self.input.len().min(left.try_into().unwrap_or(usize::MAX));
        match &mut to {
            Sink::Echo => self.output.extend_from_slice(&self.input[..n]),
            Sink::Hash(hash) => hash.write(&self.input[..n]),
            Sink::Answer(..) => {}
        }
        self.input.drain(..n);
        let left = left - n as u64;
        if left > 0 {
            self.state = State::Body { left, to };
            return n > 0;
        }
        match to {
            Sink::Echo => {}
            Sink::Hash(hash) => self.put_text("200 OK", &hash.hex()),
            Sink::Answer(status, text) => self.put_text(status, text),
        }
        true
    }
}

/// A byte of the stream of /bytes/N: word k of 8 bytes, little-endian, is
/// output k of SplitMix64 seeded with 0.
fn generated(offset: u64) -> u8 {
    let mut z = (offset / 8 + 1).wrapping_mul(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d049bb133111eb);
    ((z ^ z >> 31) >> (8 * (offset % 8))) as u8
}

/// A header's value; the name is in lower case.
fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (n, value) = line.split_once(':')?;
        n.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn has_word(head: &str, name: &str, word: &str) -> bool {
    header(head, name).map_or(false, |v| {
        v.split(',').any(|w| w.trim().eq_ignore_ascii_case(word))
    })
}
