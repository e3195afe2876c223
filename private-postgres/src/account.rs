//! Which user PostgreSQL's programs run as: they refuse root.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::StartError;

/// The user that PostgreSQL's programs run as.
#[derive(Clone, Debug)]
pub(crate) enum Account {
    /// Ourselves: not root.
    Own,
    /// Another one, because we are root.
    Dropped(User),
}

/// A user of this machine.
#[derive(Clone, Debug)]
pub(crate) struct User {
    name: String,
    uid: u32,
    gid: u32,
}

impl Account {
    /// Chooses the account: ourselves, or as root the owner of the data that is there, else
    /// `postgres`, else `nobody`.
    pub(crate) fn choose(cluster: &Path) -> Result<Self, StartError> {
        let own = rustix::process::geteuid();
        let owner = cluster.metadata().ok().map(|meta| (meta.uid(), meta.gid()));
        if !own.is_root() {
            return match owner {
                Some((uid, _)) if uid != own.as_raw() => Err(StartError::WrongOwner {
                    folder: cluster.to_owned(),
                    owner: uid,
                    user: own.as_raw(),
                }),
                _ => Ok(Self::Own),
            };
        }
        if let Some((uid, gid)) = owner
            && uid != 0
        {
            let name = id("-nu", &uid.to_string()).unwrap_or_else(|| uid.to_string());
            return Ok(Self::Dropped(User { name, uid, gid }));
        }
        ["postgres", "nobody"]
            .into_iter()
            .find_map(User::named)
            .map(Self::Dropped)
            .ok_or(StartError::NoAccount)
    }

    /// A command that runs as this account, in a folder it may be in, without the caller's `PG…`
    /// variables (which would redirect PostgreSQL's programs) and with untranslated messages.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("PG") {
                command.env_remove(name);
            }
        }
        command
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null());
        if let Self::Dropped(user) = self {
            command.uid(user.uid).gid(user.gid);
        }
        command
    }

    /// Gives a file or folder to the account.
    pub(crate) fn own(&self, path: &Path) -> Result<(), StartError> {
        match self {
            Self::Own => Ok(()),
            Self::Dropped(user) => chown(path, Some(user.uid), Some(user.gid))
                .map_err(StartError::io("change the owner of", path)),
        }
    }

    /// Checks that the account may enter `folder` and every folder above it.
    pub(crate) fn check_traversal(&self, folder: &Path) -> Result<(), StartError> {
        let Self::Dropped(user) = self else {
            return Ok(());
        };
        let enters = |folder: &Path| {
            // Asked of the kernel as that user, because mode bits are not the whole truth (ACLs).
            let status = self.command("test").arg("-x").arg(folder).status();
            status.is_ok_and(|status| status.success())
        };
        if enters(folder) {
            return Ok(());
        }
        let outermost: Vec<PathBuf> = folder.ancestors().map(Path::to_owned).collect();
        let blocked = outermost
            .into_iter()
            .rev()
            .find(|ancestor| !enters(ancestor));
        Err(StartError::NotTraversable {
            user: user.name.clone(),
            folder: blocked.unwrap_or_else(|| folder.to_owned()),
        })
    }
}

impl User {
    fn named(name: &str) -> Option<Self> {
        let uid = id("-u", name)?.parse().ok()?;
        let gid = id("-g", name)?.parse().ok()?;
        Some(Self {
            name: name.to_owned(),
            uid,
            gid,
        })
    }
}

/// Asks `id`, which knows every source of users that the machine has (files, LDAP, …).
fn id(what: &str, user: &str) -> Option<String> {
    let output = Command::new("id")
        .args([what, user])
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
