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
                FROM rowcast.change_log ORDER BY seq";
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
    let key = "SELECT length(image->>'key')::text FROM rowcast.change_log ORDER BY seq LIMIT 1";
    assert_eq!(texts(&client, key).await, ["2000"]);
    // The table's own index refuses longer keys than this, so a key is never what is left out.
}

#[tokio::test]
async fn an_image_does_not_depend_on_the_writers_settings() {
    let kinds = "
        CREATE TABLE kinds (
            id int PRIMARY KEY, real float4, double float8, bytes bytea, at timestamptz,
            local timestamp, day date, span interval, cost money, range tstzrange, zoned timetz,
            class regclass);";
    let (_database, client) = installed(kinds, &["kinds"]).await;
    let values = "0.1::float4, 1/3.0::float8, '\\x00ff'::bytea, '2026-03-01 12:00+00'::timestamptz,
        '2026-03-01 12:00'::timestamp, '2026-03-04'::date, '1 day 02:03'::interval,
        12.5::float8::numeric::money,
        '[2026-03-01 00:00+00,2026-03-02 00:00+00)'::tstzrange, '12:00+02'::timetz,
        'public.kinds'::regclass";
    client
        .batch_execute(&format!("INSERT INTO kinds SELECT 1, {values}"))
        .await
        .unwrap();
    client
        .batch_execute(
            "SET extra_float_digits = -3; SET bytea_output = escape; SET datestyle = 'German';
             SET intervalstyle = postgres_verbose; SET timezone = 'Asia/Tokyo';
             SET search_path = pg_temp",
        )
        .await
        .unwrap();
    client
        .batch_execute("UPDATE public.kinds SET id = 1")
        .await
        .unwrap();
    let images = "SELECT DISTINCT image::text FROM rowcast.change_log";
    let images = texts(&client, images).await;
    assert_eq!(images.len(), 1, "one value has several images: {images:#?}");
    assert_eq!(
        texts(&client, "SHOW timezone").await,
        ["Asia/Tokyo"],
        "the session keeps its own"
    );
}
