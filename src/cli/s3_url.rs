//! `s3://BUCKET/KEY` as people write it. A text goes in, a bucket and whatever stands behind it come out: a key, a prefix or nothing.

use crate::types::{BucketName, ObjectKey};

use super::Problem;

/// A bucket, and the text behind the slash. The text is decoded: `%20` in it is three characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct S3Url {
    /// The bucket.
    pub(super) bucket: BucketName,
    /// What stands behind `s3://BUCKET/`; `None` where the text ends with the bucket.
    pub(super) rest: Option<String>,
}

/// What `s3://BUCKET/KEY` is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum S3UrlError {
    #[error("an object is named s3://BUCKET/KEY, a bucket s3://BUCKET")]
    Scheme,
    #[error("{0:?} is {1}")]
    Bucket(String, crate::types::BucketNameError),
}

impl S3Url {
    /// Takes an argument.
    pub(super) fn parse(text: &str) -> Result<Self, S3UrlError> {
        let text = text.strip_prefix("s3://").ok_or(S3UrlError::Scheme)?;
        let (bucket, rest) = match text.split_once('/') {
            Some((bucket, rest)) => (bucket, Some(rest.to_owned())),
            None => (text, None),
        };
        let bucket =
            BucketName::parse(bucket).map_err(|error| S3UrlError::Bucket(bucket.to_owned(), error))?;
        Ok(Self { bucket, rest })
    }

    /// The key, where there is one.
    pub(super) fn key(&self) -> Result<Option<ObjectKey>, Problem> {
        let rest = self.rest.as_deref().filter(|rest| !rest.is_empty());
        Ok(rest.map(ObjectKey::parse).transpose()?)
    }

    /// The key, where the command needs one.
    pub(super) fn object(&self) -> Result<ObjectKey, Problem> {
        let wanted = || format!("which object? s3://{}/KEY", self.bucket);
        Ok(self.key()?.ok_or_else(wanted)?)
    }

    /// The bucket, where a key would mean something else.
    pub(super) fn only_bucket(&self) -> Result<&BucketName, Problem> {
        match self.rest.as_deref() {
            None | Some("") => Ok(&self.bucket),
            Some(key) => Err(format!(
                "a bucket alone is meant here, without {key:?}: s3://{}",
                self.bucket
            )
            .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_and_what_stands_behind_it() {
        for (text, bucket, rest) in [
            ("s3://films", "films", None),
            ("s3://films/", "films", Some("")),
            ("s3://films/a", "films", Some("a")),
            ("s3://films//a/../b%20c?d#e", "films", Some("/a/../b%20c?d#e")),
        ] {
            let url = S3Url::parse(text).unwrap();
            assert_eq!(
                (url.bucket.as_str(), url.rest.as_deref()),
                (bucket, rest),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_such_url_is_told_why() {
        for (text, said) in [
            ("films/a", "s3://BUCKET/KEY"),
            ("http://films/a", "s3://BUCKET/KEY"),
            ("s3://", "3 to 63 characters"),
            ("s3://Films/a", "\"Films\" is not a bucket name"),
        ] {
            let error = S3Url::parse(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(S3Url::parse("s3://films/").unwrap().object().is_err());
        assert!(S3Url::parse("s3://films/a").unwrap().only_bucket().is_err());
    }
}
