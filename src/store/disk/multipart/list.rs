//! Listing the uploads of a bucket. Their folders have no order, so each page looks at all of them; but
//! it keeps no more than a page in memory, and gives its turn at the disk up after a few hundred.

use std::{collections::BTreeMap, fs::File, sync::Arc};

use rustix::fs as rfs;
use time::OffsetDateTime;

use crate::{
    store::{FoundUpload, MultipartUpload, StoreError, UploadsFound, UploadsQuery},
    types::{BucketName, UploadId},
};

use super::super::{Folders, look_off_thread};

/// How many uploads are looked at in one turn at the disk.
const LOOKED_AT_ONCE: usize = 256;

/// Where an entry stands in a listing: its key or prefix, then when and by which ID the upload began.
type Position = (String, Option<(OffsetDateTime, UploadId)>);

/// A page that is being gathered.
struct Gathering {
    query: UploadsQuery,
    /// When the marker's upload began, and its ID. None: all uploads of the marker's key are listed.
    marker: Option<(OffsetDateTime, UploadId)>,
    /// The first entries of those seen so far, one more than the page holds.
    first: BTreeMap<Position, FoundUpload>,
}

/// The folder of uploads, as far as it has been read.
struct Unread {
    uploads: File,
    entries: rfs::Dir,
}

/// Lists one page.
pub(in crate::store::disk) async fn list(
    folders: &Arc<Folders>,
    bucket: &BucketName,
    query: UploadsQuery,
) -> Result<UploadsFound, StoreError> {
    let name = bucket.clone();
    let begin = move |folders: &Folders| folders.begin_listing(&name, query);
    let (mut gathering, mut unread) = look_off_thread(folders.clone(), Some(bucket), begin).await?;
    while let Some(mut rest) = unread {
        let name = bucket.clone();
        let look = move |folders: &Folders| {
            let goes_on = folders.gather(&name, &mut rest, &mut gathering)?;
            Ok((gathering, goes_on.then_some(rest)))
        };
        (gathering, unread) = look_off_thread(folders.clone(), Some(bucket), look).await?;
    }
    Ok(gathering.page())
}

impl Folders {
    fn begin_listing(
        &self,
        bucket: &BucketName,
        query: UploadsQuery,
    ) -> Result<(Gathering, Option<Unread>), StoreError> {
        let uploads = self.open_uploads(bucket)?;
        let marker = match (
            &uploads,
            query.upload_id_marker.as_deref().and_then(UploadId::parse),
        ) {
            (Some(uploads), Some(id)) => self
                .described(bucket, uploads, id)?
                .filter(|upload| upload.began.key.as_str() == query.key_marker)
                .map(|upload| (upload.initiated, upload.id)),
            (_, _) => None,
        };
        let unread = uploads.map(|uploads| {
            let entries = rfs::Dir::read_from(&uploads);
            let entries = entries.map_err(|error| self.unreadable_uploads(bucket, error))?;
            Ok(Unread { uploads, entries })
        });
        let gathering = Gathering {
            query,
            marker,
            first: BTreeMap::new(),
        };
        Ok((gathering, unread.transpose()?))
    }

    /// Looks at some more uploads. `false`: those were the last.
    fn gather(
        &self,
        bucket: &BucketName,
        unread: &mut Unread,
        gathering: &mut Gathering,
    ) -> Result<bool, StoreError> {
        for _ in 0..LOOKED_AT_ONCE {
            let Some(entry) = unread.entries.next() else {
                return Ok(false);
            };
            let entry = entry.map_err(|error| self.unreadable_uploads(bucket, error))?;
            let Some(id) = entry.file_name().to_str().ok().and_then(UploadId::parse) else {
                continue;
            };
            if let Some(upload) = self.described(bucket, &unread.uploads, id)? {
                gathering.add(upload);
            }
        }
        Ok(true)
    }
}

impl Gathering {
    /// Takes an upload, if it belongs to the page as it stands.
    fn add(&mut self, upload: MultipartUpload) {
        let Some(position) = self.position(&upload) else {
            return;
        };
        let is_full = self.first.len() > self.query.limit;
        if is_full
            && self
                .first
                .last_key_value()
                .is_some_and(|(last, _)| *last <= position)
        {
            return;
        }
        let entry = match &position {
            (prefix, None) => FoundUpload::CommonPrefix(prefix.clone()),
            (_, Some(_)) => FoundUpload::Upload(Box::new(upload)),
        };
        self.first.insert(position, entry);
        if self.first.len() > self.query.limit.saturating_add(1) {
            self.first.pop_last();
        }
    }

