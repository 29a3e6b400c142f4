//! However a drill ends, nothing of it is left: no process, no namespace, no link, no route, no file.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::PathBuf;

use floodwall_drill::edges::Rival;
use rustix::process::Signal;

use crate::support::{Ends, On, Run, Scene, may_make_namespaces, networks, skipped};

/// Longer than any test waits: such a drill is ended from outside.
const LONG_S: u32 = 500;

/// A drill in mid-run, and its networks.
fn in_mid_run(scene: &Scene, on: On) -> (Run, BTreeSet<PathBuf>) {
    let run = scene.drill(&["--file", &scene.scenario(LONG_S)]);
    run.running();
    let processes = scene.processes();
    for part in ["drill-agent origin", "drill-agent visitors", "drill-agent flood", "serve --config"] {
        assert!(processes.iter().any(|process| process.command.contains(part)), "{part}: {processes:#?}");
    }
    let own = Scene::own_networks(&processes);
    assert_eq!(own.len(), if on == On::Namespaces { 4 } else { 0 });
    assert_eq!(scene.left_files().len(), 1);
    (run, own)
}

#[test]
fn after_a_whole_run() {
    for on in networks() {
        let scene = Scene::on(on);
        let mut run = scene.drill(&["--file", &scene.scenario(3)]);
        run.running();
        let own = Scene::own_networks(&scene.processes());
        run.measured();
        scene.assert_nothing_left(&own);
    }
}

#[test]
fn after_ctrl_c_and_sigterm_in_mid_run() {
    for on in networks() {
        for end in [Run::ctrl_c, |run: &Run| run.signal(Signal::TERM)] {
            let scene = Scene::on(on);
            let (mut run, own) = in_mid_run(&scene, on);
            end(&run);
            is_stopped(&mut run);
            scene.assert_nothing_left(&own);
        }
    }
}

#[test]
fn after_ctrl_c_while_it_is_being_prepared() {
    for on in networks() {
        // One process after the other is started: hosts, origin, edge, visitors.
        for count in 2..6 {
            let scene = Scene::on(on);
            let mut run = scene.drill(&["--file", &scene.scenario(LONG_S)]);
            let mut processes = scene.processes();
            while processes.len() < count && run.is_alive() {
                processes = scene.processes();
            }
            run.ctrl_c();
            is_stopped(&mut run);
            scene.assert_nothing_left(&Scene::own_networks(&processes));
        }
    }
}

fn is_stopped(run: &mut Run) {
    let (status, said) = run.end();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("hosts and processes are gone"), "{said}");
}

#[test]
fn after_kill_9() {
    for on in networks() {
        let scene = Scene::on(on);
        let (run, own) = in_mid_run(&scene, on);
        let ends = Ends::of(scene.processes());
        run.signal(Signal::KILL);
        ends.wait();
        drop(run);
        scene.assert_nothing_left(&own);
    }
}

/// nginx's workers survive their master.
#[test]
fn after_kill_9_of_a_drill_with_a_rival() {
    if Rival::Nginx.find().is_none() {
        skipped("nginx is not installed");
        return;
    }
    for on in networks() {
        let scene = Scene::on(on);
        let run = scene.drill(&["--versus", "nginx", "--file", &scene.scenario(3)]);
        run.stderr.line("nginx runs for ");
        let processes = scene.processes_in_its_directory();
        let workers = processes.iter().filter(|process| process.command.contains("nginx: worker"));
        assert_eq!(workers.count(), 1, "{processes:#?}");
        let own = Scene::own_networks(&scene.processes());
        let ends = Ends::of([processes, scene.processes()].concat());
        run.signal(Signal::KILL);
        ends.wait();
        drop(run);
        scene.assert_nothing_left(&own);
    }
}

#[test]
fn after_an_edge_that_ends_by_itself() {
    let scene = Scene::on(On::Loopback);
    let held = TcpListener::bind("127.77.0.1:9800").unwrap();
    let mut run = scene.drill(&["--file", &scene.scenario(LONG_S)]);
    let (status, said) = run.end();
    assert_eq!(status.code(), Some(1), "{said}");
    for words in ["the drill's edge ended by itself", "127.77.0.1:9800", "another program listens there"] {
        assert!(said.contains(words), "{said}");
    }
    drop(held);
    scene.assert_nothing_left(&BTreeSet::new());
}

#[test]
fn two_drills_at_once_as_root_do_not_meet() {
    if !may_make_namespaces() {
        return;
    }
    let scenes = [Scene::on(On::Namespaces), Scene::on(On::Namespaces)];
    let mut runs = scenes.each_ref().map(|scene| scene.drill(&["--file", &scene.scenario(3)]));
    let own = [0, 1].map(|place| {
        runs[place].running();
        Scene::own_networks(&scenes[place].processes())
    });
    for run in &mut runs {
        run.measured();
    }
    for place in [0, 1] {
        scenes[place].assert_nothing_left(&own[place]);
    }
}
