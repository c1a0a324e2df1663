//! The nearest known word, for an error's hint. In goes a word that is not known; out comes the known one that was
//! probably meant, or none.

use crate::types::Action;

/// API operations that people write for the action that allows them.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
const OPERATIONS: &[(&str, Action)] = &[
    ("CompleteMultipartUpload", Action::PutObject),
    ("CopyObject", Action::PutObject),
    ("CreateMultipartUpload", Action::PutObject),
    ("DeleteObjects", Action::DeleteObject),
    ("HeadBucket", Action::ListBucket),
    ("HeadObject", Action::GetObject),
    ("ListBuckets", Action::ListAllMyBuckets),
    ("ListMultipartUploads", Action::ListBucketMultipartUploads),
    ("ListObjects", Action::ListBucket),
    ("ListObjectsV2", Action::ListBucket),
    ("ListObjectVersions", Action::ListBucketVersions),
    ("ListParts", Action::ListMultipartUploadParts),
    ("PostObject", Action::PutObject),
    ("UploadPart", Action::PutObject),
];

/// How far a word may be from the known one: a slip or two, and a third of a long word.
fn near(length: usize) -> usize {
    2.max(length / 3)
}

/// The known word nearest to `word` whatever the case, where one is near enough.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let lower = word.to_lowercase();
    // Comparing costs the product of the lengths: nothing as long as this was meant for a known word.
    if lower.len() > 100 {
        return None;
    }
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            *distance <= near(candidate.len().min(lower.len())) && *distance < lower.len()
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The action or the pattern of actions that an unknown one was probably meant to be.
pub(super) fn nearest_action(text: &str) -> Option<String> {
    let name = text.split_once(':').map_or(text, |(_, name)| name);
    let names = || {
        Action::ALL
            .iter()
            .map(|action| action.name().trim_start_matches("s3:"))
    };
    if let Some((_, action)) = OPERATIONS
        .iter()
        .find(|(operation, _)| operation.eq_ignore_ascii_case(name))
    {
        return Some(action.name().to_owned());
    }
    let Some(stem) = name.strip_suffix('*') else {
        return nearest(name, names()).map(|found| format!("s3:{found}"));
    };
    if stem.contains(['*', '?']) {
        return None;
    }
    let stems = names().filter_map(|name| name.get(..stem.len()));
    nearest(stem, stems).map(|found| format!("s3:{found}*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_that_was_meant() {
        for (slip, meant) in [
            ("s3:GetObjct", Some("s3:GetObject")),
            ("s3:getobejct", Some("s3:GetObject")),
            ("s3:ListBuckets", Some("s3:ListAllMyBuckets")),
            ("s3:headobject", Some("s3:GetObject")),
            ("s3:ListBuckt", Some("s3:ListBucket")),
            ("GetObject", Some("s3:GetObject")),
            ("s3:Gte*", Some("s3:Get*")),
            ("s3:Lsit*", Some("s3:List*")),
            ("s3:Frobnicate", None),
            ("s3:?x?y*", None),
        ] {
            assert_eq!(nearest_action(slip).as_deref(), meant, "{slip}");
        }
        assert_eq!(nearest("efect", ["Effect", "Action"]), Some("Effect"));
        assert_eq!(nearest("x", ["Sid"]), None);
    }
}
