//! The program: everything else is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    nsmc_tui::cli::commands::main()
}
