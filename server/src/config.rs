//! What the user sets, by flags and environment variables. [`crate::ServerOptions`] is what becomes
//! of it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::admin::AdminToken;
use crate::db::timeouts::Timeouts;
use crate::http::health::VERSION;
use crate::http::origin::Origin;
use crate::limits::{
    CATALOGUE_TIMEOUT, CHART_TIMEOUT, EDIT_TIMEOUT, EXPENSIVE_COST, EXPORT_TIMEOUT, POLL_INTERVAL,
    POOL_SIZE, QUERY_TIMEOUT, SUMMARY_TIMEOUT, VIEW_MEMORY_MIB,
};
use crate::{Database, Demo, ServerOptions};

/// Products that the demo starts with.
const DEMO_PRODUCTS: u64 = 100_000;

/// Shows any PostgreSQL table as a live grid.
///
/// Without DATABASE_URL a private PostgreSQL is started, with demo tables in it. With DATABASE_URL
/// nothing is added to that database but the schema `rowcast` (unless --demo is given). Every table is shown;
/// `rowcast watch TABLE` makes one live.
#[derive(Clone, Debug, Parser)]
#[command(name = "rowcast", version = VERSION, about, long_about)]
pub struct Config {
    /// What to do instead of serving.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to reach it.
    #[command(flatten)]
    pub network: Network,
    /// Where the data is.
    #[command(flatten)]
    pub data: Data,
    /// Who may create indexes.
    #[command(flatten)]
    pub admin: Admin,
    /// How long queries may take.
    #[command(flatten)]
    pub query_limits: QueryLimits,
    /// What the log looks like; RUST_LOG chooses what is in it (such as `info`,
    /// `server=debug,info`).
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Pretty)]
    pub log_format: LogFormat,
}

/// Everything but serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Asks the server on HOST and PORT whether it is ready; succeeds if it is. For containers.
    Healthcheck,
    /// Makes a table live: shows the SQL that puts triggers on it, asks, and runs it.
    Watch {
        /// The table, as SQL writes it: public.products, '"My Table"'.
        table: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Removes what `watch` put on a table; it is shown all the same, by polling.
    Unwatch {
        /// The table, as SQL writes it.
        table: String,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Removes all that Rowcast has put into the database: triggers and the schema `rowcast`. Stop the
    /// servers first.
    Uninstall {
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Indexes: creates the one that a view needs, lists them, drops those whose creation failed.
    Index {
        /// What to do.
        #[command(subcommand)]
        command: IndexCommand,
    },
}

/// What to do with indexes.
#[derive(Clone, Debug, Subcommand)]
pub enum IndexCommand {
    /// Creates the index that a view needs, without stopping writers: shows the SQL, asks, and runs it.
    Create {
        /// The table, as SQL writes it: public.products, '"My Table"'.
        table: String,
        /// The view's order, such as `-price,name`: the largest prices first.
        #[arg(long, allow_hyphen_values = true)]
        sort: Option<String>,
        /// The view's filter, as the HTTP API takes it: `category = "Books" and price > 10`.
        #[arg(long)]
        filter: Option<String>,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
    /// Lists the indexes of a table, or of all.
    List {
        /// The table, as SQL writes it.
        table: Option<String>,
    },
    /// Drops the indexes that are not valid, since their creation failed: shows the SQL, asks, and runs it.
    DropInvalid {
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
    },
}

/// How to reach the server.
#[derive(Clone, Debug, Args)]
pub struct Network {
    /// The address to listen on. 127.0.0.1 lets only this machine connect, 0.0.0.0 every machine.
    #[arg(long, global = true, env = "HOST", value_parser = parse_host,
          default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub host: IpAddr,
    /// The TCP port to listen on.
    #[arg(long, global = true, env = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// A web origin whose pages may connect besides the server's own, such as
    /// `https://rowcast.example`; also needed for the server's own name behind a proxy. Repeatable,
    /// or separated by commas.
    #[arg(
        long,
        env = "ROWCAST_ALLOWED_ORIGINS",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub allowed_origin: Vec<Origin>,
    /// The folder with the built web viewer [default: web-dist beside the program, else
    /// target/web-dist]
    #[arg(long, env = "ROWCAST_WEB_DIR", value_name = "FOLDER")]
    pub web_dir: Option<PathBuf>,
}

/// Where the data is.
#[derive(Clone, Debug, Args)]
pub struct Data {
    /// The PostgreSQL to use, such as postgres://user:password@host:5432/database. Without it a
    /// private one is started.
    #[arg(
        long,
        global = true,
        env = "DATABASE_URL",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub database_url: Option<String>,
    /// The Redis through which several servers tell each other of changes, such as
    /// redis://host:6379. Without it this server works alone.
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL")]
    pub redis_url: Option<String>,
    /// The folder for the private PostgreSQL's data.
    #[arg(
        long,
        global = true,
        env = "ROWCAST_DATA_DIR",
        default_value = "./.rowcast",
        value_name = "FOLDER"
    )]
    pub data_dir: PathBuf,
    /// Connections to PostgreSQL for queries; a few more are used for the change log.
    #[arg(long, env = "ROWCAST_POOL_SIZE", default_value_t = POOL_SIZE,
          value_parser = clap::value_parser!(u32).range(2..=1_000))]
    pub pool_size: u32,
    /// Seconds between two looks at a table that is not live (it is not watched, a view, without a key, …);
    /// longer where a look takes long.
    #[arg(long, env = "ROWCAST_POLL_SECONDS", default_value_t = POLL_INTERVAL.as_secs(),
          value_parser = clap::value_parser!(u64).range(1..=3_600), value_name = "SECONDS")]
    pub poll_seconds: u64,
    /// Memory for finding rows by their number, in MiB: a few hundred KiB for a view that an index serves, 8 bytes
    /// a row and more for another one. Beyond it, what was unused for longest is forgotten and found again on
    /// demand.
    #[arg(long, env = "ROWCAST_VIEW_MEMORY", default_value_t = VIEW_MEMORY_MIB, value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(1..=1_048_576))]
    pub view_memory: u32,
    /// What opening a view may cost before the viewer must say that it is meant, in the planner's units (sorting a
    /// million rows without an index costs about 200,000); 0 for no limit.
    #[arg(long, env = "ROWCAST_EXPENSIVE_COST", default_value_t = EXPENSIVE_COST, value_name = "COST")]
    pub expensive_cost: u64,
    /// Install and fill the demo tables in the database of DATABASE_URL too.
    #[arg(long, env = "ROWCAST_DEMO")]
    pub demo: bool,
    /// Products to fill the demo with if it is empty; 0 for no demo tables at all.
    #[arg(long, env = "ROWCAST_SEED_PRODUCTS", default_value_t = DEMO_PRODUCTS, value_name = "N")]
    pub seed_products: u64,
}

