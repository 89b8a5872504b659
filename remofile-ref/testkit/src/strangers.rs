//! Strangers who crowd a port of this machine.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A process that makes so many connections on which nothing is said.
pub struct Strangers(Child);

impl Strangers {
    pub fn crowd(port: u16, count: usize) -> Self {
        // They knock all the time: as soon as one is hung up on, another one comes, and who is not let in within a
        // quarter of a second knocks anew. Left to itself TCP would wait twice as long each time.
        let script = format!(
            "import resource, select, socket, time\n\
             most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n\
             resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))\n\
             poll, knocking, outside = select.poll(), {{}}, {{}}\n\
             def knock():\n\
             \x20   one = socket.socket()\n\
             \x20   one.setblocking(False)\n\
             \x20   one.connect_ex(('127.0.0.1', {port}))\n\
             \x20   knocking[one.fileno()] = one\n\
             \x20   outside[one.fileno()] = time.monotonic()\n\
             \x20   poll.register(one, select.POLLIN | select.POLLOUT)\n\
             def leave(fd):\n\
             \x20   poll.unregister(fd); outside.pop(fd, None); knocking.pop(fd).close(); knock()\n\
             for _ in range({count}): knock()\n\
             print('there', flush=True)\n\
             while True:\n\
             \x20   for fd, event in poll.poll(100):\n\
             \x20       if event == select.POLLOUT:\n\
             \x20           outside.pop(fd, None); poll.modify(fd, select.POLLIN)\n\
             \x20           continue\n\
             \x20       try: said = knocking[fd].recv(100)\n\
             \x20       except OSError: said = b''\n\
             \x20       if not said: leave(fd)\n\
             \x20   late = time.monotonic() - 0.25\n\
             \x20   for fd in [fd for fd, since in outside.items() if since < late]: leave(fd)\n"
        );
        let mut child = Command::new("python3").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "there\n");
        Self(child)
    }
}

impl Drop for Strangers {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
