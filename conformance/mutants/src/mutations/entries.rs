//! Mutations of entries and etags.

use super::declare::mutations;

mutations! {
    MTIME_IS_ATIME = "mtime-is-atime", ["ENTRY-2", "PUT-2", "TOUCH-1", "COMMIT-4"],
        "It takes the time of the last access for the time of the last change.";
    LINKS_ARE_OTHERS = "links-are-others", ["ENTRY-1"],
        "It knows files and directories, and calls all else other.";
    FIFOS_ARE_FILES = "special-files-are-files", ["ENTRY-1"],
        "It calls a file what is neither a directory nor a link.";
    DIRECTORY_SIZES = "directories-have-sizes", ["ENTRY-2"],
        "It gives every entry the size that the system tells.";
    LINK_TIMES = "links-have-times", ["ENTRY-2"],
        "It gives every entry the time that the system tells.";
    NO_DIRECTORY_TIMES = "directories-have-no-times", ["ENTRY-2"],
        "It tells no more of a directory than that it is one.";
    ETAG_OF_THE_PLACE = "the-etag-is-the-inode", ["ENTRY-3"],
        "It takes the number of a file on its disk for what tells one state of it from another.";
    ETAG_WITHOUT_INODE = "the-etag-is-size-and-time", ["ENTRY-3"],
        "It makes an etag of size and modification time, as web servers do.";
    ETAG_WITHOUT_CTIME = "the-etag-trusts-the-time", ["ENTRY-3"],
        "It leaves the time of the last change of any kind out of an etag, so that setting the time back hides a change.";
    ETAG_IN_SECONDS = "the-etag-counts-seconds", ["ENTRY-3", "ENTRY-6"],
        "It makes an etag of times in whole seconds.";
    ETAG_WITHOUT_TIMES = "the-etag-is-size-and-inode", ["ENTRY-3"],
        "It takes a file of the same size for the same one, as long as it has the same number on its disk.";
    ETAG_OF_THE_RUN = "the-etag-is-of-this-run", ["ENTRY-4"],
        "It salts etags with what it drew at its start.";
    LISTED_ETAGS = "listed-etags-are-short", ["ENTRY-5"],
        "It saves bytes in listings, and sends the first half of each etag.";
    ENTRY_BEFORE = "the-entry-is-from-before", ["ENTRY-5"],
        "It looks at a file, changes it, and answers what it saw.";
    ENTRY_BEFORE_THE_NAME = "the-entry-is-from-before-the-name", ["ENTRY-5"],
        "It takes the entry of a new file from the staged one, which the rename then changes.";
    NEVER_RACY = "nothing-is-racy", ["ENTRY-6", "ENTRY-3"],
        "It makes etags of times in tenths of a second, and trusts these to tell any two changes apart.";
    ALWAYS_RACY = "every-file-is-racy", ["ENTRY-6"],
        "It calls every file racy, which is safe.";
    RACY_IS_FALSE = "racy-is-false", ["ENTRY-6"],
        "It sends racy with every file, true or false.";
    RACY_DIRECTORIES = "directories-are-racy", ["ENTRY-6"],
        "It calls a directory racy that changed just now.";
    MICROSECONDS = "changes-return-microseconds", ["ENTRY-5"],
        "It tells times of what it changed in microseconds, and of what it looks at in nanoseconds.";
    ETAG_OF_THE_PATH = "the-etag-is-the-path", ["ENTRY-3"],
        "It makes an etag of the path.";
    ETAG_OF_THE_SESSION = "the-etag-is-of-this-session", ["ENTRY-4", "ENTRY-3"],
        "It salts etags with the session.";
    ETAG_OF_THE_MOMENT = "the-etag-counts-hashes", ["ENTRY-3"],
        "It makes a new etag whenever it has hashed a file.";
    LINKS_ARE_SYMLINKS = "links-are-symlinks", ["ENTRY-1"],
        "It calls a link by the name that its system has for it.";
    ETAG_TOO_LONG = "etags-of-65-bytes", ["ENTRY-3"],
        "It puts a byte before the etag of an empty file, to tell it from others.";
}
