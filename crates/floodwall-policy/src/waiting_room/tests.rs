use super::*;
use crate::token::{Binding, ClientFingerprint, SiteTag};

fn at(seconds: f64) -> Timestamp {
    let start = Timestamp::new(Duration::from_secs(1), 1_667_916_000_000_000);
    start.plus(Duration::from_secs_f64(seconds))
}

fn take(id: u64, seconds: f64) -> Ticket {
    let binding = Binding { site: SiteTag(1), fingerprint: ClientFingerprint(1), generation: 0 };
    Ticket::take(&binding, id, at(seconds))
}

/// Presents a ticket; the one to go on with, or `None` when it was let in.
fn present(room: &mut WaitingRoom, ticket: &Ticket, seconds: f64) -> Option<Ticket> {
    match room.present(ticket, at(seconds)) {
        Turn::Come { .. } => None,
        Turn::Wait { ticket, .. } => Some(ticket),
    }
}

#[test]
fn tickets_are_called_in_their_order_at_the_rate_there_is() {
    let mut room = WaitingRoom::new(at(0.0));
    // Ten a second take a ticket for 20 s; each presents it every five seconds; two a second get in.
    let mut tickets: Vec<(Ticket, Option<f64>)> = Vec::new();
    for second in 0..200_u32 {
        let now = f64::from(second);
        if second < 20 {
            let new = (0..10).map(|i| (take(u64::from(second * 10 + i), now + f64::from(i) / 10.0), None));
            tickets.extend(new);
        }
        room.tick(2.0, at(now));
        for (place, (ticket, called)) in tickets.iter_mut().enumerate() {
            if called.is_none() && place % 5 == second as usize % 5 {
                match present(&mut room, ticket, now) {
                    Some(next) => *ticket = next,
                    None => *called = Some(now),
                }
            }
        }
    }
    let called: Vec<f64> = tickets.iter().map(|(_, called)| called.unwrap()).collect();
    for (place, called) in called.iter().enumerate() {
        // Two a second, counted from when the first could be called; asked every five seconds.
        let due = 8.0 + place as f64 / 2.0;
        assert!((due - 4.0..due + 8.0).contains(called), "place {place}: due {due}, called {called}");
    }
    assert_eq!(room.waiting(), 0);
}

#[test]
fn those_who_never_come_back_are_not_waited_for() {
    let mut room = WaitingRoom::new(at(0.0));
    // Five thousand a second take tickets and are gone. A person comes in between.
    let mut person = take(1, 10.5);
    let mut now = 15.5;
    let called = loop {
        room.tick(1.0, at(now));
        match present(&mut room, &person, now) {
            Some(next) => person = next,
            None => break now,
        }
        now += 5.0;
        assert!(now < 100.0);
    };
    assert!(called <= 25.5, "{called}");
}

#[test]
fn the_wait_that_is_shown_is_about_what_it_takes() {
    let mut room = WaitingRoom::new(at(0.0));
    for second in 0..10 {
        for i in 0..30 {
            let ticket = take(second * 30 + i, second as f64);
            present(&mut room, &ticket, second as f64 + 0.9);
        }
        room.tick(5.0, at(second as f64));
    }
    let ticket = take(1_000, 10.0);
    let Turn::Wait { ahead, expected, refresh, ticket } = room.present(&ticket, at(15.0)) else {
        panic!("300 are before it");
    };
    assert!((285..=300).contains(&ahead), "{ahead}");
    assert!((50.0..70.0).contains(&expected.as_secs_f64()), "{expected:?}");
    assert_eq!((refresh, ticket.returns), (WaitingRoom::REFRESH, 1));
}

#[test]
fn many_tabs_gain_nothing_and_never_loop() {
    let mut room = WaitingRoom::new(at(0.0));
    let ticket = take(1, 0.0);
    // Twelve tabs present the same ticket for a minute, each going on with its own copy.
    let mut tabs = [Some(ticket); 12];
    for second in 1..60 {
        let now = f64::from(second);
        room.tick(1.0, at(now));
        for tab in &mut tabs {
            *tab = tab.and_then(|ticket| present(&mut room, &ticket, now));
        }
    }
    assert_eq!(tabs, [None; 12]);
    let called = |room: &mut WaitingRoom, seconds| match room.present(&ticket, at(seconds)) {
        Turn::Come { called_unix_s } => called_unix_s,
        Turn::Wait { .. } => panic!("was let in before"),
    };
    assert_eq!(called(&mut room, 60.0), called(&mut room, 600.0), "one token, one end");
}

#[test]
fn the_token_is_the_same_while_its_second_is_being_called() {
    let mut room = WaitingRoom::new(at(0.0));
    let tickets: Vec<Ticket> = (0..100).map(|i| take(i, 0.5 + i as f64 / 1_000.0)).collect();
    for ticket in &tickets {
        present(&mut room, ticket, 1.0);
    }
    let mut called = Vec::new();
    for second in 9..200 {
        room.tick(1.0, at(f64::from(second)));
        if let Turn::Come { called_unix_s } = room.present(&tickets[0], at(f64::from(second))) {
            called.push(called_unix_s);
        }
    }
    assert!(called.len() > 50, "{}", called.len());
    called.dedup();
    assert_eq!(called.len(), 1);
}

#[test]
fn absurd_times_do_no_harm() {
    let mut room = WaitingRoom::new(at(0.0));
    for ticket in [
        Ticket { issued_unix_ms: 0, ..take(1, 0.0) },
        Ticket { issued_unix_ms: (1 << 48) - 1, ..take(1, 0.0) },
    ] {
        let _ = room.present(&ticket, at(1.0));
    }
    room.tick(f64::NAN, at(1.0));
    room.tick(f64::INFINITY, at(2.0));
    room.tick(1.0, Timestamp::new(Duration::ZERO, i64::MIN));
    room.tick(1.0, Timestamp::new(Duration::ZERO, i64::MAX));
}
