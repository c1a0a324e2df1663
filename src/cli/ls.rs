//! `postern ls`: lists buckets, or the objects of one.

use std::io::{BufWriter, ErrorKind, IsTerminal, Write, stdout};

use serde_json::json;

use crate::types::printable;

use super::{
    Cli, Outcome, Problem,
    client::{
        self, ClientArgs,
        listing::{self, Bucket, Entry, Listed, Listing},
    },
    s3_url::S3Url,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// s3://BUCKET or s3://BUCKET/PREFIX; without it every bucket
    #[arg(value_name = "S3URL", value_parser = S3Url::parse)]
    what: Option<S3Url>,
    /// Every object below the prefix, with its whole key
    #[arg(long, short)]
    recursive: bool,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let listed = client::run(cli, &args.client, async |client| {
        let mut out = Out {
            to: BufWriter::new(stdout()),
            json: args.json,
            escape: stdout().is_terminal(),
        };
        let Some(url) = &args.what else {
            for bucket in listing::buckets(&client).await? {
                out.bucket(&bucket)?;
            }
            out.to.flush()?;
            return Ok(Outcome::Yes);
        };
        let prefix = url.rest.as_deref().unwrap_or_default();
        // One level is shown as `ls` shows a folder: names without what they share.
        let folder = if args.recursive {
            ""
        } else {
            prefix
                .rfind('/')
                .and_then(|at| prefix.get(..=at))
                .unwrap_or_default()
        };
        let delimiter = (!args.recursive).then_some('/');
        let (mut pages, mut found) = (Listing::new(&client, &url.bucket, prefix, delimiter), false);
        while let Some(entries) = pages.page().await? {
            found |= !entries.is_empty();
            for entry in &entries {
                out.entry(entry, folder)?;
            }
            out.to.flush()?;
        }
        // As with `ls`: a name that nothing has is a no, an empty bucket is not.
        Ok(if found || prefix.is_empty() {
            Outcome::Yes
        } else {
            Outcome::No
        })
    });
    match listed {
        // `postern ls | head`
        Err(problem) if closed(&problem) => Ok(Outcome::Yes),
        listed => listed,
    }
}

fn closed(problem: &Problem) -> bool {
    problem
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Where lines go, and how they look.
struct Out<W: Write> {
    to: W,
    json: bool,
    escape: bool,
}

impl<W: Write> Out<W> {
    fn bucket(&mut self, bucket: &Bucket) -> std::io::Result<()> {
        if self.json {
            return self.line(&json!({ "bucket": bucket.name, "created": bucket.created }).to_string());
        }
        self.line(&format!("{} {}", date(&bucket.created), self.shown(&bucket.name)))
    }

    fn entry(&mut self, entry: &Entry, folder: &str) -> std::io::Result<()> {
        let line = match entry {
            Entry::Prefix(prefix) if self.json => json!({ "prefix": prefix }).to_string(),
            Entry::Object(object) if self.json => json_of(object),
            Entry::Prefix(prefix) => {
                format!("{:>30} {}", "PRE", self.shown(below(prefix, folder)))
            }
            Entry::Object(object) => format!(
                "{} {:>10} {}",
                date(&object.last_modified),
                object.size,
                self.shown(below(&object.key, folder))
            ),
        };
        self.line(&line)
    }

    fn shown(&self, name: &str) -> String {
        if self.escape {
            printable(name).into_owned()
        } else {
            name.to_owned()
        }
    }

    fn line(&mut self, text: &str) -> std::io::Result<()> {
        writeln!(self.to, "{text}")
    }
}

fn json_of(object: &Listed) -> String {
    json!({
        "key": object.key,
        "size": object.size,
        "last_modified": object.last_modified,
        "etag": object.etag,
    })
    .to_string()
}

fn below<'a>(name: &'a str, folder: &str) -> &'a str {
    name.strip_prefix(folder).unwrap_or(name)
}

/// `2026-11-24T09:00:00.000Z` as `2026-11-24 09:00:00`, still UTC: output does not depend on where it is read.
fn date(text: &str) -> String {
    match text.get(..19) {
        Some(date) => printable(&date.replace('T', " ")).into_owned(),
        None => format!("{:19}", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: bool, escape: bool, entries: &[Entry], folder: &str) -> String {
        let mut out = Out {
            to: Vec::new(),
            json,
            escape,
        };
        for entry in entries {
            out.entry(entry, folder).unwrap();
        }
        String::from_utf8(out.to).unwrap()
    }

    #[test]
    fn lines_look_as_those_of_aws_s3_ls() {
        let entries = [
            Entry::Prefix("films/new/".to_owned()),
            Entry::Object(Listed {
                key: "films/a\nb\u{1b}".to_owned(),
                size: 12,
                last_modified: "2026-11-24T09:00:00.000Z".to_owned(),
                etag: "e".to_owned(),
            }),
        ];
        assert_eq!(
            written(false, true, &entries, "films/"),
            "                           PRE new/\n2026-11-24 09:00:00         12 a\\nb\\u{1b}\n"
        );
        assert_eq!(
            written(false, false, &entries[1..], ""),
            "2026-11-24 09:00:00         12 films/a\nb\u{1b}\n"
        );
        assert_eq!(
            written(true, true, &entries, "films/"),
            "{\"prefix\":\"films/new/\"}\n{\"etag\":\"e\",\"key\":\"films/a\\nb\\u001b\",\
             \"last_modified\":\"2026-11-24T09:00:00.000Z\",\"size\":12}\n"
        );
        assert_eq!(date("odd"), " ".repeat(19));
    }
}
