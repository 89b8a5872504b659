//! Transfers as the first Remofile had them: a file or a directory goes into a directory, under its own name.

use super::{ClientError, FileClient, Transferred, TreeTransferred};
use remofile_proto::{Code, Kind, PathError, Precondition, RemotePath};
use std::{
    io,
    path::{Path as LocalPath, PathBuf},
};

impl FileClient {
    /// Uploads a file, or a directory with all it holds, into the remote `directory`, under its own name, and makes it
    /// durable.
    ///
    /// What is there already with the same content is unchanged, and what broke off is continued. Nothing is replaced:
    /// for that there are [`FileClient::upload_file`] and [`FileClient::upload_tree`].
    ///
    /// ```no_run
    /// use remofile::FileClient;
    ///
    /// let token = "TTA3rMB8VtNYv25kdipkaJ";
    /// FileClient::new("localhost:6768", token)?.upload("ubuntu.iso", "/")?;
    /// # Ok::<(), remofile::ClientError>(())
    /// ```
    ///
    /// # Errors
    /// NOT_FOUND or NOT_DIR where `directory` is none; EXISTS where something else is there;
    /// [`ClientError::Incomplete`] where items of a directory failed; those of [`FileClient::upload_file`].
    pub fn upload<P>(&self, source: impl AsRef<LocalPath>, directory: P) -> Result<TreeTransferred, ClientError>
    where
        P: TryInto<RemotePath>,
        PathError: From<P::Error>,
    {
        let source = source.as_ref();
        let directory = directory.try_into().map_err(PathError::from)?;
        let failed = |error| ClientError::local(source, error);
        let is_directory = source.metadata().map_err(failed)?.is_dir();
        let name = own_name(source).map_err(failed)?;
        let target = directory.join(&name)?;
        if self.stat(&directory)?.kind != Kind::Dir {
            return Err(super::refused("upload", &directory, Code::NotDir));
        }
        if is_directory {
            return complete(self.upload_tree(source, &target, false)?);
        }
        Ok(one_file(&self.upload_file(source, &target, Precondition::Absent)?))
    }

    /// Downloads a file, or a directory with all it holds: into `local` under its own name if that is a directory, else
    /// as `local`.
    ///
    /// What is there already with the same content is unchanged, and what broke off is continued. Nothing is replaced:
    /// for that there are [`FileClient::download_file`] and [`FileClient::download_tree`].
    ///
    /// ```no_run
    /// use remofile::FileClient;
    ///
    /// FileClient::new("localhost:6768", "TTA3rMB8VtNYv25kdipkaJ")?.download("/ubuntu.iso", ".")?;
    /// # Ok::<(), remofile::ClientError>(())
    /// ```
    ///
    /// # Errors
    /// NOT_FOUND where nothing is at `remote`; [`ClientError::Local`] of kind `AlreadyExists` where something else is
    /// there; [`ClientError::Incomplete`] where items of a directory failed; those of [`FileClient::download_file`].
    pub fn download<P>(&self, remote: P, local: impl AsRef<LocalPath>) -> Result<TreeTransferred, ClientError>
    where
        P: TryInto<RemotePath>,
        PathError: From<P::Error>,
    {
        let remote = remote.try_into().map_err(PathError::from)?;
        let local = local.as_ref();
        let target = match remote.split_last() {
            Some((_, name)) if local.is_dir() => local.join(name),
            _ => PathBuf::from(local),
        };
        if self.stat(&remote)?.kind == Kind::Dir {
            return complete(self.download_tree(&remote, &target, false)?);
        }
        Ok(one_file(&self.download_file(&remote, &target, false)?))
    }
}

/// The name that a source has, `.` and `..` looked up.
fn own_name(source: &LocalPath) -> io::Result<String> {
    let name = match source.file_name() {
        Some(name) => name.to_owned(),
        None => {
            let whole = source.canonicalize()?;
            let without = || io::Error::new(io::ErrorKind::InvalidFilename, "has no name to be uploaded under");
            whole.file_name().ok_or_else(without)?.to_owned()
        }
    };
    name.into_string().map_err(|_| io::Error::new(io::ErrorKind::InvalidFilename, "the name is not UTF-8"))
}

fn complete(done: TreeTransferred) -> Result<TreeTransferred, ClientError> {
    if done.failed == 0 { Ok(done) } else { Err(ClientError::Incomplete(Box::new(done))) }
}

fn one_file(done: &Transferred) -> TreeTransferred {
    let mut one = TreeTransferred::default();
    one.count(done);
    one
}