    /// Where an upload stands. None: it is not listed.
    fn position(&self, upload: &MultipartUpload) -> Option<Position> {
        let query = &self.query;
        let key = upload.began.key.as_str();
        let rest = key.strip_prefix(query.prefix.as_str())?;
        let rolled_up = query.delimiter.as_deref().and_then(|delimiter| {
            let end = rest.find(delimiter)?.checked_add(delimiter.len())?;
            key.get(..query.prefix.len().checked_add(end)?)
        });
        if let Some(prefix) = rolled_up {
            return (prefix > query.key_marker.as_str()).then(|| (prefix.to_owned(), None));
        }
        let began = (upload.initiated, upload.id.clone());
        let is_after = match query.upload_id_marker.is_some() && key == query.key_marker {
            true => self.marker.as_ref().is_none_or(|marker| began > *marker),
            false => key > query.key_marker.as_str(),
        };
        is_after.then(|| (key.to_owned(), Some(began)))
    }

    fn page(mut self) -> UploadsFound {
        let more = self.query.limit > 0 && self.first.len() > self.query.limit;
        while self.first.len() > self.query.limit {
            self.first.pop_last();
        }
        UploadsFound {
            entries: self.first.into_values().collect(),
            more,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::NewMultipart,
        types::{ObjectKey, Properties},
    };

    fn upload(key: &str, at: i64, id: &str) -> MultipartUpload {
        MultipartUpload {
            id: UploadId::parse(id).unwrap(),
            initiated: OffsetDateTime::from_unix_timestamp(at).unwrap(),
            began: NewMultipart {
                key: ObjectKey::parse(key).unwrap(),
                initiator: "alice".to_owned(),
                properties: Properties::default(),
                checksum: None,
            },
        }
    }

    fn gathered(query: &UploadsQuery, uploads: &[MultipartUpload]) -> Gathering {
        let marker = uploads
            .iter()
            .find(|upload| Some(upload.id.as_str()) == query.upload_id_marker.as_deref())
            .map(|upload| (upload.initiated, upload.id.clone()));
        let mut gathering = Gathering {
            query: query.clone(),
            marker,
            first: BTreeMap::new(),
        };
        uploads.iter().for_each(|upload| gathering.add(upload.clone()));
        gathering
    }

    fn names(page: &UploadsFound) -> Vec<String> {
        let name = |entry: &FoundUpload| match entry {
            FoundUpload::Upload(upload) => format!("{} {}", upload.began.key, upload.id),
            FoundUpload::CommonPrefix(prefix) => prefix.clone(),
        };
        page.entries.iter().map(name).collect()
    }

    #[test]
    fn pages_of_any_size_hold_every_upload_once() {
        let uploads: Vec<_> = (0..60)
            .map(|n| {
                let key = ["a", "b/1", "b/2", "c"][n % 4];
                upload(key, (n as i64 * 7) % 5, &format!("u{n:02}"))
            })
            .collect();
        for delimiter in [None, Some("/".to_owned())] {
            let whole = UploadsQuery {
                delimiter: delimiter.clone(),
                limit: 1000,
                ..UploadsQuery::default()
            };
            let whole = names(&gathered(&whole, &uploads).page());
            for limit in 1..8 {
                let mut query = UploadsQuery {
                    delimiter: delimiter.clone(),
                    limit,
                    ..UploadsQuery::default()
                };
                let mut found = Vec::new();
                loop {
                    let page = gathered(&query, &uploads).page();
                    found.extend(names(&page));
                    match page.entries.last() {
                        Some(FoundUpload::Upload(last)) => {
                            query.key_marker = last.began.key.as_str().to_owned();
                            query.upload_id_marker = Some(last.id.as_str().to_owned());
                        }
                        Some(FoundUpload::CommonPrefix(last)) => {
                            query.key_marker = last.clone();
                            query.upload_id_marker = None;
                        }
                        None => {}
                    }
                    if !page.more {
                        break;
                    }
                }
                assert_eq!(found, whole, "{limit} {delimiter:?}");
            }
        }
    }

    #[test]
    fn many_uploads_of_one_key_are_listed_in_linear_time() {
        let query = UploadsQuery {
            key_marker: "k".to_owned(),
            upload_id_marker: Some("u49000".to_owned()),
            limit: 100,
            ..UploadsQuery::default()
        };
        let uploads: Vec<_> = (0..50_000)
            .map(|n| upload("k", 1_000, &format!("u{n:05}")))
            .collect();
        let began = std::time::Instant::now();
        let page = gathered(&query, &uploads).page();
        // Looking for the marker from each upload anew would take minutes.
        assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
        assert_eq!(names(&page).first().map(String::as_str), Some("k u49001"));
        assert_eq!((page.entries.len(), page.more), (100, true));
    }

    #[test]
    fn memory_is_that_of_a_page() {
        let query = UploadsQuery {
            limit: 10,
            ..UploadsQuery::default()
        };
        let uploads: Vec<_> = (0..500)
            .map(|n| upload("k", 1_000 - n, &format!("u{n}")))
            .collect();
        let gathering = gathered(&query, &uploads);
        assert_eq!(gathering.first.len(), 11);
        assert!(gathering.page().more);
    }
}
