use super::*;

#[test]
fn every_shipped_scenario_is_within_the_bounds() {
    for (name, text) in SHIPPED {
        let scenario = Scenario::read(name, text).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        assert_eq!(scenario.onset_s().is_none(), *name == "calm", "{name}");
        // Long enough before the onset to know what calm is.
        assert!(scenario.onset_s().is_none_or(|onset| onset >= 10), "{name}");
    }
}

#[test]
fn every_fault_is_told_at_once() {
    let text = r#"
        title = ""
        why = "because"
        duration_s = 6000
        [[visitors]]
        kind = "phone"
        sessions_per_second = nan
        [[flood]]
        kind = "look-ups"
        sources = 0
        rate = 1e9
        from_s = 20
        until_s = 10
        pulse = { on_s = 0, off_s = 1 }
        [[origin]]
        trouble = "down"
        from_s = 0
        until_s = 7000
    "#;
    let faults = Scenario::read("own", text).unwrap_err();
    insta::assert_snapshot!(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_target_cannot_be_named() {
    for line in ["target = \"http://198.51.100.1/\"", "host = \"example.gov\"", "address = \"198.51.100.1\""]
    {
        let text = format!("title = \"t\"\nwhy = \"w\"\nduration_s = 10\n{line}\n");
        let faults = Scenario::read("own", &text).unwrap_err();
        assert!(faults[0].what.contains("unknown field"), "{faults:?}");
    }
}

#[test]
fn a_shortened_scenario_keeps_its_shape() {
    for (name, text) in SHIPPED {
        let short = Scenario::read(name, text).unwrap().shortened(20);
        assert_eq!(short.duration_s, 20);
        let faults = bounds::faults(&short);
        assert!(faults.is_empty(), "{name}: {faults:?}");
    }
}

/// What `docs/drill.md` says to administrators is what there is.
#[test]
fn the_documentation_names_every_scenario_kind_and_bound() {
    let text = include_str!("../../../../docs/drill.md");
    let kinds =
        VisitorKind::ALL.map(VisitorKind::as_str).into_iter().chain(FloodKind::ALL.map(FloodKind::as_str));
    let names = kinds.chain(Skill::ALL.map(Skill::as_str)).chain(SHIPPED.iter().map(|(name, _)| *name));
    let missing: Vec<_> = names.filter(|name| !text.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "{missing:?}");
    for (key, bound) in [
        ("duration_s", format!("1 to {}", bounds::DURATION_S_MAX)),
        ("visitors.sessions_per_second", format!("0 to {}", bounds::SESSIONS_PER_SECOND_MAX)),
        ("flood.sources", format!("1 to {}", bounds::FLOOD_SOURCES_MAX)),
        ("flood.rate", format!("0 to {}", bounds::FLOOD_RATE_MAX)),
        ("flood.connections_max", format!("1 to {}", bounds::FLOOD_CONNECTIONS_MAX)),
        ("flood.patience_s", format!("1 to {}", bounds::FLOOD_PATIENCE_S_MAX)),
        ("flood.proofs_per_second", format!("0 to {}", bounds::FLOOD_PROOFS_PER_SECOND_MAX)),
        ("title", format!("1 to {} characters", bounds::TEXT_MAX)),
        ("[[flood]]", format!("at most {}", bounds::LIST_MAX)),
    ] {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{key}`"))).unwrap();
        assert!(row.contains(&bound), "{key}: {bound} is not in {row}");
    }
    let example = text.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    Scenario::read("example", example).unwrap_or_else(|faults| panic!("{faults:?}"));
}

#[test]
fn what_floods_of_frames_send_together_is_bounded() {
    for (kind, connections, fits) in [
        ("h2-rapid-reset", 50, true),
        ("h2-rapid-reset", 51, false),
        ("h2-continuation", 51, false),
        ("h2-made-you-reset", 51, false),
        ("h2-header-bomb", 5_000, true),
        ("connections", 5_000, true),
    ] {
        let text = format!(
            "title = \"t\"\nwhy = \"w\"\nduration_s = 30\n[[flood]]\nkind = \"{kind}\"\nsources = 1\n\
             rate = 1.0\nfrom_s = 10\nuntil_s = 20\nconnections_max = {connections}\n"
        );
        assert_eq!(Scenario::read("own", &text).is_ok(), fits, "{kind} {connections}");
    }
}

/// So that a server that answers nothing meets the same flood as one that answers at once.
#[test]
fn a_flood_fits_its_connections_when_nothing_is_answered_and_only_packets_come_over_ipv6() {
    for (kind, more, expected) in [
        ("look-ups", "", Ok(())),
        (
            "look-ups",
            "patience_s = 3",
            Err(
                "flood[0].connections_max: 5000 a second with a patience of 3 s need 16500 connections (a tenth to spare), or a slow server meets a smaller flood; write connections_max = 16500, or a lower rate or patience_s",
            ),
        ),
        ("look-ups", "patience_s = 3\nconnections_max = 16500", Ok(())),
        ("tls-handshakes", "connections_max = 10999", Err("flood[0].connections_max: ")),
        ("pages", "patience_s = 10", Err("meets a smaller flood; write a lower rate or patience_s")),
        (
            "pages",
            "patience_s = 11\nconnections_max = 20000",
            Err("flood[0].patience_s: 11 is out of bounds"),
        ),
        ("pages", "ipv6 = true", Err("flood[0].ipv6: only packets")),
        ("udp", "ipv6 = true", Ok(())),
        // These are to hold as many as they may, and packets hold none.
        ("slow-headers", "connections_max = 100", Ok(())),
        ("udp", "connections_max = 1", Ok(())),
    ] {
        let text = format!(
            "title = \"t\"\nwhy = \"w\"\nduration_s = 30\n[[flood]]\nkind = \"{kind}\"\nsources = 1\n\
             rate = 5000.0\nfrom_s = 10\nuntil_s = 20\n{more}\n"
        );
        let read = Scenario::read("own", &text).map(drop);
        match (read, expected) {
            (Ok(()), Ok(())) => {}
            (Err(faults), Err(words)) => assert!(faults[0].to_string().contains(words), "{faults:?}"),
            (read, _) => panic!("{kind} {more}: {read:?}"),
        }
    }
}

#[test]
fn only_who_asks_the_site_has_a_skill_and_proofs_are_bounded() {
    for (kind, more, expected) in [
        ("look-ups", "skill = \"solves\"\nproofs_per_second = 50.0", None),
        ("pages", "skill = \"cookies\"", None),
        ("udp", "skill = \"plain\"", None),
        ("look-ups", "skill = \"shared-token\"\nproofs_per_second = 51.0", Some("51 is out of bounds")),
        ("bare-address", "skill = \"cookies\"", Some("flood[0].skill: only pages, look-ups and cache-bust")),
        ("look-ups", "skill = \"magic\"", Some("unknown variant")),
    ] {
        let text = format!(
            "title = \"t\"\nwhy = \"w\"\nduration_s = 30\n[[flood]]\nkind = \"{kind}\"\nsources = 1\n\
             rate = 10.0\nfrom_s = 10\nuntil_s = 20\n{more}\n"
        );
        let faults = Scenario::read("own", &text).err().map(|faults| faults[0].to_string());
        match (&faults, expected) {
            (None, None) => {}
            (Some(fault), Some(words)) => assert!(fault.contains(words), "{kind} {more}: {fault}"),
            _ => panic!("{kind} {more}: {faults:?}"),
        }
    }
}

#[test]
fn a_shortened_scenario_keeps_calm_its_pulses_and_the_connections_it_holds() {
    let short = shipped("crowd").unwrap().shortened(12);
    let surge = short.visitors[0].surge.unwrap();
    assert_eq!((surge.from_s, surge.ramp_s), (3, 6));
    let short = shipped("pulse").unwrap().shortened(12);
    let flood = &short.floods[0];
    assert_eq!((flood.from_s, flood.until_s), (3, 11));
    assert_eq!(flood.pulse, Some(Pulse { on_s: 2, off_s: 2 }));
    let both = shipped("crowd-and-attack").unwrap().shortened(12);
    assert_eq!((both.floods[0].from_s, both.floods[0].until_s), (5, 10));
    // As many connections are held as in the whole scenario, soon enough to see what that does.
    for (name, rate) in [("connections", 3_000.0), ("slow-read", 1_200.0), ("many-light", 5_000.0)] {
        assert_eq!(shipped(name).unwrap().shortened(12).floods[0].rate, rate, "{name}");
    }
    assert_eq!(shipped("calm").unwrap().shortened(12).onset_s(), None);
    assert_eq!(shipped("certificate-expired").unwrap().shortened(5).onset_s(), Some(1));
}

#[test]
fn a_certificate_runs_out_within_a_scenario_that_shows_it() {
    for (lines, expected) in [
        ("tls = true\ncertificate_expires_s = 10", Ok(Some(10))),
        ("tls = true\ncertificate_expires_s = 30", Err("no span")),
        ("certificate_expires_s = 10", Err("write tls = true")),
        ("tls = true", Ok(None)),
    ] {
        let text = format!("title = \"t\"\nwhy = \"w\"\nduration_s = 30\n{lines}\n");
        match (Scenario::read("own", &text), expected) {
            (Ok(scenario), Ok(onset)) => assert_eq!(scenario.onset_s(), onset, "{lines}"),
            (Err(faults), Err(words)) => assert!(faults[0].what.contains(words), "{faults:?}"),
            (read, _) => panic!("{lines}: {read:?}"),
        }
    }
}
