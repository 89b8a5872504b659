//! Other processes: which listens on a port, and which serves a directory.

use std::{fs, path::Path};

/// A process of this machine.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
}

/// The process that listens on a TCP port, if it is visible: root sees all processes, other users see their own.
pub(super) fn listener(port: u16) -> Option<Process> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| table.lines().filter_map(|line| listening_inode(line, port)).collect::<Vec<_>>())
        .collect();
    let wanted: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    if wanted.is_empty() {
        return None;
    }
    fs::read_dir("/proc").ok()?.filter_map(Result::ok).find_map(|entry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let holds = |link: &Path| wanted.iter().any(|socket| link == Path::new(socket));
        has_open(pid, holds).then(|| Process { pid, name: name_of(pid) })
    })
}

/// Whether a process has a directory open, as its server does.
pub(super) fn serves(pid: u32, directory: &Path) -> bool {
    has_open(pid, |link| link == directory)
}

fn listening_inode(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let is_meant = u16::from_str_radix(local_port, 16).ok()? == port && *fields.get(3)? == LISTEN;
    is_meant.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
}

fn has_open(pid: u32, wanted: impl Fn(&Path) -> bool) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.filter_map(Result::ok).any(|entry| fs::read_link(entry.path()).is_ok_and(|link| wanted(&link)))
}

fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).map(|name| name.trim_end().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn the_process_that_listens_on_a_port_is_found() {
        let listener_here = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener_here.local_addr().unwrap().port();
        assert_eq!(listener(port).unwrap().pid, std::process::id());
        drop(listener_here);
        assert_eq!(listener(port), None);
    }
}
