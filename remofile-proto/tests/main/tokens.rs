//! Tokens, keys and their texts; expected bytes come from an independent implementation.

use proptest::prelude::*;
use remofile_proto::token::{KeyPair, Keys, TokenError};
use remofile_proto::z85::{self, Z85Error};
use remofile_proto::{SessionId, Token};

const TOKEN: &str = "TTA3rMB8VtNYv25kdipkaJ";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keys() -> Keys {
    Keys::derive(&Token::parse(TOKEN).unwrap())
}

#[test]
fn the_server_pair_is_the_known_one() {
    let pair = keys().server;
    assert_eq!(hex(pair.secret()), "306076e8e1042c3816c2f7a5638a43d3ebe78ec7af30bf5b245fb010456fae34");
    assert_eq!(hex(pair.public()), "e8dee56504cab25c8656aa08fc7b586a5ac89924d63f8f3e8e1e19d1af259726");
}

#[test]
fn the_client_pair_is_the_known_one() {
    let pair = keys().client;
    assert_eq!(hex(pair.secret()), "84dea693b4af523099c48601eb55489d9e7727025cc865ecc21d00d831b230cd");
    assert_eq!(hex(pair.public()), "64eb2ec681014fc595dd368226455675b813f07167bc3720d879d68113297751");
}

#[test]
fn the_auth_of_a_session_is_the_known_one() {
    let session = SessionId::new(0x5e55_1000_0000_0000_0000_0000_0000_00a1_u128.to_be_bytes());
    let auth = keys().hello.auth(session);
    assert_eq!(hex(&auth), "44d7ef59032a1680d94bdcb1deb9848ab093a483713c4234b8591b2f650b2f85");
}

#[test]
fn the_public_key_of_nine_is_that_of_rfc_7748() {
    let mut nine = [0; 32];
    nine[0] = 9;
    let public = hex(KeyPair::from_secret(nine).public());
    assert_eq!(public, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
}

#[test]
fn a_key_is_the_known_text() {
    assert_eq!(z85::encode(keys().server.public()), ">?+Aj1J[2PHe$qW@cIKXtf99S!<2iVJVG7=Uo/IZ");
}

#[test]
fn auth_of_another_session_is_refused() {
    let keys = keys();
    let auth = keys.hello.auth(SessionId::new([1; 16]));
    assert!(keys.hello.verify(SessionId::new([1; 16]), &auth));
    assert!(!keys.hello.verify(SessionId::new([2; 16]), &auth));
}

#[test]
fn known_bits_make_the_known_token() {
    let token = |number: u128| Token::from_random_bytes(number.to_be_bytes()).map(|token| token.reveal().to_owned());
    assert_eq!(token(0x0001_0203_0405_0607_0809_0a0b_0c0d_0e0f).unwrap(), "224Hj8tHKmged8ChbfJanE");
    assert_eq!(token(u128::MAX).unwrap(), "oZEq7ovRbLq6UnGMPwc8B5");
}

#[test]
fn bits_that_make_too_few_letters_are_refused() {
    assert_eq!(Token::from_random_bytes([0; 16]).unwrap_err(), TokenError::Distinct(1));
}

#[test]
fn a_token_has_22_to_128_characters() {
    let token = |len: usize| Token::parse(&"abcdefgh".repeat(17)[..len]).map(drop);
    assert_eq!(token(21), Err(TokenError::Length(21)));
    assert_eq!(token(22), Ok(()));
    assert_eq!(token(128), Ok(()));
    assert_eq!(token(129), Err(TokenError::Length(129)));
}

#[test]
fn a_token_has_eight_distinct_characters() {
    let seven = "abcdefg".repeat(4);
    assert_eq!(Token::parse(&seven).unwrap_err(), TokenError::Distinct(7));
    assert!(Token::parse(&seven.replacen('a', "A", 1)).is_ok());
}

#[test]
fn a_token_has_no_other_characters() {
    assert_eq!(Token::parse("correct-horse-battery-staple").unwrap_err(), TokenError::Character(8));
    assert_eq!(Token::parse(&"é".repeat(22)).unwrap_err(), TokenError::Character(1));
    assert_eq!(Token::parse(&format!("{TOKEN}\n")).unwrap_err(), TokenError::Character(23));
}

#[test]
fn debug_output_has_no_secret() {
    let (token, keys) = (Token::parse(TOKEN).unwrap(), keys());
    let printed = format!("{token:?} {keys:?}");
    assert_eq!(
        printed,
        "Token(redacted) Keys { server: KeyPair { public: \">?+Aj1J[2PHe$qW@cIKXtf99S!<2iVJVG7=Uo/IZ\", .. }, \
         client: KeyPair { public: \"wA$>/FDnM=MeauIcpH%TXd!vKxs{eC/M(506dFc5\", .. }, hello: HelloKey(redacted) }"
    );
}

#[test]
fn a_key_text_of_another_length_is_refused() {
    assert_eq!(z85::decode("HelloWorld"), Err(Z85Error::Length(10)));
}

#[test]
fn a_key_text_with_a_foreign_character_is_refused() {
    let text = format!("{}~", "0".repeat(39));
    assert_eq!(z85::decode(&text), Err(Z85Error::Character(40)));
    assert_eq!(z85::decode(&format!("é{}", "0".repeat(39))), Err(Z85Error::Character(1)));
}

#[test]
fn five_characters_beyond_32_bits_are_refused() {
    let text = format!("{}%nSc1", "0".repeat(35));
    assert_eq!(z85::decode(&text), Err(Z85Error::Range(36)));
    let greatest = format!("{}%nSc0", "0".repeat(35));
    assert_eq!(z85::decode(&greatest).unwrap()[28..], [0xff; 4]);
}

proptest! {
    #[test]
    fn a_key_round_trips_through_its_text(key: [u8; 32]) {
        prop_assert_eq!(z85::decode(&z85::encode(&key)), Ok(key));
    }

    #[test]
    fn a_text_that_is_a_key_is_the_text_of_that_key(text in "[!-~]{40}") {
        if let Ok(key) = z85::decode(&text) {
            prop_assert_eq!(z85::encode(&key), text);
        }
    }

    #[test]
    fn random_bits_can_be_read_back_from_their_token(bytes: [u8; 16]) {
        let letters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        let token = Token::from_random_bytes(bytes).unwrap();
        let number = token.reveal().chars().fold(0_u128, |number, letter| {
            number.wrapping_mul(57).wrapping_add(letters.find(letter).unwrap() as u128)
        });
        prop_assert_eq!(number.to_be_bytes(), bytes);
        prop_assert!(Token::parse(token.reveal()).is_ok());
    }
}
