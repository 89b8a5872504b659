//! The settings for clients that a server prints when it is ready.

use super::{
    interfaces::{addresses, host_name},
    start_error::named,
};
use crate::render::write_json;
use remofile_proto::{Token, z85};
use std::{
    io::{self, Write},
    net::IpAddr,
    path::Path,
};

/// The settings for clients.
pub(super) struct ConnectInfo<'a> {
    pub(super) directory: &'a Path,
    pub(super) bind: IpAddr,
    pub(super) port: u16,
    /// None if the process that prints this does not know it.
    pub(super) token: Option<&'a Token>,
    pub(super) public_key: Option<&'a [u8; 32]>,
    pub(super) read_only: bool,
    pub(super) insecure: bool,
    pub(super) pid: u32,
}

impl ConnectInfo<'_> {
    /// Prints shell commands and comments, or a JSON object.
    pub(super) fn print(&self, out: &mut impl Write, json: bool) -> io::Result<()> {
        let mut text = Vec::new();
        if json { self.print_json(&mut text) } else { self.print_shell(&mut text) }?;
        // One write: a reader may close the pipe after the end.
        out.write_all(&text)?;
        out.flush()
    }

    fn print_shell(&self, out: &mut impl Write) -> io::Result<()> {
        // A line break in the name must not become a command in the shell of the client.
        let read_only = if self.read_only { ", read-only" } else { "" };
        writeln!(out, "# serving {}{read_only}", named(self.directory))?;
        let hosts = self.hosts();
        let unprotected = if self.insecure { "NOT ENCRYPTED (--insecure); " } else { "" };
        if self.bind.is_loopback() {
            writeln!(
                out,
                "# {unprotected}for clients on this machine only (use --bind 0.0.0.0 for others); run on the client:"
            )?;
        } else {
            writeln!(out, "# {unprotected}for clients on this and other machines; run on the client:")?;
        }
        writeln!(out, "export REMOFILE_SERVER={}", quoted(&self.endpoint(&hosts[0])))?;
        for host in &hosts[1..] {
            writeln!(out, "# or:   REMOFILE_SERVER={}", quoted(&self.endpoint(host)))?;
        }
        match self.token {
            Some(token) => writeln!(out, "export REMOFILE_TOKEN={}", quoted(token.reveal()))?,
            None => writeln!(out, "# REMOFILE_TOKEN: the token with which the server was started")?,
        }
        match self.public_key {
            Some(key) => writeln!(out, "export REMOFILE_PUBLIC_KEY={}", quoted(&z85::encode(key))),
            None => Ok(()),
        }
    }

    fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let hosts = self.hosts();
        let endpoints: Vec<String> = hosts.iter().map(|host| self.endpoint(host)).collect();
        let mut object = serde_json::json!({
            "op": "run",
            "directory": self.directory.to_string_lossy(),
            "server": endpoints[0],
            "servers": endpoints,
            "bind": self.bind,
            "port": self.port,
            "pid": self.pid,
            "read_only": self.read_only,
            "encrypted": !self.insecure,
        });
        if let Some(token) = self.token {
            object["token"] = token.reveal().into();
        }
        if let Some(key) = self.public_key {
            object["public_key"] = z85::encode(key).into();
        }
        write_json(out, object)
    }

    /// The hosts for clients, the most likely first; at least one.
    fn hosts(&self) -> Vec<String> {
        match self.bind {
            address if address.is_loopback() && (address.is_ipv6() || address.to_string() != "127.0.0.1") => {
                vec![host_of(address)]
            }
            address if address.is_loopback() => vec!["localhost".to_owned()],
            address if !address.is_unspecified() => vec![host_of(address)],
            every => {
                let reached = addresses().into_iter().filter(|address| every.is_ipv6() || address.is_ipv4());
                let hosts: Vec<String> = reached.map(host_of).collect();
                if hosts.is_empty() { vec![host_name()] } else { hosts }
            }
        }
    }

    fn endpoint(&self, host: &str) -> String {
        format!("{host}:{}", self.port)
    }
}

fn host_of(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

/// Quotes a word for the shell if necessary.
fn quoted(word: &str) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "._:/-".contains(character);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_quoted() {
        assert_eq!(quoted("localhost:6768"), "localhost:6768");
        assert_eq!(quoted("[::1]:6768"), "'[::1]:6768'");
        assert_eq!(quoted("a'b"), r"'a'\''b'");
        assert_eq!(quoted(""), "''");
    }
}