/// Who may create indexes.
#[derive(Clone, Debug, Args)]
pub struct Admin {
    /// The secret (16 characters or more) that a client presents to create indexes. Without it no client can.
    #[arg(
        long,
        env = "ROWCAST_ADMIN_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub admin_token: Option<AdminToken>,
    /// The file that holds the admin token, instead of ROWCAST_ADMIN_TOKEN.
    #[arg(long, env = "ROWCAST_ADMIN_TOKEN_FILE", value_name = "FILE", value_parser = AdminToken::read)]
    pub admin_token_file: Option<AdminToken>,
}

impl Admin {
    /// An empty one is none, as compose files set it.
    fn token(self) -> Option<AdminToken> {
        let token = self.admin_token.filter(|token| !token.is_empty());
        token.or(self.admin_token_file)
    }
}

/// How long a query may take in PostgreSQL, by what it is for, in seconds.
#[derive(Clone, Debug, Args)]
pub struct QueryLimits {
    /// Seconds that a query for rows may take that somebody waits for.
    #[arg(long, env = "ROWCAST_TIMEOUT_ROWS", default_value_t = QUERY_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_rows: u64,
    /// Seconds that a statement may take that counts a view, in the background.
    #[arg(long, env = "ROWCAST_TIMEOUT_COUNT", default_value_t = CHART_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_count: u64,
    /// Seconds that a query for groups, totals or distinct values may take.
    #[arg(long, env = "ROWCAST_TIMEOUT_SUMMARY", default_value_t = SUMMARY_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_summary: u64,
    /// Seconds that an export may take.
    #[arg(long, env = "ROWCAST_TIMEOUT_EXPORT", default_value_t = EXPORT_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_export: u64,
    /// Seconds that writing a row may take, the wait for its lock included.
    #[arg(long, env = "ROWCAST_TIMEOUT_EDIT", default_value_t = EDIT_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_edit: u64,
    /// Seconds that reading what tables there are may take.
    #[arg(long, env = "ROWCAST_TIMEOUT_CATALOGUE", default_value_t = CATALOGUE_TIMEOUT.as_secs(), value_name = "SECONDS",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub timeout_catalogue: u64,
}

