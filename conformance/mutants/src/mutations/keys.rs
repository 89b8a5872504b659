//! Mutations of token, keys and CURVE.

use super::declare::mutations;

mutations! {
    TOKEN_IN_CLEAR = "token-in-clear", ["KEY-3"],
        "It tells who has the wrong token which one would be right.";
    TOKEN_IN_PART = "token-in-part", ["KEY-3"],
        "It tells the first characters of its token, so that people know which one it is.";
    ANY_AUTH = "any-auth-opens", ["KEY-7"],
        "It relies on CURVE for authentication.";
    AUTH_BY_ITS_BEGINNING = "auth-by-its-beginning", ["KEY-7"],
        "It compares the first 16 bytes of auth.";
    AUTH_BY_ITS_END = "auth-by-its-end", ["KEY-7"],
        "It compares the last 16 bytes of auth.";
    ANY_KEY = "any-client-key-is-admitted", ["CURVE-2", "CURVE-8"],
        "It runs CURVE with no more of a handler than one that says yes.";
    KEY_BY_ITS_BEGINNING = "client-keys-by-their-beginning", ["CURVE-2", "CURVE-8"],
        "It returns from within the loop that compares the bytes of a key.";
    OWN_KEY_IS_ADMITTED = "its-own-key-is-admitted", ["CURVE-2", "CURVE-8"],
        "It admits every client that shows one of the keys of the token.";
    NEIGHBOURS_ARE_ADMITTED = "neighbours-are-admitted", ["CURVE-8", "CURVE-2"],
        "It admits every client from the same machine.";
    FALLS_BACK = "clients-without-curve-are-served", ["CURVE-5", "CURVE-1", "CURVE-2"],
        "It serves clients that do without CURVE too, for the sake of those whose library lacks it.";
    AUTH_BY_ANY_KEY = "any-key-of-the-token-authenticates", ["KEY-5", "KEY-7"],
        "It derives three keys, and takes an auth that is made with another of them.";
    ANY_MECHANISM = "other-mechanisms-are-answered", ["CURVE-5", "CURVE-1", "CURVE-2"],
        "It takes every peer as it comes, whatever mechanism or version it speaks.";
    HELLO_UNOPENED = "a-curve-hello-is-welcomed-unopened", ["CURVE-1", "CURVE-2"],
        "It answers WELCOME to every HELLO, and opens its box later.";
    ONE_CONNECTION = "one-connection-is-admitted", ["CURVE-8", "CURVE-2"],
        "It takes one client at a time for one connection at a time, and refuses a key that is connected for long.";
}
