//! Fills an empty data folder.

use std::fs;

use crate::account::Account;
use crate::data_folder::{DataFolder, make_private_folder};
use crate::installation::Installation;
use crate::postmaster::reason;
use crate::{NAME, Options, StartError};

/// Creates the data directory beside its place and moves it there when it is complete, so that an
/// interrupted run leaves nothing that looks like data.
pub(crate) fn run(
    folder: &DataFolder,
    account: &Account,
    installation: &Installation,
    options: &Options,
) -> Result<(), StartError> {
    let cluster = folder.cluster();
    let unfinished = cluster.with_extension("new");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(StartError::io("remove", &unfinished))?;
    }
    tracing::info!(folder = %cluster.display(), "creating the private PostgreSQL's data");
    make_private_folder(&unfinished, account)?;
    let program = installation.program("initdb");
    let mut command = account.command(&program);
    command
        .arg("--pgdata")
        .arg(&unfinished)
        .arg("--username")
        .arg(NAME);
    command.arg("--pwfile").arg(folder.password_file());
    command.args([
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--no-instructions",
    ]);
    command.arg(format!("--locale={}", options.locale));
    if !options.durable {
        command.arg("--no-sync");
    }
    let output = command.output().map_err(StartError::io("run", &program))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        return Err(StartError::Initdb {
            folder: cluster,
            reason: reason(&text),
        });
    }
    fs::rename(&unfinished, &cluster).map_err(StartError::io("rename", &unfinished))
}
