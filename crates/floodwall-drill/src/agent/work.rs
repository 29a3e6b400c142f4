//! Proof of work as browsers do it (ALTCHA's "PoW v1"): really computed, on a thread of its own, and
//! charged as much time as the visitor's device would have needed.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::setpriority_process;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::sync::{mpsc, oneshot};

use super::lateness::Lateness;
use crate::clock::{Moment, until};

/// The cookie in which an answer is brought back.
pub(super) const WORK_COOKIE: &str = "floodwall_work";

/// The most numbers that anybody tries for one challenge.
const NUMBER_MAX: u32 = 2_000_000;
/// The longest challenge that is read, bytes.
const CHALLENGE_BYTES_MAX: usize = 2_048;
/// Challenges that wait to be computed; what is more waits in its visitor's task.
const WAITING_MAX: usize = 256;
/// How much the thread stands back behind those that send and receive.
const NICE: i32 = 5;

/// A challenge as it stands in a page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Challenge {
    algorithm: String,
    challenge: String,
    salt: String,
    signature: String,
    #[serde(rename = "maxnumber")]
    number_max: u32,
}

impl Challenge {
    /// Reads it; `None` where nobody could solve it.
    pub(super) fn read(json: &str) -> Option<Self> {
        if json.len() > CHALLENGE_BYTES_MAX {
            return None;
        }
        let challenge: Self = serde_json::from_str(json).ok()?;
        let solvable = challenge.algorithm == "SHA-256" && challenge.number_max <= NUMBER_MAX;
        solvable.then_some(challenge)
    }

    /// Tries one number after the other.
    fn solve(&self) -> Option<u32> {
        let wanted = digest_of(&self.challenge)?;
        // The salt fills the first block: what is left is one compression for each number.
        let salted = Sha256::new().chain_update(&self.salt);
        let mut digits = String::with_capacity(10);
        (0..=self.number_max).find(|number| {
            use std::fmt::Write as _;
            digits.clear();
            let _ = write!(digits, "{number}");
            let digest: [u8; 32] = salted.clone().chain_update(&digits).finalize().into();
            digest == wanted
        })
    }

    /// What is brought back.
    fn answer(&self, number: u32) -> String {
        STANDARD.encode(
            serde_json::json!({
                "algorithm": self.algorithm,
                "challenge": self.challenge,
                "number": number,
                "salt": self.salt,
                "signature": self.signature,
            })
            .to_string(),
        )
    }
}

fn digest_of(hexadecimal: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if hexadecimal.len() != 2 * digest.len() || !hexadecimal.is_ascii() {
        return None;
    }
    for (place, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hexadecimal.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(digest)
}

/// One challenge on its way to the thread that computes, and the way back.
type Job = (Challenge, oneshot::Sender<Option<u32>>);

/// Computes for all visitors of this process, one challenge at a time: its thread is part of the process and
/// runs on the generators' processor, so its time is in what the drill says they used.
#[derive(Clone, Debug)]
pub(super) struct Solver {
    jobs: mpsc::Sender<Job>,
    late: Arc<Mutex<Lateness>>,
}

impl Solver {
    /// Starts the thread; it ends when nobody can ask it any more.
    pub(super) fn start() -> Self {
        let (jobs, mut waiting) = mpsc::channel::<Job>(WAITING_MAX);
        std::thread::spawn(move || {
            // On Linux this is the thread's own. Where it is not allowed, it runs like the others.
            let _ = setpriority_process(None, NICE);
            while let Some((challenge, told)) = waiting.blocking_recv() {
                // Whoever gave up meanwhile does not listen.
                if !told.is_closed() {
                    let _ = told.send(challenge.solve());
                }
            }
        });
        Self { jobs, late: Arc::new(Mutex::new(Lateness::new())) }
    }

    /// Solves a challenge as a device that computes so many hashes a second: the answer comes when that
    /// device would have it. `None` where there is none.
    pub(super) async fn solve(&self, challenge: &Challenge, hashes_per_second: u32) -> Option<String> {
        let began = Moment::now();
        let (told, answer) = oneshot::channel();
        self.jobs.send((challenge.clone(), told)).await.ok()?;
        let number = answer.await.ok()??;
        let tries = u64::from(number) + 1;
        let done = began.plus_us(tries.saturating_mul(1_000_000) / u64::from(hashes_per_second.max(1)));
        self.late.lock().unwrap_or_else(PoisonError::into_inner).note(done);
        until(done).await;
        Some(challenge.answer(number))
    }

    /// How much later than the devices would have had them answers were computed, microseconds: 99th
    /// percentile and maximum. The generator's own fault.
    pub(super) fn late_us(&self) -> (u64, u64) {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).p99_and_max_us()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use floodwall_model::Timestamp;
    use floodwall_policy::{Binding, ClientFingerprint, Difficulty, Keyring, Secret, SiteTag};

    use super::*;

    #[tokio::test]
    async fn what_the_keyring_asks_is_solved_and_counts() {
        let now = Timestamp::new(Duration::from_secs(1), 1_667_916_000_000_000);
        let ring = Keyring::new(&Secret::new([7; 32]), now);
        let binding = Binding { site: SiteTag(1), fingerprint: ClientFingerprint(2), generation: 0 };
        let issued = ring.issue_challenge(&binding, Difficulty::SLOW_DEVICE, 99, now);
        let json = serde_json::to_string(&issued).unwrap();
        let challenge = Challenge::read(&json).unwrap();
        let solver = Solver::start();
        let (began, speed) = (Moment::now(), 1_000_000);
        let answer = solver.solve(&challenge, speed).await.unwrap();
        let number = challenge.solve().unwrap();
        assert!(Moment::now().us_since(began) >= u64::from(number) * 1_000_000 / u64::from(speed));
        let claims = ring.redeem_solution(answer.as_bytes(), &binding, Duration::from_secs(60), now);
        assert_eq!(claims.unwrap().site, SiteTag(1));
    }

    #[tokio::test]
    async fn what_nobody_could_solve_is_left() {
        let good = r#"{"algorithm":"SHA-256","challenge":"00","salt":"s","signature":"t","maxnumber":5}"#;
        for (json, reads) in [
            (good.to_owned(), true),
            (good.replace("256", "512"), false),
            (good.replace(":5}", ":2000001}"), false),
            (good.replace("\"s\"", &format!("\"{}\"", "s".repeat(2_048))), false),
            ("{".to_owned(), false),
        ] {
            assert_eq!(Challenge::read(&json).is_some(), reads, "{json}");
        }
        let challenge = Challenge::read(good).unwrap();
        assert_eq!(Solver::start().solve(&challenge, 1_000).await, None);
        let nowhere = Challenge { challenge: "0".repeat(64), ..challenge };
        assert_eq!(Solver::start().solve(&nowhere, 1_000).await, None);
    }
}
