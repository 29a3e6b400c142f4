use std::os::unix::fs::MetadataExt;

use floodwall_model::Timestamp;
use floodwall_policy::{Decided, RefusalNote, Rung, Secret};

use super::client::{AskError, get};
use super::*;
use crate::client_files::ClientFilePaths;

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), 1_793_966_400_000_000)
    }
}

struct Nobody;

impl orders::OrderTaker for Nobody {
    fn put(&self, _book: Arc<floodwall_policy::OrderBook>) {}
}

struct OneAddress;

impl EdgeAccount for OneAddress {
    fn address(&self, address: IpAddr) -> Option<AddressFacts> {
        let client = floodwall_model::Prefix::of_client(address).to_string();
        address.is_ipv4().then_some(AddressFacts {
            client,
            allowed: None,
            system: None,
            blocked: None,
            known: true,
            sites: Vec::new(),
        })
    }

    fn rules(&self) -> Vec<(String, SignatureRecord)> {
        vec![("sos".to_owned(), crate::explain::sample_rule())]
    }

    fn purge(&self, target: &PurgeTarget, depth: PurgeDepth) -> usize {
        usize::from(*target == PurgeTarget::All) + usize::from(depth == PurgeDepth::Remove)
    }
}

fn key() -> ReferenceKey {
    ReferenceKey::new(&Secret::new([42; 32]))
}

/// A served socket, until `ask` has what it wants.
fn served(ask: impl FnOnce(&Path) + Send + 'static) {
    let (directory, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = AdminSocket::bind(directory.path()).unwrap();
        let desk = AdminDesk {
            key: key(),
            sites: vec!["sos".to_owned()],
            account: Arc::new(OneAddress),
            clients: ClientFiles::read(ClientFilePaths::default(), None).0,
            incidents: None,
            status: None,
            orders: OperatorOrders::start(kept.path(), Arc::new(Nobody), StoppedClock.now()),
            clock: Arc::new(StoppedClock),
        };
        let path = directory.path().to_owned();
        let asking = tokio::task::spawn_blocking(move || ask(&path));
        let done = async { asking.await.unwrap() };
        socket.serve(Arc::new(desk), done).await;
    });
    let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().collect();
    assert!(left.is_empty(), "the socket's file goes with it: {left:?}");
}

#[test]
fn it_is_the_owners_alone_and_takes_the_place_of_a_left_over() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(FILE), "left over").unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _context = runtime.enter();
    let _socket = AdminSocket::bind(directory.path()).unwrap();
    let metadata = std::fs::metadata(directory.path().join(FILE)).unwrap();
    assert_eq!(metadata.mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn ids_and_addresses_are_explained() {
    served(|path| {
        let note = RefusalNote {
            at_unix_s: 1_793_966_000,
            decided: Decided::NoRoom,
            rung: Rung::Open,
            site: Some(0),
            client: 0,
            counter: 0,
        };
        let id = key().seal(&note);
        for (subject, found, word) in [
            (id.to_string(), true, "site sos"),
            ("0000-0000-0001".to_owned(), false, "no such reference ID"),
            ("192.0.2.7".to_owned(), true, "192.0.2.7/32"),
            ("2001:db8::1".to_owned(), false, "keeps no account"),
            ("S3".to_owned(), true, "no Accept-Language"),
            ("S4".to_owned(), false, "No rule of this number"),
        ] {
            let answer = get(path, &format!("/explain?subject={subject}")).unwrap();
            let explanation: Explanation = serde_json::from_str(&answer).unwrap();
            assert_eq!((explanation.subject, explanation.found), (subject, found));
            assert!(explanation.words.join(" ").contains(word), "{:?}", explanation.words);
        }
    });
}

#[test]
fn what_it_does_not_understand_is_said() {
    served(|path| {
        for (question, word) in [
            ("/explain", "`subject` is missing"),
            ("/explain?subject=nonsense", "neither an address nor a reference ID"),
            ("/explain?subject=192.0.2.7&from=x", "`from` is not an address"),
            ("/explain?what=1", "there are `subject` and `from`"),
            ("/nowhere", "/explain?subject="),
        ] {
            let Err(AskError::Refused(said)) = get(path, question) else { panic!("{question} was answered") };
            assert!(said.contains(word), "{question}: {said}");
        }
    });
}

#[test]
fn who_asks_where_no_server_is_hears_that() {
    let directory = tempfile::tempdir().unwrap();
    assert!(matches!(get(directory.path(), "/explain"), Err(AskError::NotRunning(_))));
    drop(std::os::unix::net::UnixListener::bind(directory.path().join(FILE)).unwrap());
    assert!(matches!(get(directory.path(), "/explain"), Err(AskError::NotRunning(_))));
}

#[test]
fn what_is_kept_is_purged_and_what_cannot_be_read_is_said() {
    served(|directory| {
        let post = |fields: &[(&str, &str)]| client::post(directory, "/purge", fields);
        for (fields, expected) in [
            (&[("floodwall-purge", "*")][..], Ok(1)),
            (&[("floodwall-purge", "*"), ("floodwall-purge-remove", "1")], Ok(2)),
            (&[("floodwall-purge", "tag:news")], Ok(0)),
            (&[("floodwall-purge", "/news")], Err("is no address")),
            (&[], Err("is missing")),
        ] {
            match (post(fields), expected) {
                (Ok(answer), Ok(count)) => {
                    let purged: Purged = serde_json::from_str(&answer).unwrap();
                    assert_eq!(purged.addresses, count, "{fields:?}");
                }
                (Err(error), Err(word)) => assert!(error.to_string().contains(word), "{error}"),
                (answer, _) => panic!("{fields:?}: {answer:?}"),
            }
        }
        assert!(get(directory, "/purge").is_err());
    });
}
