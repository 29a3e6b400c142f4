//! Asking one resolver or several for a name's addresses, each family by its own query, and what a
//! failure says by response code and error kind.
//!
//! Own queries over UDP (TCP when the answer was cut) and not a caching resolver: what is cached here
//! would hide what visitors meet. Messages are read and written by hickory's library.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floodwall_outage::{Cause, Family, UnknownCause};
use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::attempt::Failure;

/// Largest answer that is read.
const MESSAGE_BYTES_MAX: usize = 4096;
/// Aliases followed within an answer.
const ALIASES_MAX: usize = 16;
/// Addresses taken from an answer.
const ANSWER_ADDRESSES_MAX: usize = 32;
/// Datagrams that are no answer to the question and are passed over before one gives up.
const STRAY_MAX: usize = 64;

/// Where names are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Servers, asked in this order until one answers.
    pub servers: Vec<SocketAddr>,
    /// How long each is waited for.
    pub patience: Duration,
}

impl Resolver {
    /// The servers of `/etc/resolv.conf`.
    ///
    /// # Errors
    /// When it cannot be read or names none.
    pub fn of_system() -> io::Result<Self> {
        let (config, _) = hickory_resolver::system_conf::read_system_conf()
            .map_err(|error| io::Error::other(error.to_string()))?;
        let servers = config.name_servers().iter().map(|server| SocketAddr::new(server.ip, 53)).collect();
        Ok(Self { servers, patience: Duration::from_millis(2500) })
    }
}

/// What one server said to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who was asked.
    pub server: SocketAddr,
    /// For addresses of this family.
    pub family: Family,
    /// The response code, where an answer came (RFC 1035 and 6895).
    pub code: Option<u16>,
    /// The addresses, at most 32.
    pub addresses: Vec<IpAddr>,
    /// Why it is of no use.
    pub failure: Option<Failure>,
}

/// Asks for `host`'s addresses of one family: what each server said, the last one's being what counts.
pub(crate) async fn ask(resolver: &Resolver, host: &str, family: Family) -> Vec<Answer> {
    let mut answers = Vec::new();
    for server in &resolver.servers {
        let answer = ask_one(*server, host, family, resolver.patience).await;
        // A server that does not know is final; one that cannot say leaves it to the next.
        let is_final = match answer.failure {
            None => true,
            Some(Failure::Target(cause)) => {
                matches!(cause, Cause::NameUnknown | Cause::NoAddress | Cause::AliasLoop)
            }
            Some(Failure::Own(_)) => false,
        };
        answers.push(answer);
        if is_final {
            break;
        }
    }
    answers
}

async fn ask_one(server: SocketAddr, host: &str, family: Family, patience: Duration) -> Answer {
    let mut answer = Answer { server, family, code: None, addresses: Vec::new(), failure: None };
    let Ok(mut name) = Name::from_ascii(host) else {
        answer.failure = Some(Failure::Target(Cause::NameUnknown));
        return answer;
    };
    name.set_fqdn(true);
    let kind = match family {
        Family::V4 => RecordType::A,
        Family::V6 => RecordType::AAAA,
    };
    match tokio::time::timeout(patience, exchange(server, &name, kind)).await {
        Err(_) => answer.failure = Some(Failure::Target(Cause::ResolverTimeout)),
        Ok(Err(failure)) => answer.failure = Some(failure),
        Ok(Ok(message)) => {
            answer.code = Some(u16::from(message.metadata.response_code));
            match read(&message, &name) {
                Ok(addresses) => answer.addresses = addresses,
                Err(cause) => answer.failure = Some(Failure::Target(cause)),
            }
        }
    }
    answer
}

