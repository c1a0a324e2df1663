//! `postern rm`: removes an object, all objects below a prefix, or a bucket.

use http::Method;
use tokio::task::JoinSet;

use crate::types::{BucketName, ObjectKey, printable};

use super::{
    Cli, Outcome, Problem,
    client::{
        self, Call, ClientArgs, ClientError, S3Client,
        listing::{Entry, Listing},
    },
    s3_url::S3Url,
};

/// How many objects are removed at once.
const AT_ONCE: usize = 8;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// s3://BUCKET/KEY; s3://BUCKET removes the bucket, if it is empty
    #[arg(value_name = "S3URL", value_parser = S3Url::parse)]
    what: S3Url,
    /// All objects below s3://BUCKET/PREFIX/; with s3://BUCKET, all objects and then the bucket; with s3://BUCKET/, all objects
    #[arg(long, short)]
    recursive: bool,
    #[command(flatten)]
    client: ClientArgs,
}

/// What is to go.
enum What {
    Object(ObjectKey),
    /// Everything that begins so.
    Below(String),
    Bucket,
    BucketAndAll,
}

fn what(args: &Args) -> Result<What, Problem> {
    Ok(match (args.recursive, args.what.rest.as_deref()) {
        (false, None) => What::Bucket,
        (true, None) => What::BucketAndAll,
        (false, Some(_)) => What::Object(args.what.object()?),
        (true, Some("")) => What::Below(String::new()),
        // `films` must not take `films-2026/a` with it.
        (true, Some(prefix)) if !prefix.ends_with('/') => What::Below(format!("{prefix}/")),
        (true, Some(prefix)) => What::Below(prefix.to_owned()),
    })
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let what = what(args)?;
    let bucket = &args.what.bucket;
    client::run(cli, &args.client, async |client| {
        match &what {
            What::Object(key) => {
                remove(&client, bucket, Some(key)).await?;
                println!("removed s3://{bucket}/{}", printable(key.as_str()));
            }
            What::Below(prefix) => {
                if remove_all(&client, bucket, prefix).await? == 0 {
                    eprintln!("there is nothing below s3://{bucket}/{}", printable(prefix));
                }
            }
            What::Bucket | What::BucketAndAll => {
                if matches!(what, What::BucketAndAll) {
                    remove_all(&client, bucket, "").await?;
                }
                remove(&client, bucket, None).await?;
                println!("removed s3://{bucket}");
            }
        }
        Ok(Outcome::Yes)
    })
}

/// An object, or the bucket itself.
async fn remove(client: &S3Client, bucket: &BucketName, key: Option<&ObjectKey>) -> Result<(), ClientError> {
    let call = Call {
        bucket: Some(bucket),
        key,
        ..Call::default()
    };
    let response = client.send(Method::DELETE, call).await?;
    // Read to its end, a connection can be used again.
    client.text(response.into_body()).await.map(drop)
}

/// Removes page after page, and tells of each object; the first refusal ends it. Gives how many are gone.
async fn remove_all(client: &S3Client, bucket: &BucketName, prefix: &str) -> Result<usize, Problem> {
    let (mut pages, mut removing, mut count) = (
        Listing::new(client, bucket, prefix, None),
        JoinSet::new(),
        0_usize,
    );
    while let Some(entries) = pages.page().await? {
        for entry in entries {
            let Entry::Object(object) = entry else { continue };
            let key = ObjectKey::parse(&object.key).map_err(ClientError::from)?;
            if removing.len() >= AT_ONCE {
                count = count.saturating_add(told(bucket, removing.join_next().await)?);
            }
            let (client, bucket) = (client.clone(), bucket.clone());
            removing.spawn(async move { remove(&client, &bucket, Some(&key)).await.map(|()| key) });
        }
    }
    while let Some(done) = removing.join_next().await {
        count = count.saturating_add(told(bucket, Some(done))?);
    }
    Ok(count)
}

fn told(
    bucket: &BucketName,
    done: Option<Result<Result<ObjectKey, ClientError>, tokio::task::JoinError>>,
) -> Result<usize, Problem> {
    let Some(done) = done else { return Ok(0) };
    println!("removed s3://{bucket}/{}", printable(done??.as_str()));
    Ok(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_takes_what_is_below_it_and_nothing_beside_it() {
        let shown = |recursive, text| {
            let args = Args {
                what: S3Url::parse(text).unwrap(),
                recursive,
                client: ClientArgs::default(),
            };
            what(&args).ok().map(|what| match what {
                What::Object(key) => format!("object {key}"),
                What::Below(prefix) => format!("below {prefix}"),
                What::Bucket => "bucket".to_owned(),
                What::BucketAndAll => "all".to_owned(),
            })
        };
        for (recursive, text, expected) in [
            (false, "s3://films", Some("bucket")),
            (true, "s3://films", Some("all")),
            (false, "s3://films/", None),
            (true, "s3://films/", Some("below ")),
            (false, "s3://films/a/", Some("object a/")),
            (true, "s3://films/a", Some("below a/")),
            (true, "s3://films/a/", Some("below a/")),
        ] {
            assert_eq!(shown(recursive, text).as_deref(), expected, "{recursive} {text}");
        }
    }
}
