//! Every bound of the server, with its unit.

use std::time::Duration;

// ---- The change log ----

/// Log rows read in one batch; beyond it the changed tables' views are rebuilt.
pub const BATCH_SIDES_MAX: usize = 20_000;
/// The shortest and the longest time between two reads of the log while changes keep coming.
pub const READ_INTERVAL: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_millis(5));
/// Images in one read that make the time until the next one longer by the shortest.
pub const READ_AT_ONCE: usize = 16;
/// How long the reader stays awake (and writers need not notify) after the last change.
pub const AWAKE_LINGER: Duration = Duration::from_millis(6);
/// How often a sleeping reader looks by itself, should a notification be lost.
pub const BACKSTOP_INTERVAL: Duration = Duration::from_secs(1);
/// How often a sleeping reader looks where no notification can be relied upon.
pub const UNNOTIFIED_POLL: Duration = Duration::from_millis(20);
/// First and longest pause between looks for writers that were told not to notify and still run.
pub const SILENCED_POLL: (Duration, Duration) =
    (Duration::from_millis(1), Duration::from_millis(250));
/// How long a follower waits for the leader's batch after its own notification.
pub const FOLLOWER_PATIENCE: Duration = Duration::from_millis(20);
/// How often the leader says where it is, and each follower what it wants told.
pub const HEARTBEAT: Duration = Duration::from_millis(250);
/// What a follower wanted that has not said so again for so long is forgotten.
pub const FOLLOWER_SILENCE_MAX: Duration = Duration::from_secs(3);
/// A leader not heard of for so long is not relied upon.
pub const LEADER_SILENCE_MAX: Duration = Duration::from_secs(1);
/// How often a follower without a leader reads the log.
pub const LEADERLESS_POLL: Duration = Duration::from_millis(50);
/// A batch larger than this is not published: followers read the log instead.
pub const PUBLISH_BYTES_MAX: usize = 1 << 20;
/// Batches waiting between Redis and the reader.
pub const RELAY_QUEUE: usize = 1_024;
/// How old a change must be before it is deleted from the log.
pub const LOG_RETENTION: Duration = Duration::from_secs(300);
/// How often old changes are deleted and new partitions looked for.
pub const HOUSEKEEPING_INTERVAL: Duration = Duration::from_secs(10);
/// How long any statement of the reader may take before its connection is given up.
pub const READER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the listening connection is tested.
pub const LISTENER_HEARTBEAT: Duration = Duration::from_secs(5);
/// First and longest pause between attempts to reconnect to PostgreSQL.
pub const RECONNECT_BACKOFF: (Duration, Duration) =
    (Duration::from_millis(100), Duration::from_secs(5));

/// Longest pause between attempts to reconnect to Redis.
pub const REDIS_BACKOFF_MAX: Duration = Duration::from_secs(2);

// ---- Tables, views and windows ----

