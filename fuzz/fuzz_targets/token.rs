//! Texts as tokens and keys, and bytes as tokens and keys.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remofile_proto::{Keys, SessionId, Token, z85};
use std::collections::BTreeSet;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        token(text);
        if let Ok(key) = z85::decode(text) {
            assert_eq!(z85::encode(&key), text);
        }
    }
    if let Ok(random) = <[u8; 16]>::try_from(bytes)
        && let Ok(token) = Token::from_random_bytes(random)
    {
        assert_eq!(token.reveal().len(), 22);
        assert!(!token.reveal().contains(['0', 'O', '1', 'I', 'l']));
        assert!(Token::parse(token.reveal()).is_ok());
    }
    if let Ok(key) = <[u8; 32]>::try_from(bytes) {
        assert_eq!(z85::decode(&z85::encode(&key)), Ok(key));
    }
});

fn token(text: &str) {
    let distinct = text.chars().collect::<BTreeSet<_>>().len();
    let is_token =
        (22..=128).contains(&text.len()) && distinct >= 8 && text.chars().all(|letter| letter.is_ascii_alphanumeric());
    match Token::parse(text) {
        Ok(token) => {
            assert!(is_token);
            assert_eq!(token.reveal(), text);
            let keys = Keys::derive(&token);
            let printed = format!("{token:?} {keys:?}");
            assert!(!printed.contains(text) && !printed.contains(&z85::encode(keys.server.secret())));
            let session = SessionId::new([7; 16]);
            assert!(keys.hello.verify(session, &keys.hello.auth(session)));
            assert_ne!(keys.server.public(), keys.client.public());
        }
        Err(error) => {
            assert!(!is_token);
            let is_secret = text.len() >= 22 && text.chars().all(|letter| letter.is_ascii_alphanumeric());
            assert!(!is_secret || !error.to_string().contains(text));
        }
    }
}
