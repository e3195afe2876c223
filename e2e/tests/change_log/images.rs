//! What an image of a row looks like.

use crate::{assert_adds_up, connect, installed, texts};

#[tokio::test]
async fn names_that_need_quotes_or_are_our_own_are_fine() {
    let odd = r#"
        CREATE SCHEMA "My ""Schema""";
        CREATE TABLE "My ""Schema"""."Täble; DROP" (
            "select" int PRIMARY KEY, x text, image text, side text, root text, old_rows text,
            new_rows text, op text, "we""ird" text);"#;
    let name = r#""My ""Schema"""."Täble; DROP""#;
    let (database, client) = installed(odd, &[name]).await;
    let run = async |sql: String| client.batch_execute(&sql).await.unwrap();
    run(format!(
        "INSERT INTO {name} VALUES (1, 'x', 'i', 's', 'r', 'o', 'n', 'p', 'w')"
    ))
    .await;
    run(format!("UPDATE {name} SET x = 'y', \"we\"\"ird\" = NULL")).await;
    assert_adds_up(&client, name).await;
    let mut connection = connect(&database).await;
    migrations::unwatch(&mut connection, name).await.unwrap();
    migrations::watch(&mut connection, name).await.unwrap();
}

#[tokio::test]
async fn large_values_are_left_out_and_keys_stay() {
    let wide = "CREATE TABLE wide (key text PRIMARY KEY, small text, large text, other text);";
    let (_database, client) = installed(wide, &["wide"]).await;
    client
        .batch_execute(
            "INSERT INTO wide VALUES (repeat('k', 2000), 's', repeat('x', 20000), NULL);
             INSERT INTO wide VALUES ('many', repeat('a', 4000), repeat('b', 4000), repeat('c', 4000));
             UPDATE wide SET small = 't' WHERE small = 's'",
        )
        .await
        .unwrap();
    let keys =
        "SELECT op::text || ' ' || (SELECT string_agg(k, ',') FROM json_object_keys(image) AS k)
                FROM rowcast.change_log ORDER BY ctid";
    let trimmed = "key,small,other";
    assert_eq!(
        texts(&client, keys).await,
        [
            format!("+ {trimmed}"),
            "+ key,small,large,other".to_owned(),
            format!("- {trimmed}"),
            format!("+ {trimmed}")
        ]
    );
    let key = "SELECT length(image->>'key')::text FROM rowcast.change_log ORDER BY ctid LIMIT 1";
    assert_eq!(texts(&client, key).await, ["2000"]);
    // The table's own index refuses longer keys than this, so a key is never what is left out.
}

#[tokio::test]
async fn large_values_among_many_rows_are_left_out_too() {
    let wide = "CREATE TABLE wide (id int PRIMARY KEY, small int, large text);";
    let (_database, client) = installed(wide, &["wide"]).await;
    client
        .batch_execute(
            "INSERT INTO wide SELECT n, n, repeat('x', CASE n % 9 WHEN 0 THEN 20000 ELSE 9 END)
             FROM generate_series(1, 300) AS n;
             UPDATE wide SET small = 0; DELETE FROM wide",
        )
        .await
        .unwrap();
    let sides = "SELECT concat_ws(' ', count(*), count(image->>'id'), count(image->>'small'))
                 FROM rowcast.change_sides";
    assert_eq!(texts(&client, sides).await, ["1200 1200 1200"]);
    let largest = "SELECT (max(octet_length(image::text)) < 65536)::text FROM rowcast.change_log";
    assert_eq!(texts(&client, largest).await, ["true"]);
}

/// A column of each type whose text could depend on a setting, and its value. Which functions a
/// table's triggers call depends on the types it has, so there is a table for each kind of function.
const KINDS: [(&str, &str, &str, &str); 3] = [
    (
        "plain",
        "",
        "day date, local timestamp, at time, exact numeric, label text, flag bool, data jsonb,
         many timestamp[], mood mood, small positive, address inet",
        "'2026-03-04', '2026-03-01 12:00', '12:00', 1.50, 'x', true, '{\"a\": 1.50}',
         '{2026-03-01 12:00,NULL}', 'fine', 7, '10.0.0.1/8'",
    ),
    (
        "usual",
        "_usual",
        "real float4, double float8, at timestamptz, many timestamptz[], digits float8[], late moment",
        "0.1, 1/3.0::float8, '2026-03-01 12:00+00', '{2026-03-01 12:00+00}',
         ARRAY[1/3.0::float8], '2026-03-01 12:00+00'",
    ),
    (
        "any_type",
        "_any",
        "bytes bytea, span interval, cost money, range tstzrange, zoned timetz, class regclass,
         at timestamptz, digits float8, days daterange, pair pair, spot point",
        "'\\x00ff', '1 day 02:03', 12.5::float8::numeric::money,
         '[2026-03-01 00:00+00,2026-03-02 00:00+00)', '12:00+02', 'public.plain',
         '2026-03-01 12:00+00', 1/3.0::float8, '[2026-03-01,2026-03-04)',
         ROW('2026-03-01 12:00+00', '1 day')::pair, '(0.1,0.2)'",
    ),
];

