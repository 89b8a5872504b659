//! What the build shim must deliver.
#![cfg(feature = "transport")]

#[test]
fn libzmq_has_curve() {
    assert_eq!(zmq::has("curve"), Some(true));
}

#[test]
fn libzmq_is_4_3_5_or_later() {
    assert!(zmq::version() >= (4, 3, 5));
}