/// Batches waiting for one table; a table that falls further behind rebuilds its views.
pub const TABLE_FEED_QUEUE: usize = 1_024;
/// How long one table's task applies waiting batches before it looks whether anything else waits.
pub const BATCHES_TURN_MAX: Duration = Duration::from_millis(100);
/// A table is attended for so many times as long after its last view is gone as that was kept unused: whoever returns in the
/// meantime is told what changed.
pub const TABLE_IDLE_FACTOR: u32 = 10;
/// Requests waiting for one table.
pub const TABLE_COMMAND_QUEUE: usize = 1_024;
/// Images of one table's recent changes kept for resuming clients and late fetches.
pub const HISTORY_SIDES_MAX: usize = 50_000;
/// Queries under way at once for the rows of one view.
pub const FETCHES_PER_VIEW_MAX: usize = 4;
/// Rows fetched beyond a missing range on each side, so that small moves need no query; a jump fetches none.
pub const FETCH_MARGIN: u64 = 100;
/// A view keeps rows this far around its windows when it lets go of others.
pub const KEEP_MARGIN: u64 = 300;
/// A view lets go of rows when it holds this many more than its windows need.
pub const RELEASE_SLACK: usize = 2_000;
/// Rows that it lets go of at a time, before others of its table have their turn: some tenths of a millisecond.
pub const RELEASED_AT_ONCE: usize = 200;
/// How long counting a view may take.
pub const CHART_TIMEOUT: Duration = Duration::from_secs(600);
/// Views that are divided at the same time.
pub const CHARTS_MAX: usize = 4;
/// How long PostgreSQL may take to cancel a count that nobody waits for, before its connection is closed.
pub const CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// What parallel workers must save at least to help with a count, in the planner's units (its own default, 1,000, is
/// too little where all pages are in memory: starting two of them takes as long as counting 100,000 rows).
pub const COUNT_HELP_COST: u32 = 5_000;
/// How long the first rows of a view go before its count, unless that is cheaper than [`COUNT_HELP_COST`], and the
/// count before its division.
pub const HEAD_START: Duration = Duration::from_millis(100);
/// A view of no more rows than this, as the planner estimates, is counted with its first rows,
pub const COUNTED_AT_ONCE_MAX: u64 = 20_000;
/// if finding them all costs no more than this, in the planner's units: about a millisecond.
pub const COUNTED_AT_ONCE_COST: u32 = 1_000;
/// The share of the memory for views that one view may take which no index serves.
pub const LISTED_SHARE: u64 = 4;
/// Bytes that a remembered key takes which is not one integer, near enough.
pub const LISTED_KEY_BYTES: u64 = 120;
/// Blocks passed by a walk along an index in one question: some tens of milliseconds, if the index is in memory.
pub const WALKED_BLOCKS: u64 = 256;
/// Memory for all views' divisions, in MiB, unless told otherwise; above it the views unused for longest forget
/// theirs.
pub const VIEW_MEMORY_MIB: u32 = 1_024;
/// How long the division of a view waits for others to make room for it.
pub const MEMORY_PATIENCE: Duration = Duration::from_secs(2);
/// How often it is measured how much the divisions of a table's views have grown, while it changes.
pub const MEMORY_INTERVAL: Duration = Duration::from_secs(1);
/// Images kept for answers under way, beyond [`HISTORY_SIDES_MAX`].
pub const HISTORY_PINNED_SIDES_MAX: usize = 1_000_000;
/// Known values of an order among which new ones are placed in one step; among more, in two.
pub const PLACED_AT_ONCE_MAX: usize = 1_000;
/// How often clients are told how far a count has come.
pub const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// A view without windows is dropped after this time, unless told otherwise.
pub const VIEW_IDLE_MAX: Duration = Duration::from_secs(30);
/// Pause before a failed query of a view is tried again.
pub const FETCH_RETRY: Duration = Duration::from_millis(500);
/// Tests in one filter.
pub const FILTER_TESTS_MAX: usize = 64;
/// Values in one `in`.
pub const FILTER_VALUES_MAX: usize = 500;
/// Characters in one text that a filter looks for: a pattern, a path, a part of a text.
pub const FILTER_TEXT_CHARS_MAX: usize = 1_000;
/// Characters in a search.
pub const SEARCH_CHARS_MAX: usize = 200;
/// Words in a search.
pub const SEARCH_WORDS_MAX: usize = 16;
/// Rows that a search by full text may find to be ordered by rank: PostgreSQL computes the rank of every
/// one (some 20 to 100 µs each).
pub const SEARCH_RANKED_ROWS_MAX: u32 = 20_000;
/// How long counting so many may take; the search is ordered by key if it takes longer.
pub const SEARCH_RANKED_TIMEOUT: Duration = Duration::from_millis(500);
/// Columns that a search without an index looks into: the table's first ones that hold text.
pub const SEARCH_COLUMNS_MAX: usize = 32;
/// The longest relative date: a thousand years, in seconds.
pub const RELATIVE_SECONDS_MAX: f64 = 1_000.0 * 366.0 * 86_400.0;
/// How often it is looked whether a view with relative dates is due to move.
pub const CLOCK_INTERVAL: Duration = Duration::from_millis(250);
/// Rows that one step of such a view may read; beyond it the view is built anew.
pub const CLOCK_ROWS_MAX: usize = 20_000;
/// How long PostgreSQL may take to read a filter's constants.
pub const PLAN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a batch's verdicts on conditions with a pattern may take, besides the time per image.
pub const VERDICT_TIMEOUT: Duration = Duration::from_millis(500);
/// The same for each image.
pub const VERDICT_TIMEOUT_PER_IMAGE: Duration = Duration::from_micros(100);
/// Conditions asked about one by one at the same time, to find the one that failed.
pub const VERDICT_SUSPECTS: usize = 4;
/// Columns in one sort.
pub const SORT_COLUMNS_MAX: usize = 16;

