//! Telling how far a long step is: a bar on a terminal, a line now and then elsewhere.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, HumanDuration, ProgressBar, ProgressState, ProgressStyle};

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// On standard error: a bar if it is a terminal, else plain lines.
    Terminal,
    /// In the program's log.
    Log,
}

impl Report {
    /// Writes one line.
    pub(crate) fn line(self, line: &str) {
        match self {
            // A closed standard error is no reason to stop.
            Self::Terminal => _ = writeln!(std::io::stderr(), "{line}"),
            Self::Log => tracing::info!("{line}"),
        }
    }
}

/// The pause between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// One step with a known end.
pub(crate) struct Progress {
    what: &'static str,
    total: u64,
    /// What an earlier run had done, which says nothing about this one's speed.
    begun_at: u64,
    done: u64,
    is_even: bool,
    started: Instant,
    shown: Shown,
}

/// Besides the library's keys: `rate` without decimals, `time` left or taken.
fn style(template: &str) -> ProgressStyle {
    // The templates are constants; a bad one would only cost the looks.
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
        })
        .with_key("time", |state: &ProgressState, out: &mut dyn fmt::Write| {
            let _ = if state.len() == Some(state.pos()) {
                write!(out, "in {}", HumanDuration(state.elapsed()))
            } else {
                write!(out, "{} left", HumanDuration(state.eta()))
            };
        })
}

enum Shown {
    Bar(ProgressBar),
    Lines { report: Report, last: Instant },
}

impl Progress {
    /// Begins with `done` rows of `total`, which all take about as long.
    pub(crate) fn rows(report: Report, what: &'static str, done: u64, total: u64) -> Self {
        let template = "{msg:9} {wide_bar} {human_pos}/{human_len}  {rate}/s  {time}";
        Self::begin(report, what, done, total, template, true)
    }

    /// Begins with none of `total` steps whose durations differ, so that nothing can be foretold.
    pub(crate) fn steps(report: Report, what: &'static str, total: u64) -> Self {
        Self::begin(
            report,
            what,
            0,
            total,
            "{msg:9} {wide_bar} {pos}/{len}  {elapsed}",
            false,
        )
    }

    fn begin(
        report: Report,
        what: &'static str,
        done: u64,
        total: u64,
        template: &str,
        is_even: bool,
    ) -> Self {
        let started = Instant::now();
        let shown = if report == Report::Terminal && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total);
            bar.set_style(style(template));
            bar.set_message(what);
            bar.set_position(done);
            bar.reset_eta();
            Shown::Bar(bar)
        } else {
            Shown::Lines {
                report,
                last: started,
            }
        };
        Self {
            what,
            total,
            begun_at: done,
            done,
            is_even,
            started,
            shown,
        }
    }

    pub(crate) fn advance(&mut self, by: u64) {
        self.done += by;
        match &mut self.shown {
            Shown::Bar(bar) => bar.inc(by),
            Shown::Lines { last, .. } if last.elapsed() < LINE_EVERY => {}
            Shown::Lines { report, last } => {
                *last = Instant::now();
                let report = *report;
                let left = self.total.saturating_sub(self.done) as f64 / self.rate().max(0.001);
                let left = HumanDuration(Duration::from_secs_f64(left.min(1e9)));
                self.say(report, &format!("{left} left"));
            }
        }
    }

    /// Ends the step, as far as it came.
    pub(crate) fn end(self) {
        match &self.shown {
            Shown::Bar(bar) => {
                bar.abandon();
                // The bar leaves the cursor at its end.
                Report::Terminal.line("");
            }
            Shown::Lines { report, .. } => {
                self.say(
                    *report,
                    &format!("in {}", HumanDuration(self.started.elapsed())),
                );
            }
        }
    }

    /// Per second.
    fn rate(&self) -> f64 {
        (self.done - self.begun_at) as f64 / self.started.elapsed().as_secs_f64().max(0.001)
    }

    fn say(&self, report: Report, time: &str) {
        let (what, done, total) = (self.what, HumanCount(self.done), HumanCount(self.total));
        if self.is_even {
            let rate = HumanCount(self.rate() as u64);
            report.line(&format!("{what}: {done} of {total}, {rate}/s, {time}"));
        } else {
            report.line(&format!("{what}: {done} of {total}"));
        }
    }
}
