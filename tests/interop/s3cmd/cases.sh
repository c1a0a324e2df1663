# What s3cmd does with a store: one function a case of ../cases.txt. Called by `check` with s3cmd on the PATH.
. ../shell.sh
host=${ENDPOINT#http://}

configure() { # FILE SECRET
    printf '[default]\naccess_key = %s\nsecret_key = %s\nhost_base = %s\nhost_bucket = %s\nuse_https = False\nsignature_v2 = False\nbucket_location = us-east-1\nmax_retries = 1\nsend_chunk = 65536\n' \
        "$AWS_ACCESS_KEY_ID" "$2" "$host" "$host" >"$1"
}
configure good "$AWS_SECRET_ACCESS_KEY"
configure wrong "wrong"
s3() { s3cmd --config good --no-progress --quiet "$@"; }
told() { s3cmd --config good "$@"; }

at() { echo "s3://$BUCKET/$1"; }
back() { rm -f back; s3 get --force "$(at "$1")" back; }

put_get() { for file in empty small middle; do s3 put "$file" "$(at object)"; back object; cmp "$file" back; done; s3 put - "$(at stream)" <middle; back stream; cmp middle back; }
head_() {
    s3 put --mime-type=text/x-test --add-header=x-amz-meta-one:1 middle "$(at object)"
    local said; said=$(told info "$(at object)")
    grep -q "File size: 3000000" <<<"$said"; grep -q "MIME type: text/x-test" <<<"$said"
    grep -q "MD5 sum:   $(md5sum <middle | cut -d' ' -f1)" <<<"$said"; grep -q "x-amz-meta-one: 1" <<<"$said"
    refused 404 told info "$(at none)"
}
ranges() { s3 put middle "$(at object)"; head -c 1000000 middle >part; s3 get --continue "$(at object)" part; cmp middle part; }
list() {
    for name in l/a-b l/a.b l/a/1 l/a/2 l/a0 l/b; do s3 put small "$(at $name)"; done
    is "$(told ls --recursive "$(at l/)" | awk '{print $4}' | tr '\n' ' ')" "$(for n in l/a-b l/a.b l/a/1 l/a/2 l/a0 l/b; do printf '%s ' "$(at $n)"; done)"
    has "DIR *$(at l/a/)" told ls "$(at l/)"
    is "$(told ls --limit 2 --recursive "$(at l/)" 2>/dev/null | wc -l)" 2
}
copy() { s3 put --mime-type=text/one small "$(at from)"; s3 cp "$(at from)" "$(at to)"; back to; cmp small back; has "MIME type: text/one" told info "$(at to)"; s3 mv "$(at to)" "$(at moved)"; refused 404 told info "$(at to)"; }
delete() { for n in 1 2 3; do s3 put small "$(at d/$n)"; done; s3 del "$(at d/1)"; refused "does not exist" s3 get --force "$(at d/1)" back; s3 del --recursive "$(at d/)"; is "$(told ls "$(at d/)")" ""; }
tags() {
    s3 put small "$(at tagged)"; s3 settagging "$(at tagged)" "project=blue"
    has project told gettagging "$(at tagged)"; s3 deltagging "$(at tagged)"; lacks project told gettagging "$(at tagged)"
}
keys_() {
    local key
    for key in "plain.txt" "with space and + plus" "ünïcode/日本語.txt" "double//slash" "/leading" "percent%20%2F%" "quotes'\"\`<>&" "~=tilde/~@" "$(printf 'k%.0s' {1..1024})"; do
        s3 put - "$(at "$key")" <small; back "$key"; cmp small back
        told ls --recursive "s3://$BUCKET" >listed
        grep -qF -- "$(at "$key")" listed || { echo "not listed: ${key:0:40}"; return 1; }
        s3 del "$(at "$key")"
    done
}
multipart() {
    head -c 104857600 /dev/urandom >large
    s3 put --multipart-chunk-size-mb=8 large "$(at large)"; back large; cmp large back
    rm -f large back
}
multipart_steps() {
    # The client has no call that begins an upload: one that is cut leaves one.
    head -c 104857600 /dev/zero >large
    timeout 5 s3cmd --config good --quiet --limit-rate=5m put --multipart-chunk-size-mb=5 large "$(at steps)" && { echo "it was not cut"; return 1; }
    rm -f large
    local id; id=$(told multipart "s3://$BUCKET" | awk -v key="$(at steps)" '$2 == key {print $3}')
    [ -n "$id" ] || { echo "the upload is not listed"; return 1; }
    has 5242880 told listmp "$(at steps)" "$id"
    s3 abortmp "$(at steps)" "$id"
    refused NoSuchUpload told listmp "$(at steps)" "$id"
    lacks "$(at steps)" told multipart "s3://$BUCKET"
}
wrong_secret() {
    refused SignatureDoesNotMatch s3cmd --config wrong ls "s3://$BUCKET"
    refused SignatureDoesNotMatch s3cmd --config wrong put small "$(at never)"
    refused 404 told info "$(at never)"
}
cors() {
    printf '<CORSConfiguration><CORSRule><AllowedMethod>GET</AllowedMethod><AllowedOrigin>https://a.example</AllowedOrigin></CORSRule></CORSConfiguration>' >rules
    s3 setcors rules "s3://$BUCKET"; has 'https://a.example' told info "s3://$BUCKET"
    s3 delcors "s3://$BUCKET"; lacks 'https://a.example' told info "s3://$BUCKET"
}
buckets() {
    has "s3://$BUCKET$" told ls
    s3 put small "$(at object)"; refused BucketNotEmpty s3 rb "s3://$BUCKET"
    s3 del --recursive --force "s3://$BUCKET"; s3 rb "s3://$BUCKET"
    refused NoSuchBucket told ls "s3://$BUCKET"
}

echo "version $(s3cmd --version)"
s3 mb "s3://$BUCKET" || exit 1
run put-get put_get
run head head_
run ranges ranges
run list list
run copy copy
run delete delete
run tags tags
echo "note ranges: only the rest of a file that is there in part (get --continue): there is no option for other ranges"
echo "note list: one page of 2 (--limit), and the whole: the client pages by itself"
echo "note keys: trailing/ and dots/../and/./more are left out: to this client the one is a folder to upload into, the other is folded"
echo "n/a conditional-write: s3cmd has no option for a write that must not replace an object"
echo "n/a checksums: s3cmd has no option to send or read x-amz-checksum-* of an object"
run keys keys_
run multipart multipart
run multipart-steps multipart_steps
echo "n/a multipart-copy: s3cmd copies in one request up to 5 GiB, and has no call that copies a part"
for method in get head put delete post parts; do echo "n/a presigned-$method: s3cmd 2.4 signs links with Signature Version 2, for GET alone; postern takes Version 4"; done
run wrong-secret wrong_secret
echo "n/a tampered-url: s3cmd 2.4 signs links with Signature Version 2"
run cors cors
run buckets buckets
exit $failed
