//! Sessions: WebSockets whose other end is a script's process, which gets messages and not bytes.

use std::path::Path;
use std::sync::Arc;

/// Which script's process is the far end of a session, and what was agreed when it opened.
#[derive(Clone, Debug)]
pub struct SessionTerms {
    /// By what the process knows the session: the `Holdfast-Session` of its 101.
    pub ticket: Box<str>,
    /// The Unix socket on which the script's process takes channel connections.
    pub channel: Arc<Path>,
    /// The script, as the installation knows it.
    pub script: Arc<str>,
    /// Whether permessage-deflate was agreed, without context takeover either way (RFC 7692 §7.1.1).
    pub is_compressed: bool,
}
