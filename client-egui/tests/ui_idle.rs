//! Idle means idle: when nothing changes, nothing is drawn.

mod support;

use egui_kittest::kittest::Queryable;
use protocol::Value;
use support::products;
use support::screen::{Screen, show, wait_for};

/// Whether the last frame asked for another one.
fn wants_another_frame(screen: &Screen) -> bool {
    let viewport = &screen.output().viewport_output[&egui::ViewportId::ROOT];
    viewport.repaint_delay < std::time::Duration::from_secs(3_600)
}

#[test]
fn a_settled_screen_asks_for_no_frames() {
    let mut screen = show(products(10_000_000), "table=products");
    wait_for(&mut screen, "quiet", |screen| !wants_another_frame(screen));
    for _ in 0..5 {
        screen.step();
        assert!(!wants_another_frame(&screen));
    }
}

#[test]
fn a_flash_asks_for_frames_only_while_it_fades() {
    let mut screen = show(products(1_000), "table=products");
    wait_for(&mut screen, "quiet", |screen| !wants_another_frame(screen));
    screen.state_mut().backend_mut().change(2, 5, Value::Int(1));
    screen.run_steps(2);
    assert!(wants_another_frame(&screen), "the change does not flash");
    wait_for(&mut screen, "the flash to end", |screen| {
        !wants_another_frame(screen)
    });
    screen.get_by_label("Live");
}
