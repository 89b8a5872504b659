//! What the machine knows: who listens on a port, what a process serves, and which addresses this machine has.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
    path::Path,
};

/// A process, as far as it may be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
}

/// Who listens on a TCP port of this machine, if that can be seen: root sees all, others see their own.
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

/// Whether a process has this directory open, as a server of it has.
pub(super) fn serves(pid: u32, directory: &Path) -> bool {
    has_open(pid, |link| link == directory)
}

/// The addresses of this machine by which others may reach it, the one towards the rest of the world first.
pub(super) fn addresses() -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = [("0.0.0.0:0", "192.0.2.1:9"), ("[::]:0", "[2001:db8::1]:9")]
        .iter()
        .filter_map(|(from, to)| source_address(from, to))
        .collect();
    let table = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    found.extend(local_ipv4(&table).into_iter().map(IpAddr::V4));
    let table = fs::read_to_string("/proc/net/if_inet6").unwrap_or_default();
    found.extend(table.lines().filter_map(global_ipv6).map(IpAddr::V6));
    let mut known = Vec::new();
    for address in found.into_iter().filter(|address| !address.is_loopback() && !address.is_unspecified()) {
        if !known.contains(&address) {
            known.push(address);
        }
    }
    known
}

/// The name that this machine gives itself; whether others know it by that is theirs to say.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The address that a packet there would come from; nothing is sent.
fn source_address(from: &str, to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn listening_inode(line: &str, port: u16) -> Option<String> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let is_meant = u16::from_str_radix(local_port, 16).ok()? == port && *fields.get(3)? == LISTEN;
    is_meant.then(|| fields.get(9).map(|inode| (*inode).to_owned()))?
}

/// The addresses in a routing trie that are this machine's: each stands in the line before `/32 host LOCAL`.
fn local_ipv4(table: &str) -> Vec<Ipv4Addr> {
    let lines: Vec<&str> = table.lines().map(str::trim).collect();
    let pairs = lines.windows(2).filter(|pair| pair[1] == "/32 host LOCAL");
    pairs.filter_map(|pair| pair[0].rsplit(' ').next()?.parse().ok()).collect()
}

/// The address of a line of `/proc/net/if_inet6`, if its scope is global.
fn global_ipv6(line: &str) -> Option<Ipv6Addr> {
    let mut fields = line.split_whitespace();
    let address = u128::from_str_radix(fields.next()?, 16).ok()?;
    (fields.nth(2)? == "00").then(|| Ipv6Addr::from_bits(address))
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
    fn whoever_listens_on_a_port_is_found() {
        let listener_here = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener_here.local_addr().unwrap().port();
        assert_eq!(listener(port).unwrap().pid, std::process::id());
        drop(listener_here);
        assert_eq!(listener(port), None);
    }

    #[test]
    fn the_addresses_of_a_routing_trie_are_told_once_each() {
        let table = "  +-- 10.0.0.0/24 2 0 2\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.7\n        /32 host LOCAL\n";
        assert_eq!(local_ipv4(table), [Ipv4Addr::new(10, 0, 0, 7)]);
    }

    #[test]
    fn only_global_ipv6_addresses_reach_across_a_link() {
        assert_eq!(
            global_ipv6("20010db8000000000000000000000001 02 40 00 80 eth0"),
            Some("2001:db8::1".parse().unwrap())
        );
        assert_eq!(global_ipv6("fe80000000000000000000000000000a 02 40 20 80 eth0"), None);
        assert_eq!(global_ipv6("nothing"), None);
    }
}
