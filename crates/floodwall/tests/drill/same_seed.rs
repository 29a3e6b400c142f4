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
    assert!(told > 15 && first["fingerprint"].as_str().is_some_and(|digits| digits.len() == 16), "{first}");
    assert_eq!(held(&scene, "7").0, first);
    assert_ne!(held(&scene, "8").0["fingerprint"], first["fingerprint"]);
}
