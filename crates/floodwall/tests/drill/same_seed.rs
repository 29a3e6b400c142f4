//! A seed gives the same arrivals again, and whatever was to be wanted is told of once.

use serde_json::Value;

use crate::support::{On, Scene};

/// The plan of a drill that was held, and how many things its visitors told of.
fn held(scene: &Scene, seed: &str) -> (Value, u64) {
    let mut run = scene.drill(&["--json", "--seed", seed, "--file", &scene.scenario(3)]);
    let document: Value = serde_json::from_str(&run.measured()).unwrap();
    let drill = &document["drills"][0];
    let void = drill["void"].as_str().unwrap_or_default();
    assert!(!void.contains("told of"), "{void}");
    let told = |part: &str| drill["goodput"][part]["wants"].as_u64().unwrap();
    (drill["plan"].clone(), told("before") + told("under_trouble"))
}

#[test]
fn the_same_seed_twice_and_another() {
    let scene = Scene::on(On::Loopback);
    let (first, told) = held(&scene, "7");
    assert_eq!(first["wants"].as_u64(), Some(told));
    assert!(told > 10 && first["fingerprint"].as_str().is_some_and(|digits| digits.len() == 16), "{first}");
    assert_eq!(held(&scene, "7").0, first);
    assert_ne!(held(&scene, "8").0["fingerprint"], first["fingerprint"]);
}

#[test]
fn simulated_it_is_the_same_to_the_last_letter_and_says_what_it_is() {
    let scene = Scene::on(On::Namespaces);
    let own = scene.scenario(30);
    let told = |arguments: &[&str]| {
        let file = ["drill", "--simulated", "--file", &own];
        let mut run = scene.start(&[&file, arguments].concat());
        let (status, said) = run.end();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""));
        run.stdout.so_far()
    };
    let table = told(&[]);
    assert!(table.starts_with("SIMULATED: "), "{table}");
    let row = table.lines().find(|line| line.starts_with("tiny ")).unwrap();
    assert_eq!(row.split_whitespace().nth(1), Some("floodwall"), "{table}");
    assert_eq!(told(&["--json", "--seed", "7"]), told(&["--json", "--seed", "7"]));
    assert_ne!(told(&["--json", "--seed", "7"]), told(&["--json", "--seed", "8"]));
    let document: Value = serde_json::from_str(&told(&["--json"])).unwrap();
    assert!(document["simulated"][0]["origin"]["lookups"].as_u64().is_some_and(|lookups| lookups > 20));
}

/// One's own limits decide: with a look-up a minute for each address the flood is refused.
#[test]
fn simulated_it_takes_the_limits_of_a_settings_file() {
    let scene = Scene::on(On::Namespaces);
    let own = scene.scenario(30);
    let settings = scene.file(
        "floodwall.toml",
        "[[site]]\nname = \"a\"\nhosts = [\"a.test\"]\norigin = [\"http://127.0.0.1:9\"]\n\
         limits = { origin_requests_per_second = 1, origin_burst = 1 }\n",
    );
    let refused = |arguments: &[&str]| {
        let file = ["drill", "--simulated", "--json", "--file", &own];
        let mut run = scene.start(&[&file, arguments].concat());
        run.end();
        let document: Value = serde_json::from_str(&run.stdout.so_far()).unwrap();
        document["simulated"][0]["edge"]["refused"].as_u64().unwrap()
    };
    assert_eq!(refused(&[]), 0);
    assert!(refused(&["--config", &settings]) > 10);
}
