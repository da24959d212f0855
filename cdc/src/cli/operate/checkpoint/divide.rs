//! `cdc checkpoint divide`: how many engines share a pipeline's documents.

use cdc::{config::Config, operate::division::Dividing, share::Share};
use clap::ArgMatches;
use serde_json::json;

use super::{Exit, agrees, asks, exit, print, say};

pub(super) fn run(config: &Config, matches: &ArgMatches) -> Result<(), Exit> {
    let into = count(matches.get_one::<String>("N").map_or("", String::as_str))?;
    let asks = asks("divide", matches)?;
    crate::cli::operate::block_on(async {
        let failed = |error| exit(&error);
        let dividing = Dividing::begin(config, into).await.map_err(failed)?;
        let from = dividing.divided.count;
        let position = &dividing.divided.position;
        say(&format!(
            "{} -> {}, which go on at {position}\nwhat was published after that is published again",
            shares(from),
            shares(into),
        ));
        if asks && !agrees().await {
            dividing.end().await;
            return Err(Exit::failure("nothing was changed", None));
        }
        dividing.apply().await.map_err(failed)?;
        let json = json!({ "from": from, "into": into, "position": position.to_string() });
        dividing.end().await;
        if matches.get_flag("json") {
            print(&json.to_string());
        } else if into == 1 {
            print("written; start one engine without CDC_SHARE");
        } else {
            print(&format!(
                "written; start the engines with CDC_SHARE=0/{into} and so on"
            ));
        }
        Ok(())
    })
}

fn count(text: &str) -> Result<u16, Exit> {
    let count = text.parse().ok();
    count
        .filter(|count| (1..=Share::MAX).contains(count))
        .ok_or_else(|| {
            let fault = format!(
                "`{text}` is not a number of shares from 1 to {}",
                Share::MAX
            );
            Exit::usage(
                fault,
                Some("N is how many engines share the documents".into()),
            )
        })
}

fn shares(count: u16) -> String {
    match count {
        1 => "one engine for all documents".to_owned(),
        count => format!("{count} shares"),
    }
}
