//! The server's address and credentials, from the command line and the environment.

use crate::{
    command::args::Access,
    engine::environment::random_id,
    exit::{Exit, Failure},
    wire::connection::{Security, ServerTarget},
};
use remofile_proto::{Token, z85};
use std::{env, fs, path::Path};

/// The default port.
const PORT: u16 = 6768;

/// The hint when no token is given.
const NO_TOKEN: &str = "set REMOFILE_TOKEN to the server's token, or give --token-file FILE";

impl Access {
    /// The target at an address.
    pub(crate) fn target(&self, server: &str) -> Result<ServerTarget, Failure> {
        let token = self.token()?.ok_or_else(|| Failure::usage("no token is given").hint(NO_TOKEN))?;
        Ok(ServerTarget { endpoint: endpoint(server)?, security: self.security()?, token })
    }

    /// Like [`Access::target`], with a random token if none is given, for a server that the suite starts.
    pub(crate) fn target_or_random(&self, server: &str) -> Result<ServerTarget, Failure> {
        let token = match self.token()? {
            Some(token) => token,
            // About one of 10^11 random values has too few letters for a token.
            None => (0..8).find_map(|_| Token::from_random_bytes(random_id()).ok()).ok_or_else(|| {
                Failure::new(Exit::OwnFault, "the operating system's random bytes do not form a token")
            })?,
        };
        Ok(ServerTarget { endpoint: endpoint(server)?, security: self.security()?, token })
    }

    /// The token, if one is given.
    fn token(&self) -> Result<Option<Token>, Failure> {
        let text = match &self.token_file {
            Some(path) => Some(first_line(path, "token file")?),
            None => env::var("REMOFILE_TOKEN").ok().filter(|token| !token.is_empty()),
        };
        let parse = |text: String| text.parse().map_err(|error| Failure::usage(format!("invalid token: {error}")));
        text.map(parse).transpose()
    }

    /// How connections are secured.
    fn security(&self) -> Result<Security, Failure> {
        let Some(key) = self.server_key.as_deref().filter(|key| !key.is_empty() && !self.insecure) else {
            return Ok(if self.insecure { Security::Insecure } else { Security::Derived });
        };
        let text = match key.strip_prefix('@') {
            // A key may begin with @ too; its length decides.
            Some(path) if key.len() != z85::LEN => first_line(Path::new(path), "key file")?,
            _ => key.to_owned(),
        };
        z85::decode(&text).map(Security::Pinned).map_err(|error| Failure::usage(format!("invalid public key: {error}")))
    }
}

/// The endpoint of libzmq for an address.
fn endpoint(server: &str) -> Result<String, Failure> {
    let address = server.strip_prefix("tcp://").unwrap_or(server);
    let wrong = |what: &str| {
        Failure::usage(format!("'{server}' is not an address: {what}"))
            .hint("write an address as HOST:PORT, such as localhost:6768")
    };
    let (host, port) = match address.rsplit_once(':') {
        // The colons of an IPv6 address without brackets do not separate a port.
        Some((host, _)) if host.contains(':') && !host.starts_with('[') => {
            return Err(wrong("write an IPv6 address in brackets"));
        }
        Some((host, port)) if !address.ends_with(']') => (
            host,
            port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("a port is a number from 1 to 65535"))?,
        ),
        _ => (address, PORT),
    };
    if host.is_empty() || host.contains(|character: char| character.is_whitespace() || "/;*".contains(character)) {
        return Err(wrong("the host name is missing"));
    }
    Ok(format!("tcp://{host}:{port}"))
}

/// Whether a word is an address and not a pattern.
pub(crate) fn looks_like_an_address(word: &str) -> bool {
    let pattern = word.starts_with("section:") || word.starts_with("needs:");
    word.contains("://") || word.starts_with('[') || word.contains(':') && !pattern
}

fn first_line(path: &Path, what: &str) -> Result<String, Failure> {
    let text =
        fs::read_to_string(path).map_err(|error| Failure::usage(format!("{what} {}: {error}", path.display())))?;
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_host_and_port_is_an_endpoint() {
        assert_eq!(endpoint("localhost:6768").unwrap(), "tcp://localhost:6768");
        assert_eq!(endpoint("tcp://[::1]:1").unwrap(), "tcp://[::1]:1");
        assert_eq!(endpoint("example.org").unwrap(), "tcp://example.org:6768");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", ":1", "a:b", "a:0", "a:65536", "::1", "a b:1", "http://a:1"] {
            assert!(endpoint(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_address_and_a_pattern_are_distinguished() {
        assert!(looks_like_an_address("a:1") && looks_like_an_address("[::1]:1"));
        assert!(
            !looks_like_an_address("section:7") && !looks_like_an_address("SEQ-*") && !looks_like_an_address("7.1")
        );
    }

    #[test]
    fn a_key_that_is_none_is_refused_without_being_shown() {
        let access = Access { server_key: Some("x".repeat(39)), ..Access::default() };
        let failure = access.security().unwrap_err();
        assert!(!failure.what.contains("xxx"), "{failure:?}");
    }

    #[test]
    fn a_key_is_read_from_a_file() {
        let path = env::temp_dir().join(format!("conformance-key-{}", std::process::id()));
        fs::write(&path, format!("{}\n", z85::encode(&[7; 32]))).unwrap();
        let access = Access { server_key: Some(format!("@{}", path.display())), ..Access::default() };
        let security = access.security();
        fs::remove_file(&path).unwrap();
        assert_eq!(security.unwrap(), Security::Pinned([7; 32]));
    }
}
