//! What a process says on one of its outputs, line by line, kept and waited for.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex};

use super::PATIENCE;

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    ended: bool,
}

/// Everything heard so far. The output ends when the last process that holds it has ended.
#[derive(Clone)]
pub(crate) struct Heard(Arc<(Mutex<Said>, Condvar)>);

impl Heard {
    pub(crate) fn listen(output: impl Read + Send + 'static) -> Self {
        let heard = Self(Arc::default());
        let told = heard.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                told.0.0.lock().unwrap().lines.push(line);
                told.0.1.notify_all();
            }
            told.0.0.lock().unwrap().ended = true;
            told.0.1.notify_all();
        });
        heard
    }

    /// Waits for a line that contains `part`.
    pub(crate) fn line(&self, part: &str) -> String {
        let said = self.wait(|said| said.ended || said.lines.iter().any(|line| line.contains(part)));
        match said.iter().find(|line| line.contains(part)) {
            Some(line) => line.clone(),
            None => panic!("no line with {part:?} came, but:\n{}", said.join("\n")),
        }
    }

    /// Waits until nobody can say anything more; all that was said.
    pub(crate) fn end(&self) -> String {
        self.wait(|said| said.ended).join("\n")
    }

    pub(crate) fn so_far(&self) -> String {
        self.0.0.lock().unwrap().lines.join("\n")
    }

    fn wait(&self, mut holds: impl FnMut(&Said) -> bool) -> Vec<String> {
        let said = self.0.0.lock().unwrap();
        let (said, waited) = self.0.1.wait_timeout_while(said, PATIENCE, |said| !holds(said)).unwrap();
        assert!(!waited.timed_out(), "waited too long; heard so far:\n{}", said.lines.join("\n"));
        said.lines.clone()
    }
}
