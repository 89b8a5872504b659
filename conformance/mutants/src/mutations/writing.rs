//! Mutations of mkdir, put, write, truncate and touch.

use super::declare::mutations;

mutations! {
    MKDIR_MAKES_PARENTS = "mkdir-makes-parents", ["MKDIR-1", "PATH-13"],
        "It makes all directories that are missing on the way.";
    MKDIR_AGAIN = "mkdir-again-is-ok", ["MKDIR-2"],
        "It finds that the directory is there, which is what the client wanted.";
    MKDIR_OF_THE_ROOT = "mkdir-of-the-root-is-denied", ["MKDIR-2"],
        "It has a special rule for the served directory.";
    MKDIR_ON_A_FILE = "mkdir-on-a-file-is-no-directory", ["MKDIR-2"],
        "It says of a file that it is no directory.";
    NOTHING_IS_NO_FILE = "nothing-is-no-file", ["PUT-1", "ENV-4"],
        "It takes a payload of no bytes for one that was forgotten.";
    PUT_KEEPS_THE_TAIL = "put-keeps-the-tail", ["PUT-1"],
        "It writes over the file that is there, and does not cut off what is longer.";
    PUT_IN_PLACE = "put-creates-in-place", ["PUT-1"],
        "It makes a new file under its name, and writes it then.";
    PUT_IGNORES_TIME = "put-ignores-mtime", ["PUT-2"],
        "It leaves a file with the time at which it was written.";
    PUT_TIME_IS_POSITIVE = "put-knows-no-time-before-1970", ["PUT-2"],
        "It takes the time of a put for an unsigned number.";
    PUT_KEEPS_TIME = "put-keeps-the-old-time", ["PUT-2"],
        "It gives a file that replaces another the time of the other.";
    WRITE_CREATES = "write-creates", ["WRITE-1"],
        "It opens the file as most programs do, to create it where it is not there.";
    WRITE_APPENDS = "write-appends", ["WRITE-1"],
        "It opens the file to append.";
    WRITE_CUTS = "write-cuts-the-rest", ["WRITE-1"],
        "It cuts the file off after what it wrote.";
    NO_HOLES = "a-write-past-the-end-goes-to-the-end", ["WRITE-2", "WRITE-1"],
        "It writes at the end of the file where the offset lies past it.";
    HOLES_ARE_REFUSED = "a-write-past-the-end-is-refused", ["WRITE-2", "WRITE-1"],
        "It takes an offset past the end for a bad argument.";
    NOTHING_GROWS = "a-write-of-nothing-grows", ["WRITE-3"],
        "It makes the file long enough first, and writes no bytes then.";
    NOTHING_TOUCHES = "a-write-of-nothing-touches", ["WRITE-3"],
        "It sets the modification time after every write.";
    WRITE_THROUGH_LINKS = "write-writes-through-hard-links", ["WRITE-4"],
        "It does not ask how many names a file has before it writes.";
    WRITE_UNGUARDED = "write-ignores-the-etag", ["OP-7"],
        "It writes, whatever file the client believes to be there.";
    TRUNCATE_CREATES = "truncate-creates", ["TRUNC-1"],
        "It makes an empty file and gives it the size asked for.";
    TRUNCATE_DOES_NOT_GROW = "truncate-does-not-grow", ["TRUNC-1"],
        "It cuts, and leaves alone what is short enough.";
    TRUNCATE_TO_NOTHING = "truncate-empties", ["TRUNC-1"],
        "It opens the file to truncate it, and does not look at the size.";
    TRUNCATE_THROUGH_LINKS = "truncate-cuts-through-hard-links", ["TRUNC-2"],
        "It does not ask how many names a file has before it cuts.";
    TRUNCATE_UNGUARDED = "truncate-ignores-the-etag", ["OP-7"],
        "It cuts, whatever file the client believes to be there.";
    TOUCH_CREATES = "touch-creates", ["TOUCH-1"],
        "It does what the command of that name does.";
    TOUCH_FILES_ALONE = "touch-needs-a-file", ["TOUCH-1"],
        "It sets the times of files, and no directory's.";
    TOUCH_OF_LINKS = "touch-touches-links", ["TOUCH-1"],
        "It sets the time of a link itself.";
    TOUCH_IS_NOW = "touch-means-now", ["TOUCH-1"],
        "It takes touch for a word that needs no time.";
    TOUCH_TIME_IS_POSITIVE = "touch-knows-no-time-before-1970", ["TOUCH-1"],
        "It takes the time of a touch for an unsigned number.";
    TOUCH_MILLISECONDS = "touch-rounds-to-milliseconds", ["TOUCH-1"],
        "It hands the time on in milliseconds.";
    MKDIR_CLASH_EXISTS = "mkdir-of-another-spelling-exists", ["MKDIR-2"],
        "It leaves it to the system to find that a name is taken, which does not say under which spelling.";
}
