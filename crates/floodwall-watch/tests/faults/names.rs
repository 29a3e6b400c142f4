//! Faults of names, from a name server that answers as a test says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use floodwall_outage::Cause;
use floodwall_watch::{AddressRule, Check, Failure, Family};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use crate::servers::{Answer, V4, serve};
use crate::{check_failed, probe_with};

/// What a name server says to a question.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Says {
    Code(ResponseCode),
    Addresses(Option<Ipv4Addr>, Option<Ipv6Addr>),
    /// IPv4 well, and this code for IPv6.
    HalfFails(ResponseCode),
    Alias,
    Circle,
    Silence,
    Garbage,
    OtherQuestion,
    /// Cut over UDP, whole over TCP.
    Cut(Ipv4Addr),
}

fn answer(question: &[u8], says: Says, over_tcp: bool) -> Option<Vec<u8>> {
    let asked = Message::from_vec(question).unwrap();
    let query = asked.queries[0].clone();
    let mut reply = Message::response(asked.metadata.id, asked.metadata.op_code);
    let add = |reply: &mut Message, name: &Name, data: RData| {
        reply.add_answer(Record::from_rdata(name.clone(), 60, data));
    };
    reply.add_query(query.clone());
    let alias = || Name::from_ascii("alias.example.").unwrap();
    let is_v4 = query.query_type() == RecordType::A;
    match says {
        Says::Silence => return None,
        Says::Code(code) => reply.metadata.response_code = code,
        Says::HalfFails(code) if !is_v4 => reply.metadata.response_code = code,
        Says::HalfFails(_) => add(&mut reply, query.name(), RData::A(A(Ipv4Addr::LOCALHOST))),
        Says::Addresses(v4, v6) => match (v4, v6) {
            (Some(v4), _) if is_v4 => add(&mut reply, query.name(), RData::A(A(v4))),
            (_, Some(v6)) if !is_v4 => add(&mut reply, query.name(), RData::AAAA(AAAA(v6))),
            _ => {}
        },
        Says::Alias => {
            add(&mut reply, query.name(), RData::CNAME(CNAME(alias())));
            if is_v4 {
                add(&mut reply, &alias(), RData::A(A(Ipv4Addr::LOCALHOST)));
            }
        }
        Says::Circle => {
            add(&mut reply, query.name(), RData::CNAME(CNAME(alias())));
            add(&mut reply, &alias(), RData::CNAME(CNAME(query.name().clone())));
        }
        Says::Garbage => return Some([&question[..2], &[0xff; 30]].concat()),
        Says::OtherQuestion => {
            reply.queries[0].set_name(alias());
            add(&mut reply, &alias(), RData::A(A(Ipv4Addr::LOCALHOST)));
        }
        Says::Cut(_) if !over_tcp => reply.metadata.truncation = true,
        Says::Cut(v4) if is_v4 => add(&mut reply, query.name(), RData::A(A(v4))),
        Says::Cut(_) => {}
    }
    Some(reply.to_vec().unwrap())
}

