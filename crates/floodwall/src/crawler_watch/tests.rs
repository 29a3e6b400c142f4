//! Against a DNS server of our own on loopback.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU32;

use floodwall_model::Timestamp;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, PTR};
use hickory_resolver::proto::rr::{Name, Record};
use tokio::net::UdpSocket;

use super::*;

const GOOGLEBOT: &[u8] = b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";

struct StoppedClock;

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::new(Duration::from_secs(1), 1_793_966_400_000_000)
    }
}

/// What the server knows; a name that is `None` is answered with a failure.
type Zone = HashMap<&'static str, Option<Vec<RData>>>;

fn ptr(name: &str) -> RData {
    RData::PTR(PTR(Name::from_ascii(name).unwrap()))
}

fn a(address: [u8; 4]) -> RData {
    RData::A(A(Ipv4Addr::from(address)))
}

/// Answers until the runtime ends; counts the questions.
async fn serve(socket: UdpSocket, zone: Zone, questions: Arc<AtomicU32>) {
    let mut buffer = [0; 1_500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let question = Message::from_vec(&buffer[..length]).unwrap();
        questions.fetch_add(1, Relaxed);
        let name = question.queries[0].name().clone();
        let mut answer = question.into_response();
        answer.additionals.clear();
        match zone.get(name.to_ascii().to_ascii_lowercase().as_str()) {
            Some(Some(records)) => {
                answer.answers =
                    records.iter().map(|data| Record::from_rdata(name.clone(), 60, data.clone())).collect();
            }
            Some(None) => answer.metadata.response_code = ResponseCode::ServFail,
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
    }
}

async fn watch(zone: Zone) -> (Arc<CrawlerWatch>, Arc<AtomicU32>) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap();
    let questions = Arc::new(AtomicU32::new(0));
    tokio::spawn(serve(socket, zone, questions.clone()));
    let mut connection = ConnectionConfig::udp();
    connection.port = server.port();
    let config =
        ResolverConfig::from_name_servers(vec![NameServerConfig::new(server.ip(), true, vec![connection])]);
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    set(builder.options_mut());
    builder.options_mut().attempts = 1;
    let watch = CrawlerWatch::start_with(
        CrawlerCheckSettings::default(),
        Arc::new(StoppedClock),
        builder.build().unwrap(),
    );
    (watch, questions)
}

/// Asks until it is known who the address is, once for each turn the other tasks have had.
async fn settled(watch: &CrawlerWatch, address: [u8; 4]) -> CrawlerStanding {
    loop {
        let standing = watch.standing(address.into(), GOOGLEBOT);
        let is_asking = lock(&watch.checks).is_asking(address.into(), watch.clock.now());
        if !is_asking {
            return standing;
        }
        tokio::task::yield_now().await;
    }
}

fn zone() -> Zone {
    HashMap::from([
        ("1.66.249.66.in-addr.arpa.", Some(vec![ptr("crawl-66-249-66-1.googlebot.com.")])),
        ("crawl-66-249-66-1.googlebot.com.", Some(vec![a([66, 249, 66, 1])])),
        // Whoever holds an address writes its name as he likes.
        ("1.2.0.192.in-addr.arpa.", Some(vec![ptr("crawl-66-249-66-1.googlebot.com.")])),
        ("2.2.0.192.in-addr.arpa.", Some(vec![ptr("googlebot.com.evil.example.")])),
        ("3.2.0.192.in-addr.arpa.", None),
    ])
}

#[test]
fn only_the_genuine_crawler_is_verified() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (watch, questions) = watch(zone()).await;
        for (address, expected, asked) in [
            ([66, 249, 66, 1], CrawlerStanding::Verified, 2),
            ([192, 0, 2, 1], CrawlerStanding::Refused, 2),
            ([192, 0, 2, 2], CrawlerStanding::Refused, 1),
            ([192, 0, 2, 4], CrawlerStanding::Refused, 1),
        ] {
            let before = questions.load(Relaxed);
            assert_eq!(
                watch.standing(address.into(), GOOGLEBOT),
                CrawlerStanding::Unknown,
                "it waits for nothing"
            );
            assert_eq!(settled(&watch, address).await, expected, "{address:?}");
            assert_eq!(settled(&watch, address).await, expected, "{address:?}, again");
            assert_eq!(questions.load(Relaxed) - before, asked, "{address:?}: asked once");
        }
        assert_eq!(settled(&watch, [192, 0, 2, 3]).await, CrawlerStanding::Unknown, "DNS failed");
        let host = watch.verified_host([66, 249, 66, 1].into());
        assert_eq!(host.as_deref(), Some("crawl-66-249-66-1.googlebot.com."));
        assert_eq!((watch.verified_host([192, 0, 2, 1].into()), watch.dropped()), (None, 0));
        assert_eq!(watch.standing([192, 0, 2, 9].into(), b"Firefox"), CrawlerStanding::NotClaimed);
    });
}
