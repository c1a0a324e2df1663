//! `postern mb`: makes a bucket.

use bytes::Bytes;
use http::Method;

use super::{
    Cli, Outcome, Problem,
    client::{self, Call, ClientArgs, Sent},
    s3_url::S3Url,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// s3://BUCKET
    #[arg(value_name = "S3URL", value_parser = S3Url::parse)]
    bucket: S3Url,
    #[command(flatten)]
    client: ClientArgs,
}

pub(super) fn run(cli: &Cli, args: &Args) -> Result<Outcome, Problem> {
    let bucket = args.bucket.only_bucket()?;
    client::run(cli, &args.client, async |client| {
        let call = Call {
            bucket: Some(bucket),
            ..Call::default()
        };
        // Outside of its first region AWS wants to be told which one is meant.
        // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
        let body = match client.region().as_str() {
            "us-east-1" => String::new(),
            region => format!(
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
                 <LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
            ),
        };
        let body = Sent::Small(Bytes::from(body));
        client.send_body(Method::PUT, call, body).await?;
        println!("made s3://{bucket}");
        Ok(Outcome::Yes)
    })
}
