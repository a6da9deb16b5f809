//! Cases that fail today.

const RECORDING: &str =
    "15. One EAGAIN, EIO or full disk on the journal or TensorBoard ends recording for good";
const PUBLISHING: &str = "16. A failed final save leaves the older weights without config.json";
const LINE: &str = "17. A kill between a checkpoint's rename and its line loses the line";
const SYNC: &str = "17. The journal is never synced";
const VANISHED: &str = "17. The folder removed or renamed mid-run is not noticed";
const VALIDATION: &str = "14. A damaged optimizer.safetensors is refused after the journal is cut";
const CHECKSUM: &str = "18. No checksum tells a flipped bit, and no remedy a damaged file";
const DROPPED: &str = "Events after a damaged line of the journal are dropped without a word";
const FILE_SIZE: &str = "SIGXFSZ ends the program";
const OUTPUT: &str = "An error of writing to stdout does not say so";
const SAVING_REMEDY: &str = "The remedy after a failed save is always disk space";
const CHECKPOINT_REMEDY: &str = "The warning about a checkpoint names no remedy";

/// Cases that fail today, with the reason. A case that is listed and passes fails the suite.
pub const KNOWN: &[(&str, &str)] = &[
    ("journal: ENOSPC once", RECORDING),
    ("journal: EIO once", RECORDING),
    ("journal: EAGAIN once", RECORDING),
    ("journal: EROFS once", RECORDING),
    ("journal: ENOSPC four times", RECORDING),
    ("journal: EMFILE at the start", RECORDING),
    ("journal: EIO of a sync", SYNC),
    ("TensorBoard: ENOSPC once", RECORDING),
    ("TensorBoard: EIO once", RECORDING),
    ("TensorBoard: EAGAIN once", RECORDING),
    ("TensorBoard: EROFS once", RECORDING),
    ("TensorBoard: ENOSPC four times", RECORDING),
    ("TensorBoard: EMFILE at the start", RECORDING),
    ("run.toml: ENOSPC once", RECORDING),
    ("run.toml: EIO once", RECORDING),
    ("run.toml: EAGAIN once", RECORDING),
    ("run.toml: EROFS once", RECORDING),
    ("run.toml: EROFS of its rename", RECORDING),
    ("run.toml: EIO of its rename", RECORDING),
    ("checkpoint: the warning names a remedy", CHECKPOINT_REMEDY),
    ("final config.json: EIO of its rename", PUBLISHING),
    ("final config.json: EROFS of its rename", PUBLISHING),
    ("final model.safetensors: EIO of its rename", PUBLISHING),
    ("final model.safetensors: EROFS of its rename", PUBLISHING),
    ("final tokenizer.json: EIO of its rename", PUBLISHING),
    ("final tokenizer.json: EROFS of its rename", PUBLISHING),
    ("final README.md: EIO of its rename", PUBLISHING),
    ("final README.md: EROFS of its rename", PUBLISHING),
    ("final model: the remedy fits EROFS", SAVING_REMEDY),
    ("final model: the remedy fits EMFILE", SAVING_REMEDY),
    ("kill while an older model is replaced", PUBLISHING),
    ("EIO while an older model is replaced", PUBLISHING),
    ("resume: optimizer.safetensors cut in half", VALIDATION),
    ("resume: optimizer.safetensors one bit flipped", CHECKSUM),
    ("resume: model.safetensors cut in half", CHECKSUM),
    ("resume: model.safetensors one bit flipped", CHECKSUM),
    ("resume: config.json cut in half", CHECKSUM),
    ("resume: tokenizer.json zeros", CHECKSUM),
    ("resume: zeros in the middle of the journal", DROPPED),
    ("folder renamed during the run", VANISHED),
    ("folder removed during the run", VANISHED),
    ("journal removed during the run", VANISHED),
    ("file size limit (SIGXFSZ): only the optimizer is too large", FILE_SIZE),
    ("file size limit (SIGXFSZ): the model is too large", FILE_SIZE),
    ("stdout: a full disk", OUTPUT),
    ("kill between a checkpoint's rename and its line", LINE),
];
