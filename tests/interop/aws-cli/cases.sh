# What people do with `aws s3` and `aws s3api`: one function a case of ../cases.txt. Called by `check` with aws on the PATH.
. ../shell.sh
export AWS_CONFIG_FILE=$work/config AWS_SHARED_CREDENTIALS_FILE=$work/credentials AWS_MAX_ATTEMPTS=1
# Without the version, version 1 of the CLI signs links with Signature Version 2.
printf '[default]\ns3 =\n  addressing_style = path\n  signature_version = s3v4\n' > config

s3() { aws --endpoint-url "$ENDPOINT" s3 "$@"; }
api() { local call=$1; shift; aws --endpoint-url "$ENDPOINT" --output text s3api "$call" --bucket "$BUCKET" "$@"; }

at() { echo "s3://$BUCKET/$1"; }

put_get() { for file in empty small middle; do s3 cp $file "$(at object)"; s3 cp "$(at object)" - | cmp $file -; done; s3 cp - "$(at stream)" <middle; s3 cp "$(at stream)" back; cmp middle back; }
head_() {
    api put-object --key meta --body middle --metadata a=1,b=two --content-type text/x-test
    is "$(api head-object --key meta --query '[ContentLength,ETag,ContentType,Metadata.a,Metadata.b]')" "3000000	\"$(md5sum <middle | cut -d' ' -f1)\"	text/x-test	1	two"
    refused 404 api head-object --key none
}
ranges() {
    api put-object --key object --body middle
    api get-object --key object --range bytes=0-9 part; cmp part <(head -c 10 middle)
    api get-object --key object --range bytes=100-199 part; cmp part <(tail -c +101 middle | head -c 100)
    api get-object --key object --range bytes=-10 part; cmp part <(tail -c 10 middle)
    refused InvalidRange api get-object --key object --range bytes=3000000- part
}
list() {
    for name in l/a-b l/a.b l/a/1 l/a/2 l/a0 l/b; do api put-object --key $name --body small; done
    is "$(api list-objects-v2 --prefix l/ --page-size 2 --query 'Contents[].[Key]' | tr '\n' ' ')" "l/a-b l/a.b l/a/1 l/a/2 l/a0 l/b "
    is "$(api list-objects-v2 --prefix l/ --delimiter / --query 'CommonPrefixes[].[Prefix]')" l/a/
    has 'PRE a/' s3 ls "$(at l/)"
}
copy() {
    api put-object --key from --body small --content-type text/one
    s3 cp "$(at from)" "$(at to)"; s3 cp "$(at to)" - | cmp small -
    is "$(api head-object --key to --query ContentType)" text/one
    s3 mv "$(at to)" "$(at moved)"; refused 404 s3 cp "$(at to)" -
    mkdir -p tree/sub; cp small tree/one; cp middle "tree/sub/two and a half"
    # Older than the object by whole seconds: a file is sent again where it is newer.
    touch -d '1 minute ago' tree/one tree/sub/*
    s3 sync tree "$(at tree)"; is "$(s3 sync tree "$(at tree)")" ""
    s3 sync "$(at tree)" tree-back; diff -r tree tree-back
}
delete() {
    for n in 1 2 3; do api put-object --key d/$n --body small; done
    api delete-object --key d/1; refused NoSuchKey api get-object --key d/1 part
    api delete-objects --delete 'Objects=[{Key=d/2},{Key=d/3}]'; is "$(api list-objects-v2 --prefix d/ --query 'length(Contents||`[]`)')" 0
}
tags() {
    api put-object --key tagged --body small
    api put-object-tagging --key tagged --tagging 'TagSet=[{Key=a,Value=1}]'; is "$(api get-object-tagging --key tagged --query 'TagSet[0].Value')" 1
    api delete-object-tagging --key tagged; is "$(api get-object-tagging --key tagged --query 'length(TagSet)')" 0
}
conditional_write() { api put-object --key once --body small --if-none-match '*'; refused PreconditionFailed api put-object --key once --body middle --if-none-match '*'; s3 cp "$(at once)" - | cmp small -; }
checksums() {
    for name in CRC32 SHA1 SHA256; do
        api put-object --key sum --body small --checksum-algorithm $name
        [ "$(api head-object --key sum --checksum-mode ENABLED --query Checksum$name)" != None ]
    done
    is "$(api head-object --key sum --checksum-mode ENABLED --query ChecksumSHA256)" "$(sha256sum <small | cut -d' ' -f1 | xxd -r -p | base64)"
    refused BadDigest api put-object --key never --body small --checksum-sha256 "$(sha256sum <empty | cut -d' ' -f1 | xxd -r -p | base64)"
    refused 404 api head-object --key never
}
keys_() {
    local key
    for key in plain.txt "with space and + plus" "ünïcode/日本語.txt" double//slash /leading trailing/ "percent%20%2F%" "quotes'\"\`<>&" "dots/../and/./more" "~=tilde/~@" "$(printf 'k%.0s' {1..1024})"; do
        api put-object --key "$key" --body small; api get-object --key "$key" part; cmp small part
        api list-objects-v2 --query 'Contents[].[Key]' >listed
        grep -qxF -- "$key" listed || { echo "not listed: ${key:0:40}"; return 1; }
        api delete-object --key "$key"
    done
}
multipart() {
    head -c 104857600 /dev/urandom >large
    s3 cp --only-show-errors large "$(at large)"; s3 cp --only-show-errors "$(at large)" back; cmp large back
    has '-13"' api head-object --key large --query ETag
    rm -f large back
}
multipart_steps() {
    head -c 5242880 /dev/urandom >part
    local id; id=$(api create-multipart-upload --key steps --query UploadId)
    local etag; etag=$(api upload-part --key steps --upload-id "$id" --part-number 1 --body part --query ETag)
    is "$(api list-parts --key steps --upload-id "$id" --query 'Parts[].[PartNumber,Size,ETag]')" "1	5242880	$etag"
    is "$(api list-multipart-uploads --query 'Uploads[].[Key,UploadId]')" "steps	$id"
    api abort-multipart-upload --key steps --upload-id "$id"
    refused NoSuchUpload api list-parts --key steps --upload-id "$id"
    is "$(api list-multipart-uploads --query 'length(Uploads||`[]`)')" 0
}
multipart_copy() {
    head -c 6291456 /dev/urandom >from; api put-object --key from --body from
    local id one two; id=$(api create-multipart-upload --key to --query UploadId)
    one=$(api upload-part-copy --key to --upload-id "$id" --part-number 1 --copy-source "$BUCKET/from" --query CopyPartResult.ETag)
    two=$(api upload-part-copy --key to --upload-id "$id" --part-number 2 --copy-source "$BUCKET/from" --copy-source-range bytes=10-19 --query CopyPartResult.ETag)
    api complete-multipart-upload --key to --upload-id "$id" --multipart-upload "Parts=[{PartNumber=1,ETag=$one},{PartNumber=2,ETag=$two}]"
    s3 cp "$(at to)" back; cmp back <(cat from; tail -c +11 from | head -c 10)
}
presigned_get() { local key; for key in plain "presigned/key +&ü.txt"; do api put-object --key "$key" --body small; curl -sf "$(s3 presign "$(at "$key")")" | cmp small -; done; }
wrong_secret() {
    AWS_SECRET_ACCESS_KEY=wrong refused SignatureDoesNotMatch api list-objects-v2
    AWS_SECRET_ACCESS_KEY=wrong refused SignatureDoesNotMatch api put-object --key never --body small
    refused 404 api head-object --key never
}
tampered_url() {
    api put-object --key object --body small
    local link tampered; link=$(s3 presign --expires-in 900 "$(at object)")
    for tampered in "${link/\/object/\/signed}" "${link/X-Amz-Expires=900/X-Amz-Expires=901}" "$link&x=y"; do
        curl -s -w '%{http_code}' "$tampered" >said; grep -q '403$' said; grep -q SignatureDoesNotMatch said
    done
}
cors() {
    api put-bucket-cors --cors-configuration '{"CORSRules":[{"AllowedOrigins":["https://a.example"],"AllowedMethods":["GET"]}]}'
    is "$(api get-bucket-cors --query 'CORSRules[0].AllowedOrigins[0]')" https://a.example
    api delete-bucket-cors; refused NoSuchCORSConfiguration api get-bucket-cors
}
buckets() {
    has " $BUCKET$" s3 ls
    api put-object --key object --body small; refused BucketNotEmpty s3 rb "s3://$BUCKET"
    s3 rm --recursive --only-show-errors "s3://$BUCKET/"
    # What `aws s3 rm` leaves: to it, a listing of the bucket has no key with a slash in front.
    api list-objects-v2 --query 'Contents[].[Key]' >left
    while read -r key; do [ "$key" = None ] || api delete-object --key "$key"; done <left
    s3 rb "s3://$BUCKET"; refused 404 api head-bucket
}

echo "version $(aws --version 2>&1 | cut -d' ' -f1)"
s3 mb "s3://$BUCKET" >/dev/null || exit 1
run put-get put_get
run head head_
run ranges ranges
run list list
run copy copy
run delete delete
run tags tags
run conditional-write conditional_write
run checksums checksums
run keys keys_
run multipart multipart
run multipart-steps multipart_steps
run multipart-copy multipart_copy
run presigned-get presigned_get
for method in head put delete post parts; do echo "n/a presigned-$method: the AWS CLI signs links for GET alone"; done
run wrong-secret wrong_secret
run tampered-url tampered_url
run cors cors
run buckets buckets
exit $failed
