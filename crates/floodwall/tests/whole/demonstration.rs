//! `floodwall demo`: its own words are followed to the letter.

use std::net::SocketAddr;
use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::support::{Program, Visitor, get, own_address};

struct Demo {
    program: Program,
    site: SocketAddr,
    admin: SocketAddr,
    origin: SocketAddr,
    origin_pid: Pid,
    /// The printed command that brings the origin back.
    restart: Vec<String>,
    state: PathBuf,
    directory: TempDir,
}

/// What stands between `before` and the next white space.
fn word_after<'a>(text: &'a str, before: &str) -> &'a str {
    let start = text.find(before).unwrap_or_else(|| panic!("no {before:?} in\n{text}")) + before.len();
    text[start..].split_whitespace().next().unwrap()
}

impl Demo {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let origin = SocketAddr::from((own_address(), 0)).to_string();
        let addresses = ["--site", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--origin", &origin];
        let program = Program::start(directory.path(), &[&["demo"][..], &addresses].concat());
        program.stderr.line("Ctrl-C stops everything");
        let told = program.stderr.so_far();
        let url = |before| {
            let url = word_after(&told, before);
            url.trim_start_matches("http://").trim_end_matches('/').parse().unwrap()
        };
        let restart = told.lines().find(|line| line.contains("demo-origin --listen")).unwrap();
        Self {
            site: url("Open   "),
            admin: url("as voters see it\n"),
            origin: url("own server listens on "),
            origin_pid: Pid::from_raw(word_after(&told, "kill ").parse().unwrap()).unwrap(),
            restart: restart.split_whitespace().map(str::to_owned).collect(),
            state: word_after(&told, "State is in ").into(),
            program,
            directory,
        }
    }

    /// The site's own figures, asked of it directly.
    fn origin_answers(&self) -> bool {
        Visitor::try_connect(self.origin).is_ok()
    }

    fn end(mut self) {
        assert!(self.program.end().success(), "{}", self.program.stderr.so_far());
        assert!(!self.origin_answers(), "the sample site has ended");
        assert!(!self.state.exists(), "{} is removed", self.state.display());
        assert_eq!(self.directory.path().read_dir().unwrap().count(), 0, "nothing is left behind");
        assert_eq!(self.program.stdout.end(), "");
    }
}

#[test]
fn its_words_hold_and_its_end_leaves_nothing_behind() {
    let demo = Demo::start();
    assert!(get(demo.site, "/").text().contains("Example"));
    assert!(get(demo.admin, "/").text().contains("Floodwall console"));
    let deadlines = || get(demo.site, "/deadlines").header("cache-status").unwrap().to_owned();
    assert!(!deadlines().contains("floodwall; hit"));
    assert!(deadlines().contains("floodwall; hit"));
    assert!(demo.state.starts_with(demo.directory.path()) && demo.state.exists());
    demo.program.signal(Signal::INT);
    demo.end();
}

#[test]
fn its_origin_can_be_killed_and_brought_back() {
    let demo = Demo::start();
    let pages = ["/", "/register", "/deadlines"];
    for page in pages {
        assert_eq!(get(demo.site, page).status, 200);
    }
    kill_process(demo.origin_pid, Signal::TERM).unwrap();
    demo.program.stderr.line("the origin is down");
    for page in pages {
        let answer = get(demo.site, page);
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.header("age").is_some(), "{answer:?}");
    }
    let refused = get(demo.site, "/polling-place/lookup?zip=10001");
    assert!([502, 503].contains(&refused.status), "{refused:?}");
    assert!(refused.text().contains(refused.header("x-request-id").unwrap()));

    let arguments: Vec<_> = demo.restart[1..].iter().map(String::as_str).collect();
    assert_eq!(demo.restart[0], env!("CARGO_BIN_EXE_floodwall"));
    let mut brought_back = Program::start(demo.directory.path(), &arguments);
    assert_eq!(brought_back.stdout.line(":"), demo.origin.to_string());
    demo.program.stderr.line("the origin answers again");
    assert_eq!(get(demo.site, "/polling-place/lookup?zip=10001").status, 200);
    brought_back.kill();
    demo.program.signal(Signal::TERM);
    demo.end();
}

#[test]
fn more_than_the_origin_can_answer_is_not_given_to_it_and_pages_go_on() {
    let demo = Demo::start();
    assert_eq!(get(demo.site, "/deadlines").status, 200);
    let mut visitors: Vec<_> = (0..400).map(|_| Visitor::connect(demo.site)).collect();
    for (visitor, number) in visitors.iter_mut().zip(10_000..) {
        visitor.send_get(&format!("/polling-place/lookup?zip={number}"));
    }
    assert_eq!(get(demo.site, "/deadlines").status, 200, "a page from the cache is never limited");
    let answers: Vec<_> = visitors.iter_mut().map(Visitor::read_answer).collect();
    let of_status = |status: u16| answers.iter().filter(move |answer| answer.status == status);
    for refused in of_status(429).chain(of_status(503)) {
        assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
        assert!(refused.text().contains(refused.header("x-request-id").unwrap()));
    }
    for redirected in of_status(307) {
        assert!(redirected.header("location").unwrap().contains("&floodwall=r."));
    }
    // Twenty are at the sample site at once, and some of the others wait for their turn.
    let counts = [200, 307, 429, 503].map(|status| of_status(status).count());
    assert!(counts[0] >= 20, "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), 400, "{counts:?}");
    demo.program.signal(Signal::INT);
    demo.end();
}

#[test]
fn killed_itself_it_takes_its_origin_with_it() {
    let mut demo = Demo::start();
    demo.program.kill();
    // The sample site holds the same standard error: its end is the end of that.
    demo.program.stderr.end();
    assert!(!demo.origin_answers());
}

#[test]
fn two_run_side_by_side_for_the_usual_ports_may_be_taken() {
    let directory = tempfile::tempdir().unwrap();
    let demos: Vec<_> = (0..2).map(|_| Program::start(directory.path(), &["demo"])).collect();
    let sites: Vec<String> = demos
        .iter()
        .map(|demo: &Program| {
            demo.stderr.line("Ctrl-C stops everything");
            word_after(&demo.stderr.so_far(), "Open   ").to_owned()
        })
        .collect();
    assert_ne!(sites[0], sites[1]);
    assert!(sites.iter().all(|site| site.starts_with("http://127.0.0.1:")), "{sites:?}");
}