// ---- Tables that are not live ----

/// Tables that are shown; watched ones come first.
pub const TABLES_MAX: usize = 10_000;
/// The pause between two looks at a table that is not live, unless told otherwise.
pub const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// The pause is at least so many times as long as the look took.
pub const POLL_PAUSE_FACTOR: u32 = 10;
/// The pause is never longer than this, or than the one asked for.
pub const POLL_INTERVAL_MAX: Duration = Duration::from_secs(60);
/// How long a look at a table that is not live may take.
pub const POLL_TIMEOUT: Duration = Duration::from_secs(10);
/// How much later it is given up even if PostgreSQL does not say so (it may be waiting for another server).
pub const POLL_TIMEOUT_GRACE: Duration = Duration::from_secs(2);
/// Connections for looks at tables that are not live, besides the pool.
pub const POLL_CONNECTIONS: u32 = 4;
/// How many of them foreign tables and slow views may take.
pub const POLL_CONNECTIONS_SLOW: usize = 2;
/// A look that took longer counts as slow.
pub const POLL_SLOW: Duration = Duration::from_secs(1);
/// Looks that fail one after the other before a window that shows rows is closed.
pub const POLL_FAILURES_MAX: u32 = 3;
/// Ranges of rows in one statement; more are asked for in further ones.
pub const POLL_RANGES_MAX: usize = 16;
/// Rows that a look counts; beyond it the total is PostgreSQL's estimate.
pub const POLL_COUNT_MAX: u64 = 1_000_000;

// ---- Summaries ----

/// Summaries kept at once on one socket.
pub const SUMMARIES_PER_SESSION_MAX: usize = 16;
/// Groups shown of one summary.
pub const GROUPS_SHOWN_MAX: u32 = 1_000;
/// Keys of one summary.
pub const SUMMARY_KEYS_MAX: usize = 8;
/// Aggregates of one summary.
pub const SUMMARY_AGGREGATES_MAX: usize = 32;
/// Buckets of one key, and bounds that a client may name.
pub const BUCKETS_MAX: u32 = 500;
/// Groups of one summary.
pub const GROUPS_MAX: usize = 100_000;
/// Groups of one summary whose keys only PostgreSQL can compare: it is shown all of them with each new one.
pub const ASKED_GROUPS_MAX: usize = 10_000;
/// Groups of all summaries of one table; each takes a few hundred bytes.
pub const GROUPS_PER_TABLE_MAX: usize = 500_000;
/// Extreme values fetched when a group's are lost, so that the next few to go need no query.
pub const EXTREMES_FETCHED: usize = 64;
/// Lost extremes of one summary that are asked for one by one; with more of them it is counted anew.
pub const DOUBTS_PER_SUMMARY_MAX: usize = 64;
/// Questions about a table's summaries in one statement; the others wait for its answer.
pub const SUMMARY_PARTS_MAX: usize = 256;
/// How often in a row a summary that cannot be kept is counted again before it is refused.
pub const SUMMARY_MISTAKES_MAX: u32 = 3;
/// Parameters of such a statement, of which PostgreSQL takes 65,535, beyond its first question.
pub const SUMMARY_PARAMETERS_MAX: usize = 10_000;

// ---- Sessions ----

