//! What a person can do about what is in a running engine's way, which goes on trying by itself.

use cdc::health::Cause;

/// For the status page, which shows it beside the reason.
pub(crate) fn advice(cause: Cause) -> Option<&'static str> {
    let text = match cause {
        Cause::Mongodb => {
            "has the replica set a primary, and can it be reached from here? `cdc check` asks each member; nothing is lost as \
             long as the oplog reaches back to the checkpoint"
        }
        Cause::Headroom => {
            "make the oplog larger, which takes effect at once (`replSetResizeOplog`), and mend what holds the engine up; \
             `cdc status` shows how much is left"
        }
        Cause::Rabbitmq => {
            "is the broker up, and can it be reached from here? `cdc check` asks each node; nothing is lost as long as \
             MongoDB's oplog reaches back to the checkpoint"
        }
        // The binary has none.
        Cause::Sink => return None,
        Cause::Blocked => {
            "give the broker memory or disk (`rabbitmq-diagnostics alarms` says which), or let consumers take messages; the \
             engine goes on by itself"
        }
        Cause::Nacked => {
            "is the queue at its length limit? Let consumers take messages, or raise the limit; the broker's log may say more"
        }
        Cause::Unroutable => {
            "bind a queue that takes the routing key, or set CDC_ON_UNROUTABLE to park or drop"
        }
        Cause::Checkpoint => {
            "has MongoDB a primary, and may the user write the checkpoint? `cdc check` looks at both; messages go on, and come \
             again after a crash"
        }
        Cause::Stalled => {
            "look at the broker: it takes messages and does not confirm them; the log has more"
        }
    };
    Some(text)
}
