//! Looking for words in all of a table.

mod support;

use egui::{Key, Modifiers};
use egui_kittest::kittest::Queryable;
use protocol::Highlight;
use support::products;
use support::screen::{Screen, press, press_with, show, type_text, wait_for};

/// What the view that was asked for last looks for.
fn last_search(screen: &Screen) -> Option<String> {
    let views = &screen.state().backend().views;
    views.last().and_then(|view| view.search.clone())
}

#[test]
fn a_search_applies_by_itself_once_the_typing_pauses() {
    let mut screen = show(products(1_000), "table=products");
    press_with(&mut screen, Modifiers::COMMAND, Key::F);
    type_text(&mut screen, "copper kettle");
    assert_eq!(last_search(&screen), None);
    wait_for(&mut screen, "the search", |screen| {
        last_search(screen).as_deref() == Some("copper kettle")
    });
    assert_eq!(screen.state().backend().views.len(), 2, "one for all keys");
    assert_eq!(
        screen.state().address().to_string(),
        "table=products&search=copper%20kettle"
    );
    screen.get_by_label("1,000 of 1,000 rows");
}

#[test]
fn enter_searches_at_once_and_escape_clears_then_leaves() {
    let mut screen = show(products(1_000), "table=products&search=lamp");
    assert_eq!(last_search(&screen).as_deref(), Some("lamp"));
    press_with(&mut screen, Modifiers::COMMAND, Key::F);
    type_text(&mut screen, "kettle");
    press(&mut screen, Key::Enter);
    screen.run_steps(2);
    assert_eq!(
        last_search(&screen).as_deref(),
        Some("kettle"),
        "Ctrl+F selects what is there"
    );
    press(&mut screen, Key::Escape);
    screen.run_steps(2);
    assert_eq!(last_search(&screen), None);
    assert!(screen.get_by_label("Search products").is_focused());
    press(&mut screen, Key::Escape);
    screen.run_steps(2);
    assert!(!screen.get_by_label("Search products").is_focused());
}

#[test]
fn a_button_clears_the_search() {
    let mut screen = show(products(1_000), "table=products&search=lamp");
    screen.get_by_label("Clear search").click();
    screen.run_steps(3);
    assert_eq!(last_search(&screen), None);
    assert!(screen.query_by_label("Clear search").is_none());
}

#[test]
fn no_match_offers_to_clear_the_search() {
    let mut screen = show(
        products(0),
        "table=products&search=zebra&filter.name=striped",
    );
    screen.run_steps(3);
    screen.get_by_label("No rows match “zebra” and this filter");
    let clear = screen
        .query_all_by_label("Clear search")
        .max_by(|a, b| a.rect().top().total_cmp(&b.rect().top()));
    clear.expect("a button in the middle").click();
    screen.run_steps(3);
    screen.get_by_label("No rows match this filter");
}

#[test]
fn words_found_are_marked() {
    let mut stage = products(1_000);
    stage.highlight = Some(Highlight {
        terms: vec!["kettle".to_owned()],
        at_word_start: true,
    });
    let screen = show(stage, "table=products&search=kettle");
    let marks = marked_texts(&screen);
    assert!(!marks.is_empty());
    for mark in marks {
        assert_eq!(mark, "Kettle");
    }
}

/// The texts on the screen that have a background of their own.
fn marked_texts(screen: &Screen) -> Vec<String> {
    let mut found = Vec::new();
    for clipped in &screen.output().shapes {
        let egui::Shape::Text(text) = &clipped.shape else {
            continue;
        };
        let job = &text.galley.job;
        for section in &job.sections {
            if section.format.background != egui::Color32::TRANSPARENT {
                let range = section.byte_range.start.0..section.byte_range.end.0;
                found.push(job.text[range].to_owned());
            }
        }
    }
    found
}