/// The largest frame a client may send, in bytes.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;
/// Bytes the socket may hold for a client that does not read, before it is cut.
pub const WRITE_BUFFER_BYTES_MAX: usize = 4 << 20;
/// Windows open at once on one socket.
pub const WINDOWS_PER_SESSION_MAX: usize = 16;
/// Rows in one window.
pub const WINDOW_ROWS_MAX: u32 = 1_000;
/// Bytes waiting to be written to one socket: a screenful of every window, twice.
pub const OUTBOX_BYTES_MAX: usize = 32 << 20;
/// Messages waiting to be written to one socket.
pub const OUTBOX_QUEUE: usize = 256;
/// Silence on a socket after which the server says that it is alive.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(10);
/// A client of which nothing is heard for so long, not even an answer to the pings that go with that, is gone: its machine, or the
/// network, and no one has said so.
pub const CLIENT_SILENCE_MAX: Duration = Duration::from_secs(35);
/// A client that takes no bytes for so long is cut.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Bad messages after which a socket is closed.
pub const BAD_MESSAGES_MAX: u32 = 20;
/// Edits under way at once on one socket.
pub const EDITS_PER_SESSION_MAX: usize = 64;

// ---- PostgreSQL ----

/// Connections in the pool, unless told otherwise.
pub const POOL_SIZE: u32 = 16;
/// Connections besides the pool: one listens, one reads the change log, one is spare for when
/// either is replaced before PostgreSQL has noticed that it is gone.
pub const DIRECT_CONNECTIONS: u32 = 3;
/// How long a request waits for a connection of the pool.
pub const POOL_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a database that says it is starting is waited for.
pub const DATABASE_START_PATIENCE: Duration = Duration::from_secs(60);
/// How long a query of a view may take.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Statements that take longer are named in the log.
pub const SLOW_STATEMENT: Duration = Duration::from_secs(20);
/// How long a query for groups, totals or distinct values may take.
pub const SUMMARY_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a statement of an export may take.
pub const EXPORT_TIMEOUT: Duration = Duration::from_secs(3_600);
/// How long writing a row may take, the wait for its lock included.
pub const EDIT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long reading what tables there are may take.
pub const CATALOGUE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a query may wait for a lock, such as an edit of a row that somebody else has locked.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// The share of the pool that fetches of rows may take; the rest is for what is quick.
pub const FETCH_SHARE: u32 = 2;
/// The share of the pool that counting views by one statement may take, beside [`CHARTS_MAX`].
pub const COUNT_SHARE: u32 = 8;
/// The share of the pool that edits may take, each of which may wait for a row's lock.
pub const EDIT_SHARE: u32 = 4;
/// How long PostgreSQL keeps a transaction of ours that says nothing.
pub const IDLE_IN_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Silence after which a connection to PostgreSQL is probed.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
/// The time between two probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Probes without an answer after which the connection is given up.
pub const KEEPALIVE_RETRIES: u32 = 3;
/// How long sent bytes may stay unacknowledged before the connection is given up.
pub const TCP_USER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a start waits for the change log to be followed.
pub const LIVE_PATIENCE: Duration = Duration::from_secs(10);
/// How long a check of `/readyz` waits for PostgreSQL.
pub const READY_TIMEOUT: Duration = Duration::from_secs(1);

// ---- Advice on indexes ----

