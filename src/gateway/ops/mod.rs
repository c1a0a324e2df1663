//! What is done under a permit: one file per operation.

mod get_object;

use http::Response;

use crate::{
    store::Store,
    verdict::{Permit, Permitted},
};

use super::{Body, Failure};

/// Does what the permit allows, and nothing else: the names come out of it.
pub(super) async fn execute<S: Store>(permit: Permit, store: &S) -> Result<Response<Body>, Failure> {
    match permit.permitted() {
        Permitted::GetObject(bucket, key, read) => {
            let found = get_object::open(store, bucket, key, permit.may_list(bucket)).await?;
            get_object::answer(found, read, true)
        }
        Permitted::HeadObject(bucket, key, read) => {
            let found = get_object::open(store, bucket, key, permit.may_list(bucket)).await?;
            get_object::answer(found, read, false)
        }
    }
}