/// The addresses of an answer, along its aliases.
fn read(message: &Message, name: &Name) -> Result<Vec<IpAddr>, Cause> {
    match message.metadata.response_code {
        ResponseCode::NoError => {}
        ResponseCode::NXDomain => return Err(Cause::NameUnknown),
        ResponseCode::ServFail => return Err(Cause::ResolverFailed),
        ResponseCode::Refused => return Err(Cause::ResolverRefused),
        _ => return Err(Cause::ResolverError),
    }
    let mut at = name.clone();
    for _ in 0..ALIASES_MAX {
        let here = || message.answers.iter().filter(|record| record.name == at);
        let addresses: Vec<_> =
            here().filter_map(|record| record.data.ip_addr()).take(ANSWER_ADDRESSES_MAX).collect();
        if !addresses.is_empty() {
            return Ok(addresses);
        }
        let alias = here().find_map(|record| match &record.data {
            RData::CNAME(alias) => Some(alias.0.clone()),
            _ => None,
        });
        match alias {
            Some(alias) => at = alias,
            None => return Err(Cause::NoAddress),
        }
    }
    Err(Cause::AliasLoop)
}

async fn exchange(server: SocketAddr, name: &Name, kind: RecordType) -> Result<Message, Failure> {
    let mut question = Message::query();
    question.metadata.recursion_desired = true;
    question.add_query(Query::query(name.clone(), kind));
    let bytes = question.to_vec().map_err(|_| Failure::Target(Cause::NameUnknown))?;
    let message = over_udp(server, &question, &bytes).await?;
    if message.metadata.truncation { over_tcp(server, &question, &bytes).await } else { Ok(message) }
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, Failure> {
    let any: SocketAddr = if server.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any).await.map_err(|_| Failure::Own(UnknownCause::ProberFailed))?;
    // Connected, so that others' datagrams are not received and ICMP errors are.
    socket.connect(server).await.map_err(|_| Failure::Own(UnknownCause::EgressGone))?;
    socket.send(bytes).await.map_err(|error| unreachable(&error))?;
    let mut buffer = [0; MESSAGE_BYTES_MAX];
    for _ in 0..STRAY_MAX {
        let length = socket.recv(&mut buffer).await.map_err(|error| unreachable(&error))?;
        let datagram = buffer.get(..length).unwrap_or_default();
        if !is_reply_to(datagram, question.metadata.id) {
            continue;
        }
        let message = Message::from_vec(datagram).map_err(|_| Failure::Target(Cause::ResolverMalformed))?;
        return check(message, question);
    }
    Err(Failure::Target(Cause::ResolverMalformed))
}

async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> Result<Message, Failure> {
    let mut stream = TcpStream::connect(server).await.map_err(|error| unreachable(&error))?;
    let length = u16::try_from(bytes.len()).map_err(|_| Failure::Target(Cause::NameUnknown))?;
    let framed = [&length.to_be_bytes(), bytes].concat();
    stream.write_all(&framed).await.map_err(|error| unreachable(&error))?;
    let length = stream.read_u16().await.map_err(|error| unreachable(&error))?;
    let mut buffer = vec![0; usize::from(length)];
    stream.read_exact(&mut buffer).await.map_err(|error| unreachable(&error))?;
    let message = Message::from_vec(&buffer).map_err(|_| Failure::Target(Cause::ResolverMalformed))?;
    check(message, question)
}

/// Whether the datagram's number is the question's: others are strays, or forged.
fn is_reply_to(datagram: &[u8], id: u16) -> bool {
    datagram.first_chunk().is_some_and(|bytes| u16::from_be_bytes(*bytes) == id)
}

/// An answer must be one, and to this question (RFC 5452, 9.1).
fn check(message: Message, question: &Message) -> Result<Message, Failure> {
    let same = |a: &Query, b: &Query| a.name() == b.name() && a.query_type() == b.query_type();
    let asked = question.queries.first();
    // Servers that could not read the question may leave it out of their error.
    let fits = match (message.queries.first(), asked) {
        (Some(got), Some(asked)) => same(got, asked),
        (None, _) => message.metadata.response_code != ResponseCode::NoError,
        (Some(_), None) => false,
    };
    let is_answer =
        message.metadata.message_type == MessageType::Response && message.metadata.id == question.metadata.id;
    if is_answer && fits { Ok(message) } else { Err(Failure::Target(Cause::ResolverMalformed)) }
}

fn unreachable(error: &io::Error) -> Failure {
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::UnexpectedEof
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => Failure::Target(Cause::ResolverUnreachable),
        ErrorKind::TimedOut => Failure::Target(Cause::ResolverTimeout),
        _ => Failure::Own(UnknownCause::ProberFailed),
    }
}