/// Advice on a view that is opened is worked out so much later: its first rows and its total come first.
pub const ADVICE_DELAY: Duration = Duration::from_millis(20);
/// How long the plans for one view may take to make.
pub const ADVICE_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows whose plan stands for a window's first rows: a screenful with what is fetched around it.
pub const ADVICE_FIRST_ROWS: u32 = 300;
/// A view that costs no more needs no index. In the planner's units, of which about 150,000 take a second.
pub const SMALL_COST_MAX: f64 = 10_000.0;
/// Where rows are read along an index and then filtered, the first rows may cost so much, in the planner's units.
pub const SERVED_FIRST_COST_MAX: f64 = 50_000.0;
/// A view is walked along an index whose rows must still be filtered, or sorted in part, if that costs at most so
/// many times what the best plan does: it needs no memory afterwards.
pub const WALK_COST_RATIO_MAX: f64 = 4.0;
/// The same where the view's keys are too many to be remembered: it is that or nothing.
pub const WALK_COST_RATIO_LAST: f64 = 100.0;
/// Rows that are sorted at once without a word about it, where an index finds them.
pub const FOUND_ROWS_MAX: f64 = 10_000.0;
/// What it costs to read a row that an index names, in the planner's units, when no other row of its page is read.
pub const ROW_READ_COST: f64 = 4.0;
/// A view whose first rows cost more is not opened before the client says that it is meant, in the planner's
/// units: sorting about four million rows costs as much.
pub const EXPENSIVE_COST: u64 = 1_000_000;
/// Rows that are made up and counted once, to see how fast the server is.
pub const PROBE_ROWS: u32 = 200_000;
/// Openings of views whose time is remembered, to translate the planner's units into time.
pub const CALIBRATION_SAMPLES: usize = 32;
/// Views whose advice is worked out at the same time.
pub const ADVICE_AT_ONCE: usize = 2;
/// Views whose advice is remembered.
pub const ADVICE_REMEMBERED_MAX: usize = 512;
/// How long it is: indexes come and go without a word to the server.
pub const ADVICE_AGE_MAX: Duration = Duration::from_secs(60);
/// How long creating an index waits for transactions that are open, or for other work on the table's indexes.
/// Nobody waits behind it.
pub const INDEX_LOCK_PATIENCE: Duration = Duration::from_secs(600);
/// How long a statement waits that writers would wait behind; it is tried again for [`INDEX_LOCK_PATIENCE`].
pub const INDEX_BRIEF_LOCK: Duration = Duration::from_secs(1);
/// How long dropping what there is of an index may go on once the server stops: less than
/// [`ENGINE_STOP_TIMEOUT`].
pub const INDEX_CLEAN_UP_HURRY: Duration = Duration::from_secs(4);
/// Creations of indexes that can be asked about, the last one included.
pub const INDEX_BUILDS_REMEMBERED: usize = 32;
/// Creations of indexes that one socket may follow at once.
pub const INDEXES_FOLLOWED_MAX: usize = 16;
/// How often it is asked how far an index is.
pub const INDEX_PROGRESS_INTERVAL: Duration = Duration::from_millis(500);
/// Wrong admin tokens after which a socket is closed.
pub const WRONG_TOKENS_MAX: u32 = 5;
/// The shortest admin token, in bytes.
pub const ADMIN_TOKEN_BYTES_MIN: usize = 16;
/// Columns in an index, as PostgreSQL has it.
pub const INDEX_COLUMNS_MAX: usize = 32;
/// Bytes of a name, as PostgreSQL has it.
pub const NAME_BYTES_MAX: usize = 63;

// ---- HTTP ----

/// Connections open at once, sockets included; further ones wait in the kernel's queue.
pub const CONNECTIONS_MAX: usize = 16_384;
/// How long a client may take to send the head of a request.
pub const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long answering a request may take (a WebSocket counts until it is open).
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head: line and headers.
pub const REQUEST_HEAD_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a request's body, unless the address says otherwise.
pub const REQUEST_BODY_BYTES_MAX: usize = 64 * 1024;
/// When a client may try again that was told that the server cannot answer now.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Rows in an answer of the API that does not say how many; at most [`WINDOW_ROWS_MAX`] can be asked for.
pub const API_ROWS_DEFAULT: u32 = 100;
/// Bytes of a cursor, before they are written as text: it must fit into [`REQUEST_HEAD_BYTES_MAX`].
pub const CURSOR_BYTES_MAX: usize = 4 * 1024;
/// Bytes of the body of a write.
pub const API_BODY_BYTES_MAX: usize = 1 << 20;
/// How long the body of a write may take to arrive.
pub const API_BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// Versions in one `If-Match`.
pub const ETAGS_MAX: usize = 16;
/// Streams of events open at once on one server.
pub const STREAMS_MAX: usize = 4_096;
/// When the reader of a stream that broke off is to come back.
pub const STREAM_RETRY: Duration = Duration::from_secs(1);
/// Bytes of an event's id, before they are written as text: proxies let a header have 8 KiB.
pub const EVENT_ID_BYTES_MAX: usize = 5 * 1024;
/// How long a request of the API may take; less than [`REQUEST_TIMEOUT`], so that it is told why.
pub const API_TIMEOUT: Duration = Duration::from_secs(25);
/// The same while PostgreSQL is away.
pub const API_STALE_PATIENCE: Duration = Duration::from_secs(2);
/// Pause after the operating system refused to accept a connection (out of file descriptors).
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Files of the web viewer kept in memory.
pub const WEB_FILES_MAX: usize = 256;
/// Bytes of one file of the web viewer.
pub const WEB_FILE_BYTES_MAX: u64 = 64 << 20;

