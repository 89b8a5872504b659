//! The addresses of this machine.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket},
};

/// The addresses of this machine for other machines; that of the default route is the first.
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

/// The host name of this machine; other machines may not resolve it.
pub(super) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// The source address of packets to `to`; none is sent.
fn source_address(from: &str, to: &str) -> Option<IpAddr> {
    let socket = UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The local addresses in `/proc/net/fib_trie`: each precedes a line `/32 host LOCAL`.
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_local_addresses_of_a_routing_trie_are_found() {
        let table = "  +-- 10.0.0.0/24 2 0 2\n     |-- 10.0.0.0\n        /24 link UNICAST\n     |-- 10.0.0.7\n        /32 host LOCAL\n";
        assert_eq!(local_ipv4(table), [Ipv4Addr::new(10, 0, 0, 7)]);
    }

    #[test]
    fn only_global_ipv6_addresses_are_found() {
        assert_eq!(
            global_ipv6("20010db8000000000000000000000001 02 40 00 80 eth0"),
            Some("2001:db8::1".parse().unwrap())
        );
        assert_eq!(global_ipv6("fe80000000000000000000000000000a 02 40 20 80 eth0"), None);
        assert_eq!(global_ipv6("nothing"), None);
    }
}
