//! Why a run takes no requests and answers no questions.

use super::state::State;

impl State {
    /// Why a run that takes no requests does not.
    pub fn why_not_controlled(&self) -> &'static str {
        if !self.is_running() {
            "the run has ended"
        } else if self.stopping {
            "the run is being stopped"
        } else if self.replay.is_some() {
            "a replay can only be paused"
        } else {
            "the run has not begun yet"
        }
    }

    /// Why a recorded run has no model that answers.
    pub fn why_no_model(&self) -> Option<&'static str> {
        let replay = self.replay.as_ref()?;
        Some(match (&replay.folder, &self.saved) {
            (None, _) => "this recording is not in the folder of its run, where the model is",
            (Some(_), Some(_)) => return None,
            (Some(_), None) if self.is_running() && replay.opened.is_none() => {
                "the saved model answers at the end of the replay"
            }
            (Some(_), None) => "this run has not saved a model",
        })
    }
}