// ---- Exports ----

/// Exports under way at once; each has a connection to PostgreSQL beside the pool.
pub const EXPORTS_MAX: usize = 2;
/// When a client may try again that was told that all places are taken.
pub const EXPORT_RETRY_AFTER: Duration = Duration::from_secs(5);
/// How long counting an export's rows may take, where their number decides whether it is possible.
pub const EXPORT_COUNT_TIMEOUT: Duration = Duration::from_secs(15);
/// How long the answer's head waits for the first rows, so that an error still has a status of its own.
pub const EXPORT_FIRST_ROWS_PATIENCE: Duration = Duration::from_secs(5);
/// A client that takes no bytes of an export for so long is cut.
pub const EXPORT_STALL_MAX: Duration = Duration::from_secs(60);
/// How long PostgreSQL may take to cancel an export's query.
pub const EXPORT_CANCEL_TIMEOUT: Duration = Duration::from_secs(5);
/// Rows handed from PostgreSQL's connection to the encoder at once.
pub const EXPORT_BATCH_ROWS: usize = 1_000;
/// Bytes of cells handed on at once; the row that exceeds it is the last.
pub const EXPORT_BATCH_BYTES: usize = 256 * 1024;
/// Batches waiting for the encoder.
pub const EXPORT_BATCH_QUEUE: usize = 2;
/// Bytes of a file sent at once.
pub const EXPORT_CHUNK_BYTES: usize = 64 * 1024;
/// Chunks waiting for the client.
pub const EXPORT_CHUNK_QUEUE: usize = 8;
/// Rows of one row group of a Parquet file, which is held in memory until it is complete.
pub const PARQUET_GROUP_ROWS: usize = 65_536;
/// Bytes of cells of one row group; the row that exceeds it is the last.
pub const PARQUET_GROUP_BYTES: usize = 32 << 20;
/// Rows of a worksheet, the header included: a bound of the format.
pub const XLSX_ROWS_MAX: u32 = 1_048_576;
/// Characters (UTF-16 units) of a worksheet's cell: a bound of the format.
pub const XLSX_CELL_UNITS_MAX: usize = 32_767;
/// Bytes of cells in one workbook, which is written to a temporary file before it is sent.
pub const XLSX_BYTES_MAX: u64 = 2 << 30;

// ---- Shutdown ----

/// How long sockets and requests may take to end.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the engine may take to stop, after the sockets.
pub const ENGINE_STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the pool may take to close, after the engine.
pub const POOL_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the private PostgreSQL may take to write out all that is in memory, last.
pub const POSTGRES_STOP_TIMEOUT: Duration = Duration::from_secs(60);

const _: () = {
    assert!(KEEPALIVE_RETRIES > 0);
    assert!(POOL_ACQUIRE_TIMEOUT.as_secs() <= REQUEST_TIMEOUT.as_secs());
    assert!(QUERY_TIMEOUT.as_secs() <= IDLE_IN_TRANSACTION_TIMEOUT.as_secs());
    assert!(API_TIMEOUT.as_secs() < REQUEST_TIMEOUT.as_secs());
    assert!(API_ROWS_DEFAULT <= WINDOW_ROWS_MAX);
    let export_head = CONNECT_TIMEOUT.as_secs()
        + EXPORT_COUNT_TIMEOUT.as_secs()
        + EXPORT_FIRST_ROWS_PATIENCE.as_secs();
    assert!(export_head < REQUEST_TIMEOUT.as_secs());
    assert!(READY_TIMEOUT.as_secs() < CONNECT_TIMEOUT.as_secs());
    assert!(WINDOW_ROWS_MAX as usize <= BATCH_SIDES_MAX);
    assert!(FRAME_BYTES_MAX <= WRITE_BUFFER_BYTES_MAX);
    assert!(INDEX_CLEAN_UP_HURRY.as_secs() < ENGINE_STOP_TIMEOUT.as_secs());
};
