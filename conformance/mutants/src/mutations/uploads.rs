//! Mutations of uploads.

use super::declare::mutations;

mutations! {
    STAGED_BESIDE = "staged-beside-the-root", ["PATH-10"],
        "It stages uploads in a directory beside the served one.";
    HASH_OF_NOTHING = "the-hash-of-begin-is-of-nothing", ["BEGIN-1"],
        "It answers every begin as if it were the first.";
    BEGIN_STARTS_OVER = "begin-starts-over", ["BEGIN-2"],
        "It empties what is staged whenever an upload is begun.";
    ANOTHER_SIZE_STARTS_OVER = "another-size-starts-over", ["BEGIN-1", "BEGIN-2"],
        "It takes an upload whose announced size has changed for one of another file, and empties it.";
    ANOTHER_PATH_GOES_ON = "another-path-goes-on", ["BEGIN-2"],
        "It knows an upload by its id, and lets its bytes go to another path.";
    OTHERS_STAY = "other-uploads-of-the-path-stay", ["BEGIN-3"],
        "It lets several uploads of one path stand beside each other.";
    REFUSED_DISCARDS = "a-refused-begin-discards", ["BEGIN-3", "REFUSE-1"],
        "It makes room for an upload before it finds out that there is not enough.";
    BEGIN_LOOKS_AT_PARENTS = "begin-looks-at-parents", ["BEGIN-4"],
        "It makes sure at begin that the directory is there.";
    BEGIN_LOOKS_AT_THE_TARGET = "begin-looks-at-the-target", ["BEGIN-4"],
        "It refuses at begin what is there already.";
    TARGET_OF_BEGIN = "the-target-of-begin-counts", ["TARGET-9", "TARGET-4"],
        "It looks at begin whether the target is free, and replaces what appears there until the commit.";
    SIZE_IS_A_LIMIT = "size-is-a-limit", ["BEGIN-5"],
        "It takes no more bytes than begin announced.";
    SIZE_IS_A_PROMISE = "size-is-a-promise", ["BEGIN-5", "COMMIT-1"],
        "It commits nothing that has another size than begin announced.";
    FIRST_SIZE_STAYS = "the-first-size-stays", ["BEGIN-5", "UPLOADS-1"],
        "It shows the size of the begin that started the upload.";
    LIMIT_IS_NO_SPACE = "too-many-uploads-are-no-space", ["BEGIN-6"],
        "It says that there is no space when there are too many uploads.";
    NEWEST_GOES = "the-newest-upload-goes", ["BEGIN-6", "UP-3"],
        "It discards the wrong end of its list.";
    FIRST_BEGUN_GOES = "the-upload-begun-first-goes", ["BEGIN-6", "UP-3"],
        "It discards the upload that was begun first, although it was appended to since.";
    LIMIT_OF_16 = "sixteen-uploads-are-kept", ["BEGIN-6", "UP-3"],
        "It keeps sixteen uploads, which is enough for anybody.";
    REPLACED_COUNTS = "an-upload-of-the-same-path-counts", ["BEGIN-3", "BEGIN-6"],
        "It counts an upload that begin pushes out against its limit.";
    CHUNKS_GO_TO_THE_END = "chunks-go-to-the-end", ["APPEND-1"],
        "It puts every chunk after the one before, whatever its offset.";
    CHUNKS_AGAIN = "a-chunk-again-is-ok", ["APPEND-1"],
        "It finds that the bytes of a chunk are staged already, and answers OK.";
    OFF_BEFORE = "append-answers-its-own-off", ["APPEND-1"],
        "It answers the offset of the request.";
    OFFSET_OF_THE_REQUEST = "offset-repeats-the-wrong-one", ["APPEND-1", "CODE-1"],
        "It repeats the wrong offset in its refusal.";
    UPLOADS_ARE_SHARED = "uploads-are-shared", ["APPEND-2", "COMMIT-1"],
        "It knows an upload by its id alone, and lets two clients write one.";
    UNKNOWN_IS_MISSING = "an-unknown-upload-is-not-found", ["APPEND-2"],
        "It says NOT_FOUND of an upload that it does not know.";
    NOTHING_IS_NOT_APPENDED = "an-empty-append-is-refused", ["APPEND-4", "ENV-4"],
        "It takes a payload of no bytes for one that was forgotten.";
    NOTHING_FITS_ANYWHERE = "an-empty-append-fits-anywhere", ["APPEND-4", "APPEND-1"],
        "It sees that there is nothing to do before it looks at the offset.";
    DIGEST_FIRST = "commit-hashes-before-it-counts", ["COMMIT-1", "COMMIT-2"],
        "It compares the hash first, for that includes the size.";
    TARGET_FIRST = "commit-looks-at-the-target-first", ["COMMIT-1", "COMMIT-2"],
        "It looks at the target before it looks at what is staged.";
    SIZE_UNCHECKED = "commit-does-not-count", ["COMMIT-1"],
        "It trusts the hash alone.";
    HASH_UNCHECKED = "commit-does-not-compare", ["COMMIT-1", "COMMIT-2"],
        "It trusts that all bytes have come when there are as many as there should be.";
    DIGEST_KEEPS = "a-wrong-hash-keeps-the-upload", ["COMMIT-2"],
        "It lets a client that sent another hash try again.";
    REFUSED_COMMIT_DISCARDS = "a-refused-commit-discards", ["COMMIT-2", "REFUSE-1"],
        "It discards an upload whenever its commit fails.";
    OFFSET_DISCARDS = "a-commit-of-another-size-discards", ["COMMIT-2", "REFUSE-1"],
        "It takes a wrong size for a wrong upload, as it does a wrong hash.";
    COMMIT_STAYS = "a-committed-upload-stays", ["COMMIT-3", "APPEND-2"],
        "It copies the staged bytes to the target, and lets the upload go on.";
    COMMIT_MAKES_PARENTS = "commit-makes-parents", ["PATH-13", "COMMIT-2", "REFUSE-1"],
        "It makes what directories are missing on the way to a committed file.";
    COMMIT_IGNORES_TIME = "commit-ignores-mtime", ["COMMIT-4"],
        "It leaves a file with the time of the commit.";
    COMMIT_KEEPS_TIME = "commit-keeps-the-time-of-staging", ["COMMIT-4"],
        "It leaves a file with the time at which it was appended to.";
    ABORT_OF_NOTHING = "abort-of-nothing-is-refused", ["ABORT-1"],
        "It says that there is no upload of that id.";
    ABORT_OF_ONES_OWN = "abort-needs-begin", ["ABORT-1"],
        "It refuses to abort an upload that another session began.";
    ABORT_FORGETS_NOTHING = "abort-keeps-the-bytes", ["ABORT-1"],
        "It ends what the session may do with an upload, and keeps it for who comes again.";
    ABORT_REMOVES = "abort-removes-the-target", ["ABORT-1"],
        "It cleans up everything that has to do with the upload, what was there before too.";
    UPLOADS_BY_AGE = "uploads-are-listed-by-age", ["UPLOADS-1"],
        "It lists uploads in the order in which they were used last.";
    UPLOADS_AFTER_INCLUDED = "uploads-after-is-included", ["UPLOADS-1"],
        "It begins with the upload that is named.";
    UPLOADS_AFTER_IGNORED = "uploads-after-is-ignored", ["UPLOADS-1"],
        "It lists all uploads, whatever page is asked for.";
    OWN_UPLOADS = "uploads-of-this-session-alone", ["UPLOADS-1", "UP-2"],
        "It lists what this session has begun.";
    AGE_OF_BEGIN = "the-age-counts-from-begin", ["UPLOADS-1"],
        "It counts the age of an upload from its begin on.";
    AGE_OF_THE_RUN = "the-age-counts-from-the-start", ["UPLOADS-1"],
        "It takes what it finds at its start for new.";
    SIZE_IS_FORGOTTEN = "uploads-omits-the-size", ["UPLOADS-1"],
        "It does not note what begin announced.";
    SIZE_IS_OFF = "uploads-always-has-a-size", ["UPLOADS-1"],
        "It tells the number of staged bytes where begin announced no size.";
    UPLOADS_ALWAYS_MORE = "uploads-always-has-more", ["UPLOADS-2"],
        "It says that there is more, and leaves it to the next page to be empty.";
    LONG_PAGES = "pages-of-uploads-are-of-any-length", ["UPLOADS-2", "LIMIT-2"],
        "It sends all uploads in one page, as there are never many.";
    UPLOADS_NEVER_MORE = "uploads-never-has-more", ["UPLOADS-2"],
        "It ends a page of uploads where the chunk does, and says nothing of the rest.";
    STAGED_IN_SIGHT = "uploads-are-visible", ["UP-1"],
        "It makes the target when an upload is begun, to keep its name.";
    UPLOADS_END = "uploads-end-with-their-session", ["UP-2", "UP-3"],
        "It clears up after a session when the next one begins an upload.";
    UPLOADS_DO_NOT_LAST = "uploads-do-not-outlive-the-server", ["UP-2"],
        "It clears up at its start what an earlier run left.";
    NOT_READ_BACK = "staged-bytes-are-not-hashed-again", ["UP-4"],
        "It asks for the length of a staged file after a restart, and goes on with a hash of nothing.";
    HASH_IS_NOTED = "the-hash-is-noted", ["UP-4", "BEGIN-1"],
        "It notes what it has hashed with each chunk, and believes that after a restart.";
    NO_LOCK = "the-directory-is-not-locked", ["UP-9"],
        "It does not ask whether another server serves the directory.";
    NEW_HASH_IS_ZERO = "the-hash-of-a-new-upload-is-zero", ["BEGIN-1"],
        "It has no hash of an upload yet, and sends zeros.";
    ALIKE_GO = "uploads-of-paths-that-begin-alike-go", ["BEGIN-3", "UP-3"],
        "It discards whatever is staged for a path that begins with the one of begin.";
    TOO_LARGE_DISCARDS = "a-begin-that-is-too-large-discards-its-own", ["BEGIN-3", "BEGIN-5", "REFUSE-1"],
        "It discards the upload of an id before it finds that there is no room for its new size.";
    BEGIN_MAKES_PARENTS = "begin-makes-parents", ["BEGIN-4", "UP-1"],
        "It makes at begin what directories are missing on the way.";
    ONE_IS_OPEN = "one-upload-is-open", ["APPEND-1", "UP-3"],
        "It appends to the upload that was begun last, whichever is named.";
    OF_A_CONNECTION = "uploads-belong-to-a-connection", ["APPEND-2", "SES-15"],
        "It knows by its connection who may go on with an upload.";
    NOTHING_IS_NOT_COMMITTED = "nothing-is-not-committed", ["COMMIT-3"],
        "It takes an upload of no bytes for one that has not begun.";
    COMMIT_BY_HANDLE = "commit-goes-to-the-directory-of-begin", ["COMMIT-3"],
        "It opens the directory at begin, and gives the file its name there, wherever that is by now.";
    COMMIT_CLEARS = "a-commit-clears-the-staging", ["COMMIT-3", "UP-3"],
        "It clears up everything that is staged once something is committed.";
    COMMITTED_TWICE = "a-commit-is-done-twice", ["COMMIT-3", "SEQ-9"],
        "It writes what was committed once more when the next file is put in its place.";
    APPENDS_SHOW = "appends-show-through-the-target", ["UP-1", "TARGET-8"],
        "It writes what is appended into the file that is to be replaced, too.";
    HASH_MAY_BE_MISSING = "a-commit-without-hash-is-trusted", ["OP-2", "COMMIT-1"],
        "It compares the hash where there is one.";
    COMMIT_BY_NAME = "commit-resolves-the-path-twice", ["PATH-10", "PATH-11", "COMMIT-3"],
        "It looks at the way to a target, and then goes it by the names alone.";
}
