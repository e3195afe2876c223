//! What watching, unwatching and uninstalling would do: the SQL, for people to read first.

use sqlx::{Connection, PgConnection, Row};

use crate::error::Error;
use crate::install::install_engine;
use crate::watch::watch_once;

/// What a command would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preview {
    /// The database, and the role that would do it.
    pub place: String,
    /// Whether the schema `rowcast` is installed first.
    pub installs: bool,
    /// The statements, in order; empty if there is nothing to do.
    pub statements: Vec<String>,
}

/// What [`watch`](crate::watch) would do: found out by doing it in a transaction that is rolled back.
///
/// # Errors
/// As for [`watch`](crate::watch).
pub async fn preview_watch(connection: &mut PgConnection, table: &str) -> Result<Preview, Error> {
    let place = place(connection).await?;
    // Installing changes where names are looked for.
    let table = &qualified(connection, table).await?;
    let mut attempt = connection.begin().await?;
    let installs = !is_installed(&mut attempt).await?;
    if installs {
        install_engine(&mut attempt).await?;
    }
    let was_watched = is_watched(&mut attempt, table).await?;
    let before = triggers(&mut attempt, table).await?;
    watch_once(&mut attempt, table).await?;
    let after = triggers(&mut attempt, table).await?;
    attempt.rollback().await?;
    let mut statements = Vec::new();
    for trigger in after {
        let held = before
            .iter()
            .find(|held| held.name == trigger.name && held.table == trigger.table);
        let Trigger { table, name, .. } = &trigger;
        if held.is_none() {
            statements.push(format!("{};", trigger.definition));
        }
        if trigger.is_always && held.is_none_or(|held| !held.is_always) {
            statements.push(format!(
                "ALTER TABLE ONLY {table} ENABLE ALWAYS TRIGGER {name};"
            ));
        }
    }
    if !was_watched {
        let row = format!("({}, rowcast.shape({0}))", literal(table));
        statements.push(format!(
            "INSERT INTO rowcast.watched (relation, shape) VALUES {row};"
        ));
    }
    Ok(Preview {
        place,
        installs,
        statements,
    })
}

/// What [`unwatch`](crate::unwatch) would do.
///
/// # Errors
/// If there is no such table, or the database cannot be asked.
pub async fn preview_unwatch(connection: &mut PgConnection, table: &str) -> Result<Preview, Error> {
    let place = place(connection).await?;
    let mut statements = Vec::new();
    if is_installed(connection).await? {
        let was_watched = is_watched(connection, table).await?;
        for Trigger { table, name, .. } in triggers(connection, table).await? {
            statements.push(format!("DROP TRIGGER {name} ON {table};"));
        }
        if was_watched {
            let table = literal(table);
            statements.push(format!(
                "DELETE FROM rowcast.watched WHERE relation = {table}::regclass;"
            ));
        }
    }
    Ok(Preview {
        place,
        installs: false,
        statements,
    })
}

/// What [`uninstall`](crate::uninstall) would do.
///
/// # Errors
/// If the database cannot be asked.
pub async fn preview_uninstall(connection: &mut PgConnection) -> Result<Preview, Error> {
    let place = place(connection).await?;
    let mut statements = Vec::new();
    if is_installed(connection).await? {
        for table in watched(connection).await? {
            statements.extend(preview_triggers(connection, &table).await?);
        }
        let events = "select evtname::text from pg_event_trigger \
                      where evtname in ('rowcast_on_ddl', 'rowcast_on_drop') order by evtname";
        let events: Vec<String> = sqlx::query_scalar(events)
            .fetch_all(&mut *connection)
            .await?;
        statements.extend(
            events
                .iter()
                .map(|name| format!("DROP EVENT TRIGGER {name};")),
        );
        statements.push("DROP SCHEMA rowcast CASCADE;".to_owned());
    }
    Ok(Preview {
        place,
        installs: false,
        statements,
    })
}

async fn preview_triggers(
    connection: &mut PgConnection,
    table: &str,
) -> Result<Vec<String>, Error> {
    let triggers = triggers(connection, table).await?.into_iter();
    let drop = |Trigger { table, name, .. }: Trigger| format!("DROP TRIGGER {name} ON {table};");
    Ok(triggers.map(drop).collect())
}

/// The watched tables, as SQL writes their names.
pub(crate) async fn watched(connection: &mut PgConnection) -> Result<Vec<String>, Error> {
    // A table that was dropped has only a number left.
    let sql = "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) \
               from rowcast.watched w join pg_class c on c.oid = w.relation \
               join pg_namespace n on n.oid = c.relnamespace order by 1";
    Ok(sqlx::query_scalar(sql).fetch_all(connection).await?)
}

struct Trigger {
    table: String,
    name: String,
    definition: String,
    /// It also fires under `session_replication_role = replica`.
    is_always: bool,
}

/// The triggers that Rowcast has on a table and its partitions.
async fn triggers(connection: &mut PgConnection, table: &str) -> Result<Vec<Trigger>, Error> {
    let sql = "select quote_ident(n.nspname) || '.' || quote_ident(c.relname), quote_ident(g.tgname), \
                      pg_get_triggerdef(g.oid), g.tgenabled = 'A' \
               from rowcast.members($1::text::regclass) as member \
               join pg_trigger g on g.tgrelid = member \
               join pg_class c on c.oid = g.tgrelid join pg_namespace n on n.oid = c.relnamespace \
               join pg_proc p on p.oid = g.tgfoid \
               where p.pronamespace = 'rowcast'::regnamespace order by 1, g.oid";
    let rows = sqlx::query(sql).bind(table).fetch_all(connection).await;
    let rows = rows.map_err(|error| crate::watch::explain(error, std::time::Duration::ZERO))?;
    let trigger = |row: sqlx::postgres::PgRow| {
        Ok(Trigger {
            table: row.try_get(0)?,
            name: row.try_get(1)?,
            definition: row.try_get(2)?,
            is_always: row.try_get(3)?,
        })
    };
    rows.into_iter().map(trigger).collect()
}

/// The table's name with its schema, as SQL writes it.
async fn qualified(connection: &mut PgConnection, table: &str) -> Result<String, Error> {
    let sql = "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) \
               from pg_class c join pg_namespace n on n.oid = c.relnamespace \
               where c.oid = $1::text::regclass";
    let name = sqlx::query_scalar(sql)
        .bind(table)
        .fetch_one(connection)
        .await;
    name.map_err(|error| crate::watch::explain(error, std::time::Duration::ZERO))
}

pub(crate) async fn is_installed(connection: &mut PgConnection) -> Result<bool, Error> {
    let sql = "select to_regclass('rowcast.watched') is not null";
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

async fn is_watched(connection: &mut PgConnection, table: &str) -> Result<bool, Error> {
    let sql = "select exists (select from rowcast.watched where relation = $1::text::regclass)";
    let watched = sqlx::query_scalar(sql)
        .bind(table)
        .fetch_one(connection)
        .await;
    watched.map_err(|error| crate::watch::explain(error, std::time::Duration::ZERO))
}

async fn place(connection: &mut PgConnection) -> Result<String, Error> {
    let sql = "select format('database %I, as role %I', current_database(), current_user)";
    Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
}

/// A string as SQL writes it.
fn literal(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if text.contains('\\') {
        return format!(" E'{}'", doubled.replace('\\', "\\\\"));
    }
    format!("'{doubled}'")
}
