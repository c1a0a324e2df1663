//! Which operation a request asks for: by what it names, its method, the query parameter that marks it, and for copies a header.

use http::{HeaderMap, Method};

use crate::types::Query;

use super::{Operation, S3Error, Scope, Target, call::CallHeaders, operation::Route};

/// Finds the operation. Query parameters that mark none (`x-id`, the signature's own, unknown ones) are passed over, as AWS does:
/// they are signed, so nobody can have added them to a link.
///
/// Errors: `MethodNotAllowed`.
pub(super) fn operation(
    method: &Method,
    target: &Target,
    query: &Query<'_>,
    headers: CallHeaders<'_>,
) -> Result<Operation, S3Error> {
    let (scope, resource) = match target {
        Target::Service => (Scope::Service, "SERVICE"),
        Target::Bucket(_) => (Scope::Bucket, "BUCKET"),
        Target::Object(..) => (Scope::Object, "OBJECT"),
    };
    let asked_for = |route: &&Route| {
        route.scope == scope
            && route.method == method.as_str()
            && (route.marker.is_empty() || query.has(route.marker))
    };
    let found = Operation::ROUTES
        .iter()
        .find(asked_for)
        .ok_or_else(|| S3Error::method_not_allowed(method.as_str(), resource))?;
    let copies = || headers.contains("x-amz-copy-source");
    Ok(match found.operation {
        Operation::UploadPart if copies() => Operation::UploadPartCopy,
        Operation::CopyObject if !copies() => Operation::PutObject,
        other => other,
    })
}

/// Does a request ask for what a browser's form asks for: a POST to a bucket that no parameter marks?
pub fn is_post_object(method: &Method, target: &Target, query: &Query<'_>) -> bool {
    let headers = HeaderMap::new();
    let found = operation(method, target, query, CallHeaders::alone(&headers));
    found.is_ok_and(|found| found == Operation::PostObject)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::s3::ErrorCode;
    use crate::types::{BucketName, ObjectKey};

    fn route(method: &str, scope: Scope, raw: &str, copy: bool) -> Result<Operation, ErrorCode> {
        let bucket = BucketName::parse("abc").unwrap();
        let target = match scope {
            Scope::Service => Target::Service,
            Scope::Bucket => Target::Bucket(bucket),
            Scope::Object => Target::Object(bucket, ObjectKey::parse("k").unwrap()),
        };
        let mut headers = HeaderMap::new();
        if copy {
            headers.insert("x-amz-copy-source", "/abc/j".parse().unwrap());
        }
        let query = Query::parse(raw).unwrap();
        let headers = CallHeaders::alone(&headers);
        operation(&method.parse().unwrap(), &target, &query, headers).map_err(|error| error.code())
    }

    #[test]
    fn every_operation_is_reached_by_its_own_mark() {
        let mut reached = HashSet::new();
        for Route {
            operation,
            scope,
            method,
            marker,
        } in Operation::ROUTES
        {
            let copy = [Operation::CopyObject, Operation::UploadPartCopy].contains(operation);
            assert_eq!(
                (route(method, *scope, marker, copy), *scope),
                (Ok(*operation), operation.scope())
            );
            reached.insert(operation);
        }
        assert_eq!(reached.len(), Operation::ALL.len());
    }

    #[test]
    fn what_marks_nothing_changes_nothing() {
        let signature = "x-id=GetObject&X-Amz-Algorithm=a&unknown=1&response-expires=0&versionId=null";
        assert_eq!(
            route("GET", Scope::Object, signature, false),
            Ok(Operation::GetObject)
        );
        assert_eq!(
            route("GET", Scope::Bucket, "prefix=a&list-type=2", false),
            Ok(Operation::ListObjectsV2)
        );
        assert_eq!(
            route("PUT", Scope::Object, "partNumber=1&uploadId=u", false),
            Ok(Operation::UploadPart)
        );
    }

    #[test]
    fn other_methods_are_not_allowed() {
        for (method, scope) in [
            ("PATCH", Scope::Object),
            ("TRACE", Scope::Object),
            ("get", Scope::Object),
            ("POST", Scope::Object),
            ("PUT", Scope::Service),
            ("DELETE", Scope::Service),
        ] {
            assert_eq!(
                route(method, scope, "", false),
                Err(ErrorCode::MethodNotAllowed),
                "{method} {scope:?}"
            );
        }
    }
}
