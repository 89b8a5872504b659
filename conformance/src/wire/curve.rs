//! The requirement of a libzmq with CURVE, without which nothing starts.

/// The oldest libzmq that is accepted.
const OLDEST: (i32, i32, i32) = (4, 3, 5);

/// Fails unless the linked libzmq has CURVE and is recent enough [CURVE-6].
pub(crate) fn require() -> Result<(), String> {
    require_in(zmq::has("curve") == Some(true), zmq::version())
}

fn require_in(curve: bool, version: (i32, i32, i32)) -> Result<(), String> {
    if curve && version >= OLDEST {
        return Ok(());
    }
    let (major, minor, patch) = version;
    let has = if curve { "has" } else { "lacks" };
    Err(format!("libzmq {major}.{minor}.{patch} {has} CURVE; 4.3.5 or later with CURVE is needed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_libzmq_is_accepted() {
        assert_eq!(require(), Ok(()));
    }

    #[test]
    fn a_libzmq_without_curve_is_refused() {
        assert!(require_in(false, OLDEST).is_err_and(|error| error.contains("lacks CURVE")));
    }

    #[test]
    fn an_older_libzmq_is_refused() {
        assert!(require_in(true, (4, 3, 4)).is_err());
    }
}
