//! The WasmEdge sockets extension of wasi_snapshot_preview1, second version
//! (the `_v2` names: an address is a buffer of 128 bytes that begins with its
//! family), and the few calls of WASI that std doesn't offer. Sources:
//! WasmEdge lib/host/wasi/wasimodule.cpp; WASI legacy/preview1/docs.md.

/// A WASI errno.
pub type Errno = u32;
/// EAGAIN: the call would have to wait.
pub const AGAIN: Errno = 6;
/// EINTR.
const INTR: Errno = 27;

#[repr(C)]
struct Slice {
    at: *const u8,
    size: u32,
}

/// A subscription to a descriptor's readiness: 48 bytes, the clock's part of
/// the union unused.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Subscription {
    userdata: u64,
    tag: u8,
    gap: [u8; 7],
    fd: u32,
    rest: [u32; 7],
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Event {
    userdata: u64,
    error: u16,
    tag: u8,
    nbytes: u64,
    flags: u16,
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn sock_open_v2(family: u32, kind: u32, fd: *mut u32) -> u32;
    fn sock_bind_v2(fd: u32, addr: *const Slice, port: u32) -> u32;
    fn sock_listen_v2(fd: u32, backlog: u32) -> u32;
    fn sock_accept_v2(fd: u32, flags: u32, connection: *mut u32) -> u32;
    fn sock_recv_v2(
        fd: u32,
        to: *const Slice,
        n: u32,
        flags: u32,
        got: *mut u32,
        out_flags: *mut u32,
    ) -> u32;
    fn sock_send_v2(fd: u32, from: *const Slice, n: u32, flags: u32, sent: *mut u32) -> u32;
    fn fd_fdstat_set_flags(fd: u32, flags: u32) -> u32;
    fn fd_close(fd: u32) -> u32;
    fn poll_oneoff(
        waits: *const Subscription,
        events: *mut Event,
        n: u32,
        happened: *mut u32,
    ) -> u32;
}

fn check(errno: Errno) -> Result<(), Errno> {
    if errno == 0 {
        Ok(())
    } else {
        Err(errno)
    }
}

/// A non-blocking socket, closed when dropped.
pub struct Socket(u32);

impl Drop for Socket {
    fn drop(&mut self) {
        unsafe { fd_close(self.0) };
    }
}

impl Socket {
    /// Listens on every IPv4 address.
    pub fn listen(port: u16) -> Result<Socket, Errno> {
        const INET4: u8 = 1;
        const STREAM: u32 = 2;
        let mut everywhere = [0u8; 128];
        everywhere[0] = INET4;
        let address = Slice {
            at: everywhere.as_ptr(),
            size: everywhere.len() as u32,
        };
        let mut fd = 0;
        unsafe {
            check(sock_open_v2(INET4.into(), STREAM, &mut fd))?;
            let socket = Socket(fd);
            check(sock_bind_v2(fd, &address, port.into()))?;
            check(sock_listen_v2(fd, 1024))?;
            socket.nonblocking()
        }
    }

    pub fn accept(&self) -> Result<Socket, Errno> {
        let mut fd = 0;
        check(unsafe { sock_accept_v2(self.0, 0, &mut fd) })?;
        Socket(fd).nonblocking()
    }

    fn nonblocking(self) -> Result<Socket, Errno> {
        const NONBLOCK: u32 = 4;
        check(unsafe { fd_fdstat_set_flags(self.0, NONBLOCK) })?;
        Ok(self)
    }

    /// Answers how many bytes came; 0 is the end.
    pub fn recv(&self, to: &mut [u8]) -> Result<usize, Errno> {
        let (mut got, mut flags) = (0, 0);
        let slice = Slice {
            at: to.as_mut_ptr(),
            size: to.len() as u32,
        };
        check(unsafe { sock_recv_v2(self.0, &slice, 1, 0, &mut got, &mut flags) })?;
        Ok(got as usize)
    }

    pub fn send(&self, from: &[u8]) -> Result<usize, Errno> {
        let mut sent = 0;
        let slice = Slice {
            at: from.as_ptr(),
            size: from.len() as u32,
        };
        check(unsafe { sock_send_v2(self.0, &slice, 1, 0, &mut sent) })?;
        Ok(sent as usize)
    }
}

/// What is waited for.
#[derive(Clone, Copy)]
pub enum Want {
    Read,
    Write,
}

/// Poll waits for sockets; its memory is used again and again.
#[derive(Default)]
pub struct Poll {
    waits: Vec<Subscription>,
    events: Vec<Event>,
}

impl Poll {
    /// Adds a socket to the next wait, which answers `who` when it is ready.
    pub fn add(&mut self, who: u64, socket: &Socket, want: Want) {
        let tag = match want {
            Want::Read => 1,
            Want::Write => 2,
        };
        self.waits.push(Subscription {
            userdata: who,
            tag,
            fd: socket.0,
            ..Default::default()
        });
    }

    /// Waits until some of them are ready, and forgets them all.
    pub fn wait(&mut self, ready: &mut Vec<u64>) -> Result<(), Errno> {
        let mut happened = 0;
        self.events.clear();
        self.events.resize(self.waits.len(), Event::default());
        let errno = unsafe {
            poll_oneoff(
                self.waits.as_ptr(),
                self.events.as_mut_ptr(),
                self.waits.len() as u32,
                &mut happened,
            )
        };
        self.waits.clear();
        ready.clear();
        ready.extend(
            self.events
                .iter()
                .take(happened as usize)
                .map(|e| e.userdata),
        );
        match errno {
            INTR => Ok(()),
            errno => check(errno),
        }
    }
}