impl QueryLimits {
    fn timeouts(&self) -> Timeouts {
        Timeouts {
            first_rows: Duration::from_secs(self.timeout_rows),
            count: Duration::from_secs(self.timeout_count),
            summary: Duration::from_secs(self.timeout_summary),
            export: Duration::from_secs(self.timeout_export),
            edit: Duration::from_secs(self.timeout_edit),
            catalogue: Duration::from_secs(self.timeout_catalogue),
        }
    }
}

/// What the log looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object per line.
    Json,
}

impl Config {
    /// The options that a server is started with.
    pub fn into_options(self) -> ServerOptions {
        // An empty variable, as compose files set it, is none.
        let set = |url: Option<String>| url.filter(|url| !url.trim().is_empty());
        let Data {
            database_url,
            redis_url,
            data_dir,
            pool_size,
            poll_seconds,
            view_memory,
            expensive_cost,
            demo,
            seed_products,
        } = self.data;
        let (database, wants_demo) = match set(database_url) {
            Some(url) => (Database::Url(url), demo),
            None => (
                Database::Private(private_postgres::Options::durable(
                    data_dir.join("postgres"),
                )),
                true,
            ),
        };
        let demo = (wants_demo && seed_products > 0).then_some(Demo {
            products: seed_products,
        });
        ServerOptions {
            pool_size,
            poll_interval: Duration::from_secs(poll_seconds),
            view_memory_mib: view_memory,
            expensive_cost,
            admin_token: self.admin.token(),
            timeouts: self.query_limits.timeouts(),
            redis_url: set(redis_url),
            demo,
            allowed_origins: self.network.allowed_origin,
            web_dir: self.network.web_dir.unwrap_or_else(default_web_dir),
            ..ServerOptions::new(database)
        }
    }
}

fn parse_host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    text.parse().map_err(|_| {
        "it must be an IP address of this machine, such as 127.0.0.1 or 0.0.0.0".to_owned()
    })
}

fn default_web_dir() -> PathBuf {
    let beside = std::env::current_exe().ok().and_then(|program| {
        let folder = program.parent()?.join("web-dist");
        folder.is_dir().then_some(folder)
    });
    beside.unwrap_or_else(|| PathBuf::from("target/web-dist"))
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Config;
    use crate::Database;

    fn parse(arguments: &[&str]) -> Result<Config, clap::Error> {
        Config::try_parse_from([&["rowcast"], arguments].concat())
    }

    #[test]
    fn help_names_every_variable_and_default() {
        Config::command().debug_assert();
        let help = Config::command().render_long_help().to_string();
        for word in [
            "HOST",
            "127.0.0.1",
            "PORT",
            "8080",
            "DATABASE_URL",
            "REDIS_URL",
            "RUST_LOG",
            "ROWCAST_DATA_DIR",
            "./.rowcast",
            "LOG_FORMAT",
            "web-dist",
            "100000",
        ] {
            assert!(help.contains(word), "{word} is not in:\n{help}");
        }
    }

    #[test]
    fn a_database_of_the_users_own_gets_no_demo_unless_asked() {
        let url = "--database-url=postgres://me@db/mine";
        let own = parse(&[url]).unwrap().into_options();
        assert!(matches!(own.database, Database::Url(_)) && own.demo.is_none());
        let asked = parse(&[url, "--demo", "--seed-products", "7"])
            .unwrap()
            .into_options();
        assert_eq!(asked.demo.unwrap().products, 7);
        let private = parse(&["--database-url=", "--data-dir=/d"])
            .unwrap()
            .into_options();
        assert_eq!(private.demo.unwrap().products, 100_000);
        let Database::Private(options) = private.database else {
            panic!("not private")
        };
        assert_eq!(options.data_dir, std::path::Path::new("/d/postgres"));
    }

    #[test]
    fn bad_values_are_explained() {
        let says = |arguments: &[&str]| parse(arguments).unwrap_err().to_string();
        assert!(says(&["--allowed-origin", "good.example"]).contains("looks like https://"));
        assert!(says(&["--host", "here"]).contains("such as 127.0.0.1"));
        assert!(says(&["--pool-size", "1"]).contains("2..=1000"));
    }
}
