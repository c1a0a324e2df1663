# What people do with `aws s3` and `aws s3api`, one case a line. Sourced by nothing; `check` runs it with aws on the PATH.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export AWS_CONFIG_FILE=$work/config AWS_SHARED_CREDENTIALS_FILE=$work/credentials AWS_MAX_ATTEMPTS=1
# Without the version, version 1 of the CLI signs links with Signature Version 2.
printf '[default]\ns3 =\n  addressing_style = path\n  signature_version = s3v4\n' > config
failed=0

s3() { aws --endpoint-url "$ENDPOINT" s3 "$@"; }
api() { aws --endpoint-url "$ENDPOINT" --output text s3api "$@"; }

# case NAME COMMAND...: ok where the command succeeds.
case_() {
    local name=$1 said
    shift
    if said=$("$@" 2>&1); then echo "ok $name"; else echo "not ok $name: $(tr '\n' ' ' <<<"$said" | tail -c 300)"; failed=1; fi
}
# refused CODE COMMAND...: succeeds where the command fails with this code of S3's.
refused() { local code=$1 said; shift; said=$("$@" 2>&1) && return 1; grep -q "($code)" <<<"$said" || { echo "$said"; return 1; }; }
is() { [ "$1" = "$2" ] || { echo "«$1» is not «$2»"; return 1; }; }

printf 'some content\n' > small
head -c 3000000 /dev/urandom > middle
mkdir -p tree/sub && printf 1 > tree/one && printf 2 > "tree/sub/two and a half" && printf 3 > "tree/drei+ü"

put_and_get() { s3 cp small "s3://$BUCKET/small" && s3 cp "s3://$BUCKET/small" back && cmp small back; }
put_and_get_middle() { s3 cp middle "s3://$BUCKET/middle" && s3 cp "s3://$BUCKET/middle" back && cmp middle back; }
stream() { s3 cp - "s3://$BUCKET/streamed" < small && s3 cp "s3://$BUCKET/streamed" - | cmp small -; }
sync() { s3 sync tree "s3://$BUCKET/tree/" && s3 sync "s3://$BUCKET/tree/" again && diff -r tree again && is "$(s3 sync tree "s3://$BUCKET/tree/")" ""; }
list() { s3 ls "s3://$BUCKET/tree/" | grep 'PRE sub/' && s3 ls --recursive "s3://$BUCKET/" | grep 'two and a half'; }
move() { s3 mv "s3://$BUCKET/tree/one" "s3://$BUCKET/tree/eins" && s3 cp "s3://$BUCKET/tree/eins" - | grep -q 1 && refused 404 s3 cp "s3://$BUCKET/tree/one" -; }
presign() { curl -sf "$(s3 presign "s3://$BUCKET/small")" | cmp small -; }
metadata() {
    api put-object --bucket "$BUCKET" --key meta --body small --metadata a=1,b=two --content-type text/x-test >/dev/null &&
        is "$(api head-object --bucket "$BUCKET" --key meta --query '[ContentType,Metadata.a,Metadata.b]')" $'text/x-test\t1\ttwo'
}
once() { api put-object --bucket "$BUCKET" --key once --body small --if-none-match '*' && refused PreconditionFailed api put-object --bucket "$BUCKET" --key once --body small --if-none-match '*'; }
tags() { api put-object-tagging --bucket "$BUCKET" --key small --tagging 'TagSet=[{Key=a,Value=1}]' && is "$(api get-object-tagging --bucket "$BUCKET" --key small --query 'TagSet[0].Value')" 1; }
wrong_secret() { AWS_SECRET_ACCESS_KEY=wrong refused SignatureDoesNotMatch api list-objects-v2 --bucket "$BUCKET"; }
paging() { is "$(api list-objects-v2 --bucket "$BUCKET" --prefix tree/ --page-size 1 --query 'Contents[].[Key]' | wc -l)" 3; }

case_ "a bucket is made" s3 mb "s3://$BUCKET"
case_ "buckets are listed" sh -c "aws --endpoint-url '$ENDPOINT' s3 ls | grep -q '$BUCKET'"
case_ "a small file comes back" put_and_get
case_ "a file of 3 MB comes back" put_and_get_middle
case_ "standard input is stored" stream
case_ "a tree is synchronised both ways, and once only" sync
case_ "a listing shows folders and files" list
case_ "a listing is paged" paging
case_ "a file is moved" move
case_ "a presigned link opens" presign
case_ "metadata is kept" metadata
case_ "a conditional write holds" once
case_ "tags are kept" tags
case_ "a wrong secret is refused" wrong_secret
case_ "a full bucket is not removed" refused BucketNotEmpty s3 rb "s3://$BUCKET"
case_ "a tree is removed" s3 rm --recursive "s3://$BUCKET/"
case_ "an empty bucket is removed" s3 rb "s3://$BUCKET"
exit $failed
