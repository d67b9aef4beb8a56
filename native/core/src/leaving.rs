//! Whether the edge is on its way out, as every connection may ask and wait for.
//!
//! Law: it only ever gets nearer to its end.

use tokio::sync::watch;

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// It serves.
    #[default]
    Serving,
    /// It takes no new connection, and no further request on those it has. What was begun goes on, and a client that was
    /// let in may still ask what it came for.
    Retiring {
        /// Nobody else will take the connections that wait to be accepted: they are its own, and the last ones.
        takes_waiting: bool,
    },
    /// It waits for no client any more.
    Stopping,
}

/// Says it. When it is gone, what is still under way is cut.
#[derive(Debug)]
pub(crate) struct Farewell(watch::Sender<Stage>);

/// Is told.
#[derive(Clone, Debug)]
pub struct Leaving(watch::Receiver<Stage>);

/// The two ends.
pub(crate) fn farewell() -> (Farewell, Leaving) {
    let (sender, receiver) = watch::channel(Stage::default());
    (Farewell(sender), Leaving(receiver))
}

impl Farewell {
    pub(crate) fn retire(&self, takes_waiting: bool) {
        self.advance(Stage::Retiring { takes_waiting });
    }

    pub(crate) fn stop(&self) {
        self.advance(Stage::Stopping);
    }

    fn advance(&self, to: Stage) {
        self.0.send_if_modified(|stage| {
            let is_nearer = *stage < to;
            *stage = to.max(*stage);
            is_nearer
        });
    }
}

impl Leaving {
    /// It retires or stops: nothing new is begun.
    pub(crate) fn has_begun(&self) -> bool {
        *self.0.borrow() > Stage::Serving
    }

    /// It retires, and those who wait to be accepted are its own.
    pub(crate) fn takes_waiting(&self) -> bool {
        *self.0.borrow() == Stage::Retiring { takes_waiting: true }
    }

    /// Waits until it retires or stops, or is gone.
    pub(crate) async fn begun(&mut self) {
        let _ = self.0.wait_for(|stage| *stage > Stage::Serving).await;
    }

    /// Waits until it stops, or is gone.
    pub(crate) async fn stopped(&mut self) {
        let _ = self.0.wait_for(|stage| *stage == Stage::Stopping).await;
    }

    /// Waits until the time to end is over.
    pub(crate) async fn over(&mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

#[cfg(test)]
#[path = "leaving_tests.rs"]
mod tests;