/// A name server on loopback, over UDP and TCP.
pub(crate) async fn name_server(says: Says) -> SocketAddr {
    let listener = TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let socket = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(reply) = answer(&buffer[..length], says, false) {
                let _ = socket.send_to(&reply, from).await;
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let length = stream.read_u16().await.unwrap();
            let mut question = vec![0; usize::from(length)];
            stream.read_exact(&mut question).await.unwrap();
            let reply = answer(&question, says, true).unwrap();
            stream.write_u16(u16::try_from(reply.len()).unwrap()).await.unwrap();
            stream.write_all(&reply).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn every_way_of_not_answering_a_question_has_its_cause() {
    for (says, expected) in [
        (Says::Code(ResponseCode::NXDomain), Cause::NameUnknown),
        (Says::Code(ResponseCode::ServFail), Cause::ResolverFailed),
        (Says::Code(ResponseCode::Refused), Cause::ResolverRefused),
        (Says::Code(ResponseCode::FormErr), Cause::ResolverError),
        (Says::Code(ResponseCode::NotImp), Cause::ResolverError),
        (Says::Addresses(None, None), Cause::NoAddress),
        (Says::Circle, Cause::AliasLoop),
        (Says::Silence, Cause::ResolverTimeout),
        (Says::Garbage, Cause::ResolverMalformed),
        (Says::OtherQuestion, Cause::ResolverMalformed),
    ] {
        let names = name_server(says).await;
        for target in ["http://www.tls-timeout-refused.example/", "dns://www.example"] {
            let report = probe_with(target.parse().unwrap(), &[names], &[], AddressRule::Any).await;
            assert_eq!(report.outcome(), Err(Failure::Target(expected)), "{says:?}: {report:#?}");
            check_failed(&report, Failure::Target(expected));
            assert_eq!(report.attempts[0].evidence.as_ref().unwrap().answers.len(), 2);
        }
    }
}

#[tokio::test]
async fn a_name_server_that_is_gone_is_unreachable_and_the_next_is_asked() {
    let gone = UdpSocket::bind((V4, 0)).await.unwrap().local_addr().unwrap();
    let target: Check = "dns://www.example".parse().unwrap();
    let report = probe_with(target.clone(), &[gone], &[], AddressRule::Any).await;
    check_failed(&report, Failure::Target(Cause::ResolverUnreachable));
    let names = name_server(Says::Addresses(Some(Ipv4Addr::LOCALHOST), None)).await;
    let report = probe_with(target, &[gone, names], &[], AddressRule::Any).await;
    assert_eq!(report.outcome(), Ok(()));
    assert_eq!(report.answers.len(), 4, "what each server said is kept: {report:#?}");
}

#[tokio::test]
async fn aliases_and_cut_answers_are_followed() {
    for says in [Says::Alias, Says::Cut(Ipv4Addr::LOCALHOST)] {
        let names = name_server(says).await;
        let page = serve(V4, Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())).await;
        let target = format!("http://www.example:{}/", page.port());
        let report = probe_with(target.parse().unwrap(), &[names], &[], AddressRule::Any).await;
        assert_eq!(report.outcome(), Ok(()), "{says:?}: {report:#?}");
    }
}

#[tokio::test]
async fn one_familys_failure_is_not_hidden_by_the_other() {
    let page = serve(V4, Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec())).await;
    let target = format!("http://www.example:{}/", page.port());
    for (says, expected) in [
        (Says::Addresses(Some(Ipv4Addr::LOCALHOST), Some(Ipv6Addr::LOCALHOST)), Cause::ConnectRefused),
        (Says::HalfFails(ResponseCode::ServFail), Cause::ResolverFailed),
    ] {
        let names = name_server(says).await;
        let report = probe_with(target.parse().unwrap(), &[names], &[], AddressRule::Any).await;
        check_failed(&report, Failure::Target(expected));
        assert_eq!(report.outcome_by_family(Family::V4), Some(Ok(())));
        assert_eq!(report.outcome_by_family(Family::V6), Some(Err(Failure::Target(expected))));
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_not_followed() {
    let names = name_server(Says::Addresses(Some(Ipv4Addr::new(10, 0, 0, 7)), None)).await;
    let report =
        probe_with("http://www.example/".parse().unwrap(), &[names], &[], AddressRule::PublicOnly).await;
    check_failed(&report, Failure::Target(Cause::AddressForbidden));
}

#[tokio::test]
async fn answers_that_drift_are_noticed() {
    let names = name_server(Says::Addresses(Some(Ipv4Addr::LOCALHOST), None)).await;
    for (expected, result) in [
        (vec![IpAddr::V4(Ipv4Addr::LOCALHOST)], None),
        (vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))], Some(Cause::RecordMismatch)),
    ] {
        let check = Check::Dns { host: "www.example".to_owned(), expected };
        let report = probe_with(check, &[names], &[], AddressRule::Any).await;
        assert_eq!(report.outcome().err(), result.map(Failure::Target));
    }
}