#[tokio::test]
async fn an_image_does_not_depend_on_the_writers_settings() {
    let mut sql =
        "CREATE TYPE mood AS ENUM ('fine', 'bad'); CREATE DOMAIN positive AS int CHECK (value > 0);
                   CREATE DOMAIN moment AS timestamptz;
                   CREATE TYPE pair AS (at timestamptz, span interval);"
            .to_owned();
    for (table, _, columns, _) in KINDS {
        sql.push_str(&format!(
            "CREATE TABLE {table} (id int PRIMARY KEY, {columns});"
        ));
    }
    let (_database, client) = installed(&sql, &KINDS.map(|kind| kind.0)).await;
    for (table, suffix, _, values) in KINDS {
        let depends = format!("SELECT rowcast.images_depend_on('{table}')");
        assert_eq!(texts(&client, &depends).await, [suffix], "{table}");
        let insert =
            format!("INSERT INTO {table} SELECT n, {values} FROM generate_series(1, 40) AS n");
        client.batch_execute(&insert).await.unwrap();
    }
    client
        .batch_execute(
            "SET extra_float_digits = -3; SET bytea_output = escape; SET datestyle = 'German';
             SET intervalstyle = postgres_verbose; SET timezone = 'Asia/Tokyo';
             SET search_path = pg_temp",
        )
        .await
        .unwrap();
    for (table, ..) in KINDS {
        // One row, and more than go into log rows of their own.
        for sql in ["SET id = id WHERE id = 1", "SET id = id"] {
            let update = format!("UPDATE public.{table} {sql}");
            client.batch_execute(&update).await.unwrap();
        }
        let images = format!(
            "SELECT DISTINCT image::text FROM rowcast.change_sides
             WHERE table_oid = 'public.{table}'::regclass AND image->>'id' = '1'"
        );
        let images = texts(&client, &images).await;
        assert_eq!(images.len(), 1, "one value has several images: {images:#?}");
    }
    assert_eq!(
        texts(&client, "SHOW timezone").await,
        ["Asia/Tokyo"],
        "the session keeps its own"
    );
}

#[tokio::test]
async fn values_that_do_not_read_back_are_told_as_a_record_too() {
    let lists = "CREATE TABLE lists (id int, list jsonb[], note text, PRIMARY KEY (list, id));";
    let (_database, client) = installed(lists, &["lists"]).await;
    let called = "SELECT DISTINCT tgfoid::regproc::text FROM pg_trigger
                  WHERE tgrelid = 'lists'::regclass AND tgname = 'rowcast_log_insert'";
    assert_eq!(texts(&client, called).await, ["rowcast.log_insert_worded"]);
    let sql = r#"
        INSERT INTO lists VALUES (1, '{"null",NULL}', 'a,"b\'), (2, '{}', NULL)"#;
    client.batch_execute(sql).await.unwrap();
    assert_adds_up(&client, "lists").await;
    let sql = r#"
        INSERT INTO lists VALUES (3, ARRAY[to_jsonb(repeat('k,"', 900))], repeat('x"', 5000)), (4, '{1}', repeat('y', 8000)),
                                 (5, ARRAY[to_jsonb(repeat('k', 20000))], 'small');
        UPDATE lists SET note = repeat('"', 600000) WHERE id = 2"#;
    client.batch_execute(sql).await.unwrap();
    let told = "SELECT concat_ws(' ', op::text, (SELECT string_agg(k, ',') FROM json_object_keys(one) AS k),
                          CASE WHEN length(record) < 40 THEN record ELSE length(record)::text END)
                FROM (SELECT op, ctid AS place, json_typeof(image) = 'array' AS is_pair,
                             CASE json_typeof(image) WHEN 'array' THEN image -> 0 ELSE image END AS one,
                             CASE json_typeof(image) WHEN 'array' THEN image ->> 1 END AS record
                      FROM rowcast.change_log) AS log
                ORDER BY place";
    assert_eq!(
        texts(&client, told).await,
        [
            r#"+ id,list,note (1,"{""null"",NULL}","a,""b\\")"#,
            "+ id,list,note (2,{},)",
            // A large value is left out, and of the key nothing is.
            "+ id,list 9020",
            "+ id,list,note 8008",
            "+ id,list,note 20026",
            "- id,list,note (2,{},)",
            // Of a record that is very long nothing is told.
            "+ id,list",
        ]
    );
    let sql = "TRUNCATE rowcast.change_log;
               INSERT INTO lists SELECT n, '{2}', repeat('\"', n) FROM generate_series(4000, 4300) AS n;
               INSERT INTO lists SELECT n, '{3}', repeat('z', 9000) FROM generate_series(5000, 5300) AS n;
               ALTER TABLE lists DROP list";
    client.batch_execute(sql).await.unwrap();
    let pairs = "SELECT DISTINCT json_typeof(side) || json_array_length(side)
                 FROM rowcast.change_log AS log, json_array_elements(log.image) AS side WHERE op = 'p'";
    assert_eq!(texts(&client, pairs).await, ["array2"]);
    assert_eq!(texts(&client, called).await, ["rowcast.log_insert"]);
}
