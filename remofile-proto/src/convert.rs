//! Tokens and paths from text and from references, for functions that take either by `TryInto`.

use crate::{
    path::{PathError, RemotePath},
    token::{Token, TokenError},
};
use alloc::string::String;
use core::{convert::Infallible, str::FromStr};
use zeroize::Zeroizing;

impl FromStr for Token {
    type Err = TokenError;
    fn from_str(text: &str) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for Token {
    type Error = TokenError;
    fn try_from(text: &str) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for Token {
    type Error = TokenError;
    fn try_from(text: &String) -> Result<Self, TokenError> {
        Self::parse(text)
    }
}

/// The text is wiped.
impl TryFrom<String> for Token {
    type Error = TokenError;
    fn try_from(text: String) -> Result<Self, TokenError> {
        Self::parse(&Zeroizing::new(text))
    }
}

impl From<&Token> for Token {
    fn from(token: &Token) -> Self {
        token.clone()
    }
}

impl From<Infallible> for TokenError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl FromStr for RemotePath {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for RemotePath {
    type Error = PathError;
    fn try_from(text: &str) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl TryFrom<&String> for RemotePath {
    type Error = PathError;
    fn try_from(text: &String) -> Result<Self, PathError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for RemotePath {
    type Error = PathError;
    fn try_from(text: String) -> Result<Self, PathError> {
        Self::parse(&text)
    }
}

impl From<&RemotePath> for RemotePath {
    fn from(path: &RemotePath) -> Self {
        path.clone()
    }
}

impl From<Infallible> for PathError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
