//! What ends the edge when the drill itself is killed.
//!
//! The kernel kills the edge's first process when the drill dies, but not that one's children
//! (nginx's workers live on without their master), and nobody removes the directory. So a shell waits
//! for the end of a pipe that only the drill holds, then kills the edge's group and clears up.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::DrillError;
use super::agents::Agent;

/// `$0` is the group, `$1` the directory. A group that is dying has a second to be gone.
const SCRIPT: &str = "while read -r _; do :; done; kill -s KILL -- \"-$0\"; n=0; \
                      while [ $n -lt 20 ] && kill -s 0 -- \"-$0\"; do n=$((n+1)); sleep 0.05; done; \
                      rm -rf -- \"$1\"";

/// The waiting shell. Dropped, it ends without a deed: then the drill clears up itself.
#[derive(Debug)]
pub(super) struct Watch(Child);

impl Watch {
    /// Watches over the edge and the directory.
    pub(super) fn over(edge: &Agent, directory: &Path) -> Result<Self, DrillError> {
        let watch = Command::new("sh")
            .args(["-c", SCRIPT, &edge.pid().to_string()])
            .arg(directory)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let failed =
            |error| DrillError::Agent { host: "edge", what: format!("cannot be watched over: {error}") };
        watch.map(Self).map_err(failed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Before the pipe closes. It has no process beside it until then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
