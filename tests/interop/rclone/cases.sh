# What rclone does with a store: one function a case of ../cases.txt. Called by `check` with rclone on the PATH.
. ../shell.sh

cat >config <<CONFIG
[good]
type = s3
provider = Other
access_key_id = $AWS_ACCESS_KEY_ID
secret_access_key = $AWS_SECRET_ACCESS_KEY
endpoint = $ENDPOINT
region = us-east-1
force_path_style = true
chunk_size = 8M
upload_cutoff = 8M
encoding = None
[wrong]
type = s3
provider = Other
access_key_id = $AWS_ACCESS_KEY_ID
secret_access_key = wrong
endpoint = $ENDPOINT
region = us-east-1
force_path_style = true
CONFIG
rc() { rclone --config config --retries 1 --low-level-retries 1 "$@"; }
at() { echo "good:$BUCKET/$1"; }

put_get() { for file in empty small middle; do rc copyto "$file" "$(at object)"; rc cat "$(at object)" | cmp "$file" -; done; rc rcat "$(at stream)" <middle; rc cat "$(at stream)" | cmp middle -; }
head_() {
    rc copyto --metadata --metadata-set content-type=text/x-test --metadata-set one=1 middle "$(at told)"
    for told in '"Size": 3000000' "$(md5sum <middle | cut -d' ' -f1)" '"MimeType": "text/x-test"' '"one": "1"'; do
        has "$told" rc lsjson --stat --hash --metadata "$(at told)"
    done
    is "$(rc lsf "$(at none)" 2>/dev/null)" ""
}
ranges() {
    rc copyto middle "$(at object)"
    rc cat --head 10 "$(at object)" | cmp <(head -c 10 middle) -
    rc cat --offset 100 --count 100 "$(at object)" | cmp <(tail -c +101 middle | head -c 100) -
    rc cat --tail 10 "$(at object)" | cmp <(tail -c 10 middle) -
}
list() {
    local names="l/a-b l/a.b l/a/1 l/a/2 l/a0 l/b" name
    for name in $names; do rc rcat "$(at "$name")" <small; done
    is "$(rc lsf --recursive --files-only --s3-list-chunk 2 "$(at l/)" | sort | tr '\n' ' ')" "a-b a.b a/1 a/2 a0 b "
    is "$(rc lsf --s3-list-chunk 2 "$(at l/)" | sort | tr '\n' ' ')" "a-b a.b a/ a0 b "
}
copy() { rc copyto small "$(at from)"; rc copyto "$(at from)" "$(at to)"; rc cat "$(at to)" | cmp small -; rc moveto "$(at to)" "$(at moved)"; is "$(rc lsf "$(at to)" | wc -l)" 0; mkdir -p tree/sub; cp small tree/one; cp middle tree/sub/two; rc sync tree "$(at tree)"; rc check tree "$(at tree)"; }
delete() { for n in 1 2 3; do rc rcat "$(at d/$n)" <small; done; rc deletefile "$(at d/1)"; is "$(rc lsf "$(at d)" | tr '\n' ' ')" "2 3 "; is "$(rc cat "$(at d/1)")" ""; rc delete "$(at d)"; is "$(rc lsf "$(at d)" | wc -l)" 0; }
conditional_write() { rc copyto --s3-no-check-bucket --header-upload "If-None-Match: *" small "$(at once)"; refused PreconditionFailed rc copyto --ignore-times --header-upload "If-None-Match: *" middle "$(at once)"; rc cat "$(at once)" | cmp small -; }
keys_() {
    local key
    for key in "plain.txt" "with space and + plus" "ünïcode/日本語.txt" "percent%20%2F%" "quotes'\"\`<>&" "~=tilde/~@" "$(printf 'k%.0s' {1..1024})"; do
        rc rcat "$(at "$key")" <small; rc cat "$(at "$key")" | cmp small -
        rc lsf --recursive "good:$BUCKET" >listed
        grep -qxF -- "$key" listed || { echo "not listed: ${key:0:40}"; return 1; }
        rc deletefile "$(at "$key")"
    done
}
multipart() {
    head -c 104857600 /dev/urandom >large
    rc copyto large "$(at large)"; rc cat "$(at large)" | cmp large -
    # Copied within the store by parts, too.
    rc copyto --s3-copy-cutoff 8M "$(at large)" "$(at large-copy)"; rc cat "$(at large-copy)" | cmp large -
}
multipart_steps() {
    # The client has no call that begins an upload: one that is killed leaves one.
    rc copyto --bwlimit 10M large "$(at steps)" & local uploading=$!
    for _ in $(seq 50); do has steps rc backend list-multipart-uploads "good:$BUCKET" >/dev/null && break; sleep 0.2; done
    pkill -KILL -P $uploading; kill -KILL $uploading 2>/dev/null; wait $uploading 2>/dev/null || true
    has steps rc backend list-multipart-uploads "good:$BUCKET"
    rc backend cleanup -o max-age=0s "good:$BUCKET"
    lacks '"Key": "steps"' rc backend list-multipart-uploads "good:$BUCKET"
}
fetch() { curl -s -w '%{http_code}' "$@"; }
link() { rc link --expire 15m "$(at "$1")"; }
presigned_get() { local key; for key in plain "presigned/key +&ü.txt"; do rc copyto small "$(at "$key")"; curl -sf "$(link "$key")" | cmp small -; done; }
wrong_secret() {
    refused SignatureDoesNotMatch rc lsf "wrong:$BUCKET"
    # It asks by HEAD first, whose answer has a status alone.
    refused 'StatusCode: 403' rc copyto --s3-no-check-bucket small "wrong:$BUCKET/never"
    refused 'StatusCode: 403' rc rcat "wrong:$BUCKET/never" <small
    is "$(rc lsf "$(at never)" | wc -l)" 0
}
tampered_url() {
    rc copyto small "$(at object)"
    local good tampered; good=$(link object)
    for tampered in "${good/\/object/\/signed}" "${good/X-Amz-Expires=900/X-Amz-Expires=901}" "$good&x=y"; do
        fetch "$tampered" >said; grep -q '403$' said; grep -q SignatureDoesNotMatch said
    done
}
buckets() {
    has " $BUCKET$" rc lsd good:
    rc copyto small "$(at object)"; refused 'BucketNotEmpty' rc rmdir "good:$BUCKET"
    rc purge "good:$BUCKET"
    refused 'not found' rc lsf "good:$BUCKET"
}

echo "version $(rclone version | head -1)"
rc mkdir "good:$BUCKET" || exit 1
run put-get put_get
run head head_
run ranges ranges
run list list
run copy copy
run delete delete
echo "note multipart-steps: the parts are not listed: there is no such command"
echo "note wrong-secret: of a put the client tells the status alone, since it asks by HEAD first"
echo "note keys: keys with //, with dots, with a slash in front or at the end are left out: to this client a key is a path"
echo "n/a tags: rclone has no command for an object's tags"
run conditional-write conditional_write
echo "n/a checksums: rclone has no option to read x-amz-checksum-* of an object"
run keys keys_
run multipart multipart
run multipart-steps multipart_steps
echo "n/a multipart-copy: rclone copies by parts within one object (see multipart), and joins none"
run presigned-get presigned_get
for method in head put delete post parts; do echo "n/a presigned-$method: rclone signs links for GET alone"; done
run wrong-secret wrong_secret
run tampered-url tampered_url
echo "n/a cors: rclone has no command for a bucket's CORS rules"
run buckets buckets
exit $failed
