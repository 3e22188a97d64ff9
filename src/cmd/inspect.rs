//! `spindle inspect`: the facts of one prompt, as tables and figures or as JSON.

use std::time::Duration;

use anyhow::Result;
use indicatif::ProgressBar;

use super::say;
use crate::cli::InspectArgs;
use crate::experiment::{ModelTable, cells_of_flags, chat_options};
use crate::inspect::{Prompt, inspect as facts_of, table};
use crate::layout::width;
use crate::load;
use crate::plot;
use crate::run::check_folder;
use crate::source::{SourceOptions, resolve};
use crate::terminal::tell;

pub(super) fn inspect(args: &InspectArgs) -> Result<i32> {
    // What can be said before the model is there, which may have to be fetched.
    let cells = cells_of_flags(&args.methods)?;
    let store = args.kv_dtype.parse()?;
    let device = load::device(&args.device)?;
    let mut model = ModelTable::default();
    args.template.apply(&mut model)?;
    let chat = chat_options(&model, "inspect")?;
    let figures = args.figures();
    figures.as_deref().map_or(Ok(()), check_folder)?;
    let prompt = match &args.prompt {
        Some(path) => Prompt::read(path, args.chat)?,
        None => Prompt::Needle {
            length: args.length,
        },
    };
    let files = resolve(&args.model, &SourceOptions::default())?;
    let loaded = load::load(&files, &chat, &device)?;

    let progress = ProgressBar::new_spinner().with_message("prefill and compression");
    progress.enable_steady_tick(Duration::from_millis(200));
    let facts = facts_of(&loaded, &files, &prompt, &cells, store);
    progress.finish_and_clear();
    let facts = facts?;
    // Not before a refusal, which is one line.
    load::print_notes(&loaded.notes);

    say(&if args.json {
        serde_json::to_string(&facts)? + "\n"
    } else {
        table(&facts, width())
    })?;
    if let Some(folder) = figures {
        plot::draw_inspection(&facts, &folder)?;
        let drawn = format!("figures in {}", folder.display());
        if args.json {
            tell(&drawn);
        } else {
            say(&format!("{drawn}\n"))?;
        }
    }
    Ok(0)
}
