//! The line about a message that broke a rule and closed nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::now;
use crate::zones::Zone;

/// A message that broke a rule. What it says is not kept: messages carry secrets.
#[derive(Debug)]
pub struct MessageFound {
    /// Of the upgrade request.
    pub ray_id: String,
    /// Whose rule it is.
    pub zone: Arc<Zone>,
    /// The rule's id.
    pub rule: Arc<str>,
    /// What the rule does: "drop" or "log".
    pub action: &'static str,
    /// Which way the message went: "`to_origin`" or "`to_client`".
    pub direction: &'static str,
    /// How long its text is, in bytes.
    pub message_bytes: usize,
    /// How many such messages of the same direction had no line before it.
    pub left_out: u64,
}

impl MessageFound {
    pub(super) fn record(&self) -> Value {
        let mut record = json!({
            "event": "websocket_message_rule", "time": now(), "ray_id": self.ray_id, "rule": *self.rule,
            "action": self.action, "direction": self.direction, "message_bytes": self.message_bytes,
        });
        if !self.zone.name().is_empty() {
            record["zone"] = self.zone.name().into();
        }
        if self.left_out > 0 {
            record["left_out"] = self.left_out.into();
        }
        record
    }
}
